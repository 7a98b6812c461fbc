"""What goes into the images, by the Dockerfile alone; for built ones see `tests/images`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts import render

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROGRAMS = {
    "allocator": "allocator",
    "lbnodeagent": "nodeagent",
    "k8gobgp": "bgp",
    "ipam": "ipam",
}
# Set, name, architecture, version, hash.
LOCK = [
    line.split()
    for line in (ROOT / "requirements/debian.txt").read_text().splitlines()
    if not line.startswith("#")
]
OURS = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def stage(target: str) -> str:
    """Return the instructions of a target."""
    found = re.search(rf"^FROM scratch AS {target}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.M | re.S)
    assert found is not None, target
    return found[1]


def copied(target: str) -> set[str]:
    """Return the packages of ours in an image."""
    return set(re.findall(r"^COPY (\w+) /opt/purelb/\1$", stage(target), re.M))


def imports(package: str) -> Iterator[str]:
    """Yield the packages of ours that one imports."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from (name.split(".")[0] for name in names)


@pytest.mark.parametrize(("target", "program"), PROGRAMS.items())
def test_an_image_has_the_packages_that_its_program_imports_and_no_other(
    target: str, program: str
) -> None:
    """But `upkeep`, which the chart's Jobs run in the allocator's."""
    needed = {program} | {name for name in imports(program) if name in OURS}
    needed |= {name for package in tuple(needed) for name in imports(package) if name in OURS}
    extra = {"upkeep"} if target == "allocator" else set()
    assert copied(target) == needed | extra


@pytest.mark.parametrize(("target", "program"), PROGRAMS.items())
def test_an_image_starts_its_program_without_a_command(target: str, program: str) -> None:
    """The manifests give none."""
    assert f'ENTRYPOINT ["python", "-m", "{program}"]' in stage(target)


def test_only_what_runs_on_nodes_is_root() -> None:
    """Their capabilities are those of root's files."""
    users = {target: re.findall(r"^USER (.*)$", stage(target), re.M) for target in PROGRAMS}
    nobody = ["65534:65534"]
    assert users == {"allocator": nobody, "ipam": nobody, "lbnodeagent": [], "k8gobgp": []}


def test_the_chart_asks_for_images_that_are_built() -> None:
    """By the names of their targets."""
    text = str(render())
    assert set(re.findall(r"purelb-kopf/(\w+):", text)) <= set(PROGRAMS)


def test_what_is_in_an_image_is_pinned_by_hashes() -> None:
    """Libraries by pip's lists, Debian's packages by one of ours; nothing is of the base."""
    assert DOCKERFILE.count("--require-hashes") == len(PROGRAMS)
    assert "latest" not in DOCKERFILE
    assert len(re.findall(r"^FROM scratch AS ", DOCKERFILE, re.M)) == len(PROGRAMS)
    unpacked = re.findall(r"rootfs.sh /root-fs (\S+) (.*)$", DOCKERFILE, re.M)
    assert {lock for lock, _ in unpacked} == {"debian.txt"}
    assert {name for _, sets in unpacked for name in sets.split()} == {one[0] for one in LOCK}


def test_every_package_is_locked_for_every_architecture() -> None:
    """With a version and a hash, once."""
    assert {len(one) for one in LOCK} == {5}
    assert all(re.fullmatch("[0-9a-f]{64}", one[4]) for one in LOCK)
    names = {one[1] for one in LOCK}
    wanted = sorted((name, architecture) for name in names for architecture in ("amd64", "arm64"))
    assert sorted((one[1], one[2]) for one in LOCK) == wanted
