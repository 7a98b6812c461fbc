"""The built images, run in their own root: `make images` builds them and runs these tests.

A container runtime is not needed: an image's root is mounted, and its programs run in it by chroot.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from purelb import VERSION

PROGRAMS = {
    "allocator": "allocator",
    "lbnodeagent": "nodeagent",
    "k8gobgp": "bgp",
    "ipam": "ipam",
}
# Beside Python, for people and for what a program runs itself.
TOOLS = {"lbnodeagent": {"ip"}, "k8gobgp": {"ip", "gobgp", "gobgpd"}}
LARGEST = 120_000_000  # bytes, unpacked
SBOM = Path(__file__).parents[2] / "tools/sbom.py"
LOCK = Path(__file__).parents[2] / "requirements/debian.txt"


def buildah(*arguments: str) -> str:
    """Run buildah and return what it said."""
    done = subprocess.run(("buildah", *arguments), capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def mounted(target: str) -> Iterator[Path]:
    """Mount an image's root while the block runs."""
    container = buildah("from", "--pull-never", f"localhost/purelb-kopf/{target}:{VERSION}")
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


@pytest.fixture(params=PROGRAMS)
def image(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """Return a target and its image's root; skips where images cannot be."""
    if shutil.which("buildah") is None:
        pytest.skip("buildah not found")
    if os.geteuid() != 0:
        pytest.skip("only root can enter an image's root")
    name = f"localhost/purelb-kopf/{request.param}:{VERSION}"
    if subprocess.run(
        ("buildah", "inspect", "--type", "image", name), capture_output=True
    ).returncode:
        pytest.skip(f"{name} is not built: `make images` builds it")
    with mounted(request.param) as root:
        yield request.param, root


def run(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an image, as nobody."""
    command = ("chroot", "--userspec=65534:65534", str(root), *argv)
    variables = {"PYTHONPATH": "/opt/purelb", "PATH": "/usr/bin:/usr/sbin"}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)


def test_a_program_starts_in_its_image(image: tuple[str, Path]) -> None:
    """All it imports is there, libraries in C with what they link to."""
    target, root = image
    done = run(root, "/usr/bin/python", "-m", PROGRAMS[target], "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_an_image_has_neither_a_shell_nor_a_package_manager(image: tuple[str, Path]) -> None:
    """Nothing there that only an intruder would use; some have `ip`, which people use."""
    target, root = image
    programs = {
        path.name for folder in ("bin", "sbin") for path in (root / "usr" / folder).iterdir()
    }
    tools = TOOLS.get(target, set())
    assert programs == {"python", "python3", "python3.11"} | tools
    for tool in tools:
        option = "-V" if tool == "ip" else "--version"
        assert run(root, f"/usr/bin/{tool}", option).returncode == 0


def test_an_image_is_small(image: tuple[str, Path]) -> None:
    """It is pulled on every node."""
    _, root = image
    size = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file())
    print(f"\n{image[0]}: {size / 1e6:.0f} MB")
    assert size <= LARGEST


def test_an_image_holds_nothing_that_its_user_could_write(image: tuple[str, Path]) -> None:
    """But the folder for temporary files; its root is mounted read-only anyway."""
    _, root = image
    found = [
        path
        for path in root.rglob("*")
        if not path.is_symlink() and path.lstat().st_mode & 0o002 and path.name != "tmp"
    ]
    assert not found


def test_an_image_has_the_packages_that_are_locked(image: tuple[str, Path]) -> None:
    """In the versions of the list, and no other."""
    _, root = image
    lines = (root / "usr/share/packages.txt").read_text().splitlines()
    locked = {
        (name, version)
        for line in LOCK.read_text().splitlines()
        if not line.startswith("#")
        for _, name, _, version, _ in [line.split()]
    }
    assert {tuple(line.split()[:2]) for line in lines} <= locked


def test_the_bill_of_materials_names_every_library(image: tuple[str, Path]) -> None:
    """Debian's and Python's, with versions."""
    target, root = image
    done = subprocess.run(
        (sys.executable, str(SBOM), str(root), target), capture_output=True, text=True, check=True
    )
    bill = json.loads(done.stdout)
    names = {one["name"] for one in bill["components"]}
    assert {"libc6", "libssl3"} <= names
    assert ("iproute2" in names) is (target in TOOLS)
    libraries = len(list((root / "opt/purelb").glob("*.dist-info")))
    assert len([one for one in bill["components"] if "pypi" in one["purl"]]) == libraries
