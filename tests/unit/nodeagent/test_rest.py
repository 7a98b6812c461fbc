"""Which addresses a plan must look at closely."""

from dataclasses import replace

import pytest

from nodeagent.core.links import Announced, Observed, Placed
from nodeagent.core.rest import is_at_rest
from nodeagent.core.verdicts import Away, Here, Reason, Verdict
from purelb.api.links import IFA_F_DADFAILED, OUR_MARK, LinkAddress
from tests.unit.nodeagent.builders import ETH0, MAC, VIP, entry, link

HERE = Here(address=VIP, link=link(), prefix=32, flags=0)
AWAY = Away(address=VIP, reason=Reason.NO_CONFIG)
OURS = entry(f"{VIP}/32", mark=OUR_MARK)
BEGUN = frozenset({Announced(ETH0, VIP, MAC, 1)})


@pytest.mark.parametrize(
    ("verdict", "entries", "expected"),
    [
        pytest.param(HERE, (OURS,), True, id="in-place"),
        pytest.param(HERE, (), False, id="missing"),
        pytest.param(HERE, (replace(OURS, mark=0),), False, id="not-ours"),
        pytest.param(HERE, (replace(OURS, prefix=24),), False, id="other-mask"),
        pytest.param(HERE, (replace(OURS, index=3),), False, id="other-link"),
        pytest.param(HERE, (replace(OURS, flags=IFA_F_DADFAILED),), False, id="duplicate"),
        pytest.param(HERE, (OURS, replace(OURS, index=3)), False, id="copy"),
        pytest.param(HERE, (OURS, replace(OURS, index=3, mark=0)), True, id="strangers-copy"),
        pytest.param(AWAY, (OURS,), False, id="to-be-removed"),
        pytest.param(AWAY, (replace(OURS, mark=0),), True, id="away"),
        pytest.param(None, (OURS,), False, id="orphan"),
    ],
)
def test_an_address_is_at_rest_if_it_is_where_it_should_be_and_nowhere_else(
    verdict: Verdict | None, entries: tuple[LinkAddress, ...], *, expected: bool
) -> None:
    """Strangers' entries do not count."""
    observed = Observed(addresses=entries, announced=BEGUN)
    assert is_at_rest(verdict, entries, observed, 1) is expected


def test_an_adopted_address_is_not_at_rest_until_it_has_our_mark() -> None:
    """Where the kernel keeps one."""
    adopted = replace(OURS, mark=0)
    known = Observed(addresses=(adopted,), announced=BEGUN, record=frozenset({_place()}))
    assert not is_at_rest(HERE, (adopted,), known, 1)
    old = replace(known, has_marks=False)
    assert is_at_rest(HERE, (adopted,), old, 1)


@pytest.mark.parametrize(
    ("verdict", "epoch", "expected"),
    [
        pytest.param(HERE, 1, False, id="not-announced"),
        pytest.param(HERE, None, True, id="never-announced"),
        pytest.param(replace(HERE, link=link(mac=b"")), 1, True, id="nobody-can-hear"),
        pytest.param(replace(HERE, link=link(has_carrier=False)), 1, True, id="no-carrier"),
    ],
)
def test_an_address_is_not_at_rest_before_its_announcement(
    verdict: Here, epoch: int | None, *, expected: bool
) -> None:
    """If there is anybody to hear it."""
    assert is_at_rest(verdict, (OURS,), Observed(addresses=(OURS,)), epoch) is expected


def _place() -> Placed:
    return Placed(ETH0, VIP, 32)
