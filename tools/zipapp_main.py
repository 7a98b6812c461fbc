"""The first file that runs in the single-file plugin: unpack once, then run from there.

Extension modules cannot be imported out of an archive. What is unpacked is named by the digest of
all its contents, so another version never meets these files. Placeholders in capital letters are
filled in by `tools.plugin`.
"""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

DIGEST = "@DIGEST@"
PYTHON, PLATFORM = "@PYTHON@", "@PLATFORM@"


def main() -> None:
    """Run the command line, or the completion if the file is called by that name."""
    archive = Path(__file__).parent
    found = f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"
    here = f"{sys.platform}-{os.uname().machine}" if hasattr(os, "uname") else sys.platform
    if (found, here) != (PYTHON, PLATFORM):
        sys.exit(
            f"Error: this file was built for {PYTHON} on {PLATFORM}, not for {found} on {here};"
            " build one with make plugin, or install with pipx"
        )
    sys.path.insert(0, str(unpacked(archive)))
    if Path(sys.argv[0]).name.startswith("kubectl_complete"):
        from plugin.cli.completion import main as complete

        complete()
    else:
        from plugin.cli.root import main as run

        run()


def unpacked(archive: Path) -> Path:
    """Return the folder with the archive's contents; unpack them if that was not done before."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubectl-purelb"
    folder = base / DIGEST
    if is_ours(folder):
        return folder
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = Path(tempfile.mkdtemp(dir=base))
    except OSError:  # a home that is read-only, as in a container
        scratch = Path(tempfile.mkdtemp(prefix="kubectl-purelb-"))
        folder = scratch
    with zipfile.ZipFile(archive) as content:
        content.extractall(scratch, [n for n in content.namelist() if n.startswith("lib/")])
    if folder is scratch:
        return scratch / "lib"
    try:
        (scratch / "lib").rename(folder)
    except OSError:  # somebody else was faster, or the folder is not ours
        return folder if is_ours(folder) else scratch / "lib"
    scratch.rmdir()
    return folder


def is_ours(folder: Path) -> bool:
    """Tell whether a folder is there and nobody else can have written it."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or found.st_uid == os.getuid()


if __name__ == "__main__":
    main()
