"""What goes back to a provider, and when: nothing that is in use, everything else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.accounts import (
    Account,
    GiveBack,
    next_step,
    opened,
    owned,
    read_account,
    without,
)
from allocator.core.asks import Ask
from allocator.core.holdings import Holding
from purelb.api.identifiers import NO_SHARING, PoolName, ServiceKey, Uid
from tests.unit.allocator.builders import V4, external, group, ips, pools

KEY, POOL = ServiceKey("shop/web"), PoolName("ipam")
POOLS = pools(external("ipam"), group("default", "192.0.2.0/24"))
OLD, NEW = Uid("old"), Uid("new")
A, B = ips("198.51.100.1", "2001:db8::1")
OURS = ips("192.0.2.1")
ASK = Ask(key=KEY, uid=OLD, pool=POOL, families=(V4,), pins=(), sharing=NO_SHARING)
UNKNOWN = Account(pool=POOL, key=KEY, uid=OLD)
KNOWN = replace(UNKNOWN, addresses=frozenset({A, B}))


def holding(*addresses: object, uid: Uid = OLD) -> Holding:
    """Build what the ledger has."""
    return Holding(key=KEY, uid=uid, addresses=tuple(addresses))  # type: ignore[arg-type]  # short


CASES = {
    "nothing": (None, None, None, None),
    "first": (None, ASK, None, ASK),
    "repeated": (UNKNOWN, ASK, None, ASK),
    "given": (KNOWN, None, holding(A, B), None),
    "gone": (KNOWN, None, None, GiveBack(None)),
    "gone-before-any-answer": (UNKNOWN, None, None, GiveBack(None)),
    "moved-to-a-range": (UNKNOWN, None, holding(*OURS), GiveBack(None)),
    "family-dropped": (KNOWN, None, holding(A), GiveBack(B)),
    "unknown-but-held": (UNKNOWN, None, holding(A, *OURS), None),
    "beside-a-range": (KNOWN, None, holding(A, B, *OURS), None),
    "set-aside": (KNOWN, ASK, holding(A), ASK),
    "namesake": (KNOWN, replace(ASK, uid=NEW), None, GiveBack(None)),
    "namesake-that-shows-it": (KNOWN, replace(ASK, uid=NEW), holding(A, uid=NEW), None),
}


@pytest.mark.parametrize(("account", "ask", "held", "step"), CASES.values(), ids=CASES)
def test_what_comes_next(
    account: Account | None, ask: Ask | None, held: Holding | None, step: object
) -> None:
    """One table for all that can be."""
    if account is not None and ask is not None and ask.uid == NEW and held is not None:
        step = ask
    assert next_step(account, ask, held, POOLS) == step


def test_an_account_is_opened_for_the_one_who_asks_and_keeps_its_addresses() -> None:
    """It must be on record before the question is sent."""
    assert opened(None, ASK) == UNKNOWN
    assert opened(KNOWN, replace(ASK, uid=NEW)) == replace(KNOWN, uid=NEW)
    assert without(KNOWN, A) == replace(KNOWN, addresses=frozenset({B}))


def test_the_journal_reads_what_it_wrote_and_survives_rubbish() -> None:
    """An entry without addresses, with some, and one that somebody edited."""
    for account in (UNKNOWN, KNOWN):
        assert read_account(POOL, KEY, account.text) == account
    assert read_account(POOL, KEY, "old x 198.51.100.1 2001:db8::1") == KNOWN
    assert read_account(POOL, KEY, "").uid == ""


@given(
    account=st.sampled_from([UNKNOWN, KNOWN, replace(KNOWN, uid=NEW)]),
    ask=st.sampled_from([None, ASK, replace(ASK, uid=NEW)]),
    held=st.sampled_from([None, holding(A), holding(A, B), holding(*OURS), holding(B, uid=NEW)]),
)
def test_nothing_that_a_service_owns_ever_goes_back(
    account: Account, ask: Ask | None, held: Holding | None
) -> None:
    """Whatever the rest says."""
    step = next_step(account, ask, held, POOLS)
    if isinstance(step, GiveBack):
        mine = owned(account, held, POOLS)
        assert not mine if step.address is None else step.address not in mine
