"""The files with the keys: one signs, another is accepted, both change under a running agent."""

import secrets
from pathlib import Path

import pytest

from nodeagent.core.beats import WeakKeyError, parse_key
from nodeagent.shell.heartkeys import ACCEPTED, LOOK_SECONDS, KeyFile
from tests.unit.nodeagent.builders import NOW

ONE, TWO = b"first-key-0123456789", b"other-key-0123456789"


def test_a_key_is_what_the_file_holds_but_for_the_end_of_its_line() -> None:
    """Random bytes as well as what somebody typed."""
    raw = b"\x00\n\xff" + secrets.token_bytes(32) + b"\x01"
    assert parse_key(raw) == raw
    assert parse_key(ONE + b"\n") == ONE


@pytest.mark.parametrize("content", [b"", b"\n\n", b"too-short\n"])
def test_a_weak_key_is_refused_without_saying_any_of_it(content: bytes) -> None:
    """Logs are no place for keys."""
    with pytest.raises(WeakKeyError) as caught:
        parse_key(content)
    assert "too-short" not in str(caught.value)


def test_without_a_path_there_are_never_keys() -> None:
    """Heartbeats are off."""
    file = KeyFile("")
    assert not file.look(NOW)
    assert file.keys == ()


def test_keys_come_change_and_go_with_the_files(tmp_path: Path) -> None:
    """As the kubelet brings them, looked at now and then."""
    path, second = tmp_path / "key", tmp_path / f"key{ACCEPTED}"
    file = KeyFile(str(path))
    assert not file.look(NOW)
    path.write_bytes(ONE)
    assert not file.look(NOW + LOOK_SECONDS / 2)
    assert file.look(NOW + LOOK_SECONDS)
    second.write_bytes(TWO)
    assert file.look(NOW + 2 * LOOK_SECONDS)
    assert list(file.keys) == [ONE, TWO]
    path.write_bytes(b"short")
    assert file.look(NOW + 3 * LOOK_SECONDS)
    assert not file.keys
    path.unlink()
    assert not file.look(NOW + 4 * LOOK_SECONDS)
