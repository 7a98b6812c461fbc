"""Our messages against GoBGP's own, field by field."""

import re
from pathlib import Path

import pytest

OURS = Path(__file__).parents[3] / "proto/gobgp.proto"
# Debian's golang-github-osrg-gobgp-dev; the version is that of its gobgpd.
THEIRS = Path("/usr/share/gocode/src/github.com/osrg/gobgp/api")
STUBS = {"Nothing"}  # in place of google.protobuf.Empty and of empty requests

_BLOCK = re.compile(r"(message|enum|oneof)\s+(\w+)\s*\{|(\})|([^{};]+);")
_FIELD = re.compile(r"^(?:(repeated)\s+)?(?:([\w.]+)\s+)?(\w+)\s*=\s*(\d+)$")


def numbers(text: str) -> dict[str, tuple[str, str, int]]:
    """Return label, type and number of every field and enum value by its full name."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"service\s+\w+\s*\{.*?\n\}", "", text, flags=re.DOTALL)
    found: dict[str, tuple[str, str, int]] = {}
    path: list[str] = []
    for kind, name, end, line in _BLOCK.findall(text):
        if kind:
            path.append("" if kind == "oneof" else name)
        elif end:
            path.pop()
        elif (field := _FIELD.match(" ".join(line.split()))) is not None and path:
            label, type_, field_name, number = field.groups()
            where = ".".join([*filter(None, path), field_name])
            found[where] = label or "", (type_ or "").removeprefix("apipb."), int(number)
    return found


@pytest.mark.skipif(
    not THEIRS.exists(), reason="needs GoBGP's proto: apt-get install golang-github-osrg-gobgp-dev"
)
def test_every_field_of_ours_is_theirs() -> None:
    """Same name, number and type: on the wire only number and type count."""
    theirs: dict[str, tuple[str, str, int]] = {}
    for file in ("gobgp.proto", "attribute.proto"):
        theirs |= numbers((THEIRS / file).read_text())
    ours = numbers(OURS.read_text())
    assert len(ours) > 200
    assert {name: theirs.get(name) for name in ours} == ours
