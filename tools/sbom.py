"""The bill of materials of an image, as CycloneDX 1.5: python tools/sbom.py ROOT NAME > FILE.

ROOT is the image's mounted root. Debian's packages are listed in it by `rootfs.sh`, Python's by
their metadata.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

PACKAGES = "usr/share/packages.txt"
LIBRARIES = "opt/purelb"


def main() -> None:
    """Write the document to standard output."""
    root, name = Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from purelb import VERSION

    print(json.dumps(document(root, name, VERSION), indent=2))


def document(root: Path, name: str, version: str) -> Mapping[str, Any]:
    """Return the bill of an image; components are sorted, so that equal images have equal bills."""
    components = sorted((*debian(root), *python(root)), key=lambda one: one["purl"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": components,
    }


def debian(root: Path) -> Iterator[dict[str, str]]:
    """Yield the Debian packages that were unpacked."""
    for line in (root / PACKAGES).read_text().splitlines():
        name, version, _ = line.split()
        yield _component(name, version, f"pkg:deb/debian/{name}@{version}")


def python(root: Path) -> Iterator[dict[str, str]]:
    """Yield the Python libraries beside the program."""
    for path in (root / LIBRARIES).glob("*.dist-info/METADATA"):
        meta = HeaderParser().parsestr(path.read_text(errors="replace"), headersonly=True)
        name, version = str(meta["Name"]), str(meta["Version"])
        yield _component(name, version, f"pkg:pypi/{name.lower().replace('_', '-')}@{version}")


def _component(name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": "library", "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    main()
