"""Which addresses to ask the wire for: who answers decides whether they may be taken.

Asked are those that wait for the answer, and, ahead of time, those that this node will have to take
if a member that was not heard lately turns out to be gone. Called by the shell after each pass, and
when somebody falls silent.
"""

from collections.abc import Mapping

from nodeagent.core.election import Electorate
from nodeagent.core.peers import Reach
from nodeagent.core.verdicts import Away, DesiredState, Here, Wait
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import NodeName
from purelb.api.links import Link


def asked(
    state: DesiredState, electorate: Electorate | None, reach: Mapping[int, Reach], me: NodeName
) -> dict[IPAddress, Link]:
    """Return the addresses to ask for, each with the link on which to ask."""
    if not reach:
        return {}
    found: dict[IPAddress, Link] = {}
    remaining: dict[int, Electorate] = {}
    past = state.memory.past
    is_suspicious = past is None or any(one.suspects for one in reach.values())
    # Whatever waits, for whatever, is among those that time alone may change.
    some = state.verdicts if is_suspicious or past is None else past.timed
    for address in some:
        verdict = state.verdicts[address]
        if isinstance(verdict, Wait) and verdict.silence_on is not None:
            found[address] = verdict.silence_on
        if isinstance(verdict, Here) and verdict.needs_silence:
            found[address] = verdict.link
        if not isinstance(verdict, Away) or verdict.link is None or electorate is None:
            continue
        index = verdict.link.index
        suspects = reach[index].suspects if index in reach else frozenset()
        if verdict.winner not in suspects:
            continue
        if index not in remaining:
            remaining[index] = electorate.without(suspects)
        winner = remaining[index].winner(address)
        if winner is not None and winner.node == me:
            found[address] = verdict.link
    return found
