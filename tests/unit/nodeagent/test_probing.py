"""Which addresses the wire is asked for."""

from dataclasses import replace

from nodeagent.core.election import Electorate, digest
from nodeagent.core.peers import Reach
from nodeagent.core.probing import asked
from nodeagent.core.verdicts import Away, DesiredState, Here, Reason, Verdict, Wait
from purelb.api.identifiers import NodeName
from tests.unit.nodeagent.builders import ETH0, NOW, VIP, A, B, C, link, member

ELECTORATE = Electorate((member(A), member(B), member(C)))
WINNER, NEXT, LAST = sorted((A, B, C), key=lambda node: digest(node, VIP))
AWAY = Away(address=VIP, reason=Reason.LOST_ELECTION, winner=WINNER, link=link())


def state(verdict: Verdict) -> DesiredState:
    """Build a state in which this is decided about the VIP."""
    return DesiredState(is_whole=True, verdicts={VIP: verdict})


def reach(*suspects: NodeName) -> dict[int, Reach]:
    """Build what is heard on eth0."""
    return {ETH0: Reach(suspects=frozenset(suspects))}


def test_what_waits_for_the_answer_is_asked_for() -> None:
    """And what waits for something else is not."""
    wait = Wait(address=VIP, at=NOW, reason="", silence_on=link())
    assert asked(state(wait), ELECTORATE, reach(), A) == {VIP: link()}
    assert asked(state(replace(wait, silence_on=None)), ELECTORATE, reach(), A) == {}
    here = Here(address=VIP, link=link(), prefix=32, flags=0, needs_silence=True)
    assert asked(state(here), ELECTORATE, reach(), A) == {VIP: link()}


def test_the_next_in_line_asks_ahead_when_the_winner_falls_silent() -> None:
    """So that the answer is there by the time it matters; nobody else asks."""
    assert asked(state(AWAY), ELECTORATE, reach(WINNER), NEXT) == {VIP: link()}
    assert asked(state(AWAY), ELECTORATE, reach(WINNER), LAST) == {}
    assert asked(state(AWAY), ELECTORATE, reach(), NEXT) == {}
    assert asked(state(AWAY), ELECTORATE, reach(A, B, C), A) == {}


def test_nothing_is_asked_without_heartbeats() -> None:
    """The Leases decide."""
    wait = Wait(address=VIP, at=NOW, reason="", silence_on=link())
    assert asked(state(wait), ELECTORATE, {}, A) == {}


def test_what_is_here_or_cannot_be_here_is_not_asked_for() -> None:
    """Nor anything while the members are not known, or on a link without heartbeats."""
    assert asked(state(Here(address=VIP, link=link(), prefix=32, flags=0)), None, reach(B), A) == {}
    away = Away(address=VIP, reason=Reason.NO_LOCAL_INTERFACE)
    assert asked(state(away), ELECTORATE, reach(B), A) == {}
    assert asked(state(AWAY), None, reach(B), A) == {}
    assert asked(state(AWAY), ELECTORATE, {99: Reach()}, A) == {}
