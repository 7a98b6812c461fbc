"""`make plugin`: the plugin as one file, its archive, and the Krew manifest that installs it.

    python -m tools.plugin build [URL of the folder that archives are published in]

Everything comes out of the environment that `make setup` made, at its pinned versions. The same
sources give the same bytes.
"""

import gzip
import hashlib
import io
import os
import platform
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from purelb import VERSION

ROOT = Path(__file__).parents[1]
OURS = ("plugin", "purelb/api", "purelb/core", "allocator/core", "bgp/core", "nodeagent/core")
DISTRIBUTIONS = ("click", "google-re2", "msgspec", "pyyaml", "rich")
SUFFIXES = (".py", ".so", ".pyd", ".dylib")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that the format knows
NAME, COMPLETION = "kubectl-purelb", "kubectl_complete-purelb"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def main() -> None:
    """Build everything into a folder, and say what it is."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    base = sys.argv[2].rstrip("/") if len(sys.argv) > 2 else folder.resolve().as_uri()
    program = folder / NAME
    program.write_bytes(b"#!/usr/bin/env python3\n" + zipped(dict(contents())))
    program.chmod(0o755)
    link = folder / COMPLETION
    link.unlink(missing_ok=True)
    link.symlink_to(NAME)
    archive = folder / f"{NAME}-{VERSION}-{sys.platform}-{architecture()}.tar.gz"
    pack(archive, program)
    manifest = folder / "purelb.yaml"
    manifest.write_text(krew(archive, base))
    for path in (program, archive, manifest):
        print(f"{path}  {path.stat().st_size} bytes")


def architecture() -> str:
    """Return the machine's architecture as Go and Krew call it."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def contents() -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of all files below lib/."""
    for part in OURS:
        for path in (ROOT / part).rglob("*.py"):
            yield f"lib/{path.relative_to(ROOT)}", path.read_bytes()
        top = ROOT / part.split("/")[0] / "__init__.py"
        yield f"lib/{top.relative_to(ROOT)}", top.read_bytes()
    for name in DISTRIBUTIONS:
        yield from _distribution(distribution(name))


def _distribution(found: Distribution) -> Iterator[tuple[str, bytes]]:
    for file in found.files or ():
        is_code = file.suffix in SUFFIXES and ".." not in file.parts
        is_license = file.name.upper().startswith(("LICENSE", "COPYING", "METADATA"))
        if is_code or is_license:
            yield f"lib/{file}", Path(str(file.locate())).read_bytes()


def zipped(files: dict[str, bytes]) -> bytes:
    """Return the archive, sorted and without dates, with the starter in front."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    values = {
        "DIGEST": digest.hexdigest()[:32],
        "PYTHON": f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}",
        "PLATFORM": f"{sys.platform}-{os.uname().machine}",
    }
    starter = (ROOT / "tools" / "zipapp_main.py").read_text()
    text = re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], starter)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in [("__main__.py", text.encode()), *sorted(files.items())]:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def pack(archive: Path, program: Path) -> None:
    """Write the archive that Krew unpacks: program and licence, without dates and owners."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as found:
        for path, mode in ((ROOT / "LICENSE", 0o644), (program, 0o755)):
            content = path.read_bytes()
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = len(content), mode
            found.addfile(entry, io.BytesIO(content))
    with archive.open("wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
        shutil.copyfileobj(io.BytesIO(raw.getvalue()), packed)


def krew(archive: Path, base: str) -> str:
    """Return the manifest for one platform; those of several are put together at a release."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    template = (ROOT / "deploy" / "kubectl" / "krew.yaml").read_text()
    values = {
        "VERSION": f"v{VERSION}",
        "OS": sys.platform,
        "ARCH": architecture(),
        "URI": f"{base}/{archive.name}",
        "SHA256": digest,
    }
    return re.sub(r"@([A-Z0-9]+)@", lambda found: values[found[1]], template)


if __name__ == "__main__":
    main()
