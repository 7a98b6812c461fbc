"""What lines of gobgpd 3.10 say; they are taken from its log."""

import json

import pytest

from bgp.core.enginelog import Line, note, read_line

PEER = {"Topic": "Peer", "Key": "192.0.2.1"}
SHUTDOWN = {
    "msg": "received notification",
    "Code": 6,
    "Subcode": 2,
    "Communicated-Reason": "bye",
}


def line(message: str, level: str = "warning", **facts: object) -> Line:
    """Return what a line about the neighbor is read as."""
    return read_line(json.dumps({"msg": message, "level": level, **PEER, **facts}))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            line("sent notification", Data="as number mismatch expected 64999, received 64513"),
            "refused by us: as number mismatch expected 64999, received 64513",
        ),
        (line("sent notification", Data=None, Code=4, Subcode=0), "hold timer expired"),
        (line("received notification", Code=2, Subcode=2), "OPEN message error, bad peer AS"),
        (
            read_line(json.dumps({**PEER, **SHUTDOWN})),
            "ended by the neighbor: cease, administrative shutdown (bye)",
        ),
        (line("received notification", Code=9, Subcode=7), "code 9, subcode 7"),
        (line("received notification"), "a notification"),
        (line("Peer Down", Reason="hold-timer-expired"), "hold-timer-expired"),
        (line("hold timer expired"), "nothing was heard of the neighbor"),
        (line("failed to connect", Error="no route to host"), "failed to connect: no route"),
    ],
)
def test_a_failed_session_has_its_reason(text: Line, error: str) -> None:
    """In words that say what to do, as far as the engine does."""
    assert error in text.error
    assert text.neighbor == "192.0.2.1"


def test_lines_without_a_failure_have_none() -> None:
    """Also those of other things than neighbors."""
    assert line("Add a peer configuration", level="info").error == ""
    other = read_line(json.dumps({"msg": "failed", "level": "error", "Error": "x", "Topic": "Rib"}))
    assert (other.neighbor, other.error, other.level) == ("", "", "error")
    assert other.facts == {"Error": "x"}


def test_what_is_no_json_is_a_message_as_it_is() -> None:
    """A Go panic is an error."""
    assert read_line("panic: nil dereference").level == "error"
    assert read_line("goroutine 1").message == "goroutine 1"
    assert read_line("[1]") == Line(message="[1]")


def test_a_line_for_each_returning_route_is_noise() -> None:
    """Routers send our own routes back to us."""
    text = {"msg": "No matching path for withdraw found, may be", "level": "warning", "Key": "10/8"}
    assert read_line(json.dumps(text)) == Line(message=text["msg"], level="debug")


def test_the_last_error_is_the_most_exact_one_until_the_session_is_up() -> None:
    """How it went down is told after why."""
    why = line("received notification", Code=6, Subcode=3)
    errors = note({}, why)
    assert note(errors, line("Peer Down", Reason="notification-received")) == errors
    assert errors["192.0.2.1"].endswith("cease, peer is not configured there")
    assert note(errors, line("Peer Up", level="info")) == {}
    assert note({}, line("Peer Down", Reason="x")) == {"192.0.2.1": "x"}
    assert note(errors, read_line("text")) == errors
    assert note(errors, line("Add a peer configuration")) == errors
