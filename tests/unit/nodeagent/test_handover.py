"""Whose an address is, by slots and by claims."""

from dataclasses import replace

import pytest

from nodeagent.core.facts import Facts
from nodeagent.core.handover import holder, lost, taken, won
from nodeagent.core.peers import Claim, Reach
from nodeagent.core.verdicts import Memory, Tenure
from nodeagent.core.vips import Vip
from purelb.api.annotations import Slot
from purelb.api.identifiers import LinkName, NodeName
from tests.unit.nodeagent.builders import ETH0, NOW, VIP, WEB, A, B, C, facts, service


def slot(node: NodeName) -> Slot:
    """Build the slot that a Service shows."""
    return Slot(node, LinkName("eth0"), VIP)


def vip(node: NodeName | None) -> Vip:
    """Build the address of a Service whose slot names a node."""
    keys = {"announcing_IPv4": f"{node},eth0,{VIP}"} if node is not None else {}
    return Vip(address=VIP, services=(service(WEB, **keys),))


def known(own: int = 0, stated: Slot | None = None, claim: Claim | None = None) -> Facts:
    """Build what node-a knows: its own claim, and that of another."""
    tenure = Tenure(seen_at=NOW, won_at=NOW, epoch=own, stated=stated)
    return replace(
        facts(),
        memory=Memory(tenures={VIP: tenure}),
        claims={VIP: claim} if claim is not None else {},
        reach={ETH0: Reach()},
        epoch=7,
    )


@pytest.mark.parametrize(
    ("found", "shown", "node"),
    [
        (known(), B, B),
        (known(), None, None),
        (known(claim=Claim(epoch=2, node=C)), B, C),
        (known(claim=Claim(epoch=2, node=C)), None, C),
        (known(own=1, stated=slot(B)), B, A),
        (known(own=1, stated=slot(B)), A, A),
        (known(own=1, stated=slot(B)), C, C),
        (known(own=3, stated=slot(B), claim=Claim(epoch=2, node=C)), B, A),
        (known(own=1, stated=slot(B), claim=Claim(epoch=2, node=C)), B, C),
    ],
)
def test_the_latest_claim_counts_more_than_the_slot(
    found: Facts, shown: NodeName | None, node: NodeName | None
) -> None:
    """Unless the slot has changed since the claim was made."""
    slot_of_it = holder(found, vip(shown))
    assert (slot_of_it.node if slot_of_it is not None else None) == node


def test_what_is_taken_from_another_is_numbered_above_all_that_was_heard() -> None:
    """So that whoever comes back with an older number yields."""
    tenure = Tenure(seen_at=NOW, won_at=NOW, slot=slot(B))
    assert taken(known(), vip(B), tenure) == replace(tenure, epoch=8, stated=slot(B))


@pytest.mark.parametrize("before", [None, slot(A)])
def test_what_nobody_else_had_needs_no_number(before: Slot | None) -> None:
    """Neither does anything without heartbeats, which could not tell it."""
    tenure = Tenure(seen_at=NOW, won_at=NOW, slot=before)
    assert taken(known(), vip(None), tenure) is tenure
    stolen = replace(tenure, slot=slot(B))
    assert taken(replace(known(), reach={}), vip(B), stolen) is stolen


def test_whoever_loses_an_address_claims_it_no_longer() -> None:
    """And whoever yields to another's claim begins anew."""
    claimed = Tenure(seen_at=NOW, won_at=NOW, slot=slot(A), epoch=3)
    assert lost(claimed, slot(A)).epoch == 0
    again = won(claimed, slot(B), A, NOW + 1.0)
    assert (again.epoch, again.won_at) == (0, NOW + 1.0)


def test_a_slot_that_is_taken_from_the_winner_shows_that_the_taker_lives() -> None:
    """Until it is given back; not one that was there when this node became the winner."""
    heir = won(Tenure(seen_at=NOW, slot=slot(B)), slot(B), A, NOW)
    assert not heir.is_usurped
    robbed = won(won(heir, slot(A), A, NOW), slot(B), A, NOW + 1.0)
    assert robbed.is_usurped
    assert won(robbed, slot(B), A, NOW + 2.0).is_usurped
    assert not won(robbed, None, A, NOW + 2.0).is_usurped


def test_the_winner_knows_whether_it_has_the_address_after_another_node() -> None:
    """Whose slot it saw, now or before, though it lost the address again meanwhile."""
    new = Tenure(seen_at=NOW)
    assert not won(new, None, A, NOW).succeeds
    assert not won(replace(new, slot=slot(A)), slot(A), A, NOW).succeeds
    assert won(new, slot(B), A, NOW).succeeds
    heir = won(lost(new, slot(B)), None, A, NOW)
    assert heir.succeeds
    assert won(heir, slot(A), A, NOW + 1.0).succeeds
    assert won(lost(heir, None), None, A, NOW + 2.0).succeeds
