"""The file with the keys: two at a time, changed under a running agent."""

from pathlib import Path

import pytest

from nodeagent.core.beats import KeysError, parse_keys
from nodeagent.shell.heartkeys import LOOK_SECONDS, KeyFile
from tests.unit.nodeagent.builders import NOW

ONE, TWO = "first-key-0123456789", "other-key-0123456789"


def test_the_first_key_signs_and_both_count() -> None:
    """Blank lines and spaces around do not."""
    assert parse_keys(f"\n {ONE} \n\n{TWO}\n") == (ONE.encode(), TWO.encode())


@pytest.mark.parametrize("text", ["", "\n\n", "too-short", f"{ONE}\n{TWO}\n{ONE}"])
def test_a_file_without_usable_keys_is_refused_without_saying_any(text: str) -> None:
    """Logs are no place for keys."""
    with pytest.raises(KeysError) as caught:
        parse_keys(text)
    assert ONE not in str(caught.value)
    assert "too-short" not in str(caught.value)


def test_without_a_path_there_are_never_keys() -> None:
    """Heartbeats are off."""
    file = KeyFile("")
    assert not file.look(NOW)
    assert file.keys == ()


def test_keys_come_change_and_go_with_the_file(tmp_path: Path) -> None:
    """As the kubelet brings them, looked at now and then."""
    path = tmp_path / "key"
    file = KeyFile(str(path))
    assert not file.look(NOW)
    path.write_text(ONE)
    assert not file.look(NOW + LOOK_SECONDS / 2)
    assert file.look(NOW + LOOK_SECONDS)
    path.write_text(f"{TWO}\n{ONE}")
    assert file.look(NOW + 2 * LOOK_SECONDS)
    assert list(file.keys) == [TWO.encode(), ONE.encode()]
    path.write_text("short")
    assert file.look(NOW + 3 * LOOK_SECONDS)
    assert not file.keys
    path.unlink()
    assert not file.look(NOW + 4 * LOOK_SECONDS)
