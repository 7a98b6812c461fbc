"""Which pool serves a namespace: annotation, binding, enforcement, default."""

import pytest

from allocator.core.decide import Assign, Refuse
from allocator.core.select import Selection, select
from purelb.api.groups import GroupView
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.problems import NoticeType, Problem, Reason
from tests.unit.allocator.builders import Cluster, group, pools

WEB = ServiceKey("shop/web")
DEFAULT = group("default", "10.9.0.0/24")
OPEN = group("open", "10.0.0.0/24")
BOUND = group("bound", "10.1.0.0/24", namespaces=("shop",))
CHOSEN = group("chosen", "10.2.0.0/24", namespaces=("shop",), is_default=True)
STRICT = group("strict", "10.3.0.0/24", namespaces=("shop",), enforces=True)
ELSEWHERE = group("elsewhere", "10.4.0.0/24", namespaces=("bank", "bank"), enforces=True)
RIVAL = group("rival", "10.5.0.0/24", namespaces=("shop",), is_default=True)

SERVED = {
    "default": ((DEFAULT, OPEN), None, "default"),
    "by-name": ((DEFAULT, OPEN), "open", "open"),
    "only-bound-group": ((DEFAULT, BOUND), None, "bound"),
    "name-beats-binding": ((DEFAULT, BOUND), "open-to-all", "open-to-all"),
    "bound-default": ((DEFAULT, BOUND, CHOSEN), None, "chosen"),
    "enforcing-own-group-by-name": ((DEFAULT, STRICT, BOUND), "bound", "bound"),
    "enforcing-only-group": ((DEFAULT, STRICT), None, "strict"),
    "ambiguous-falls-back": ((DEFAULT, CHOSEN, RIVAL), None, "default"),
    "bound-elsewhere-without-enforcement": (
        (DEFAULT, group("far", "10.6.0.0/24", namespaces=("bank",))),
        "far",
        "far",
    ),
}


@pytest.mark.parametrize(("groups", "name", "expected"), SERVED.values(), ids=SERVED.keys())
def test_a_pool_is_chosen(groups: tuple[GroupView, ...], name: str | None, expected: str) -> None:
    """By annotation, else by the namespace's default, else the pool called default."""
    extra = group("open-to-all", "10.7.0.0/24")
    found = pools(*groups, extra)
    selection = select(found, WEB, None if name is None else PoolName(name))
    assert isinstance(selection, Selection)
    assert selection.pool.name == expected


DENIED = Reason.NAMESPACE_DENIED
REFUSED = {
    "unknown": ((DEFAULT,), "none", Reason.UNKNOWN_POOL, 'unknown pool "none"'),
    "empty-name": ((DEFAULT,), "", Reason.UNKNOWN_POOL, 'unknown pool ""'),
    "no-default": ((OPEN,), None, Reason.UNKNOWN_POOL, "name one of: open"),
    "no-groups": ((), None, Reason.UNKNOWN_POOL, "name one of: none"),
    "rejected": ((DEFAULT, group("bad")), "bad", Reason.UNKNOWN_POOL, "it has no range"),
    "none-usable": ((group("bad"),), None, Reason.NO_USABLE_POOL, 'unknown pool "default"'),
    "confined": ((DEFAULT, ELSEWHERE), "elsewhere", DENIED, "serves only bank; add shop"),
    "enforced": ((DEFAULT, STRICT), "default", DENIED, "may use only strict"),
    "confined-by-a-neighbor": (
        (DEFAULT, ELSEWHERE, group("near", "10.8.0.0/24", namespaces=("bank",))),
        "near",
        DENIED,
        "namespace denied",
    ),
    "ambiguous-none": (
        (DEFAULT, STRICT, BOUND),
        None,
        Reason.AMBIGUOUS_NAMESPACE_DEFAULT,
        "bound, strict, and none sets namespaceDefault; exactly one must",
    ),
    "ambiguous-all": (
        (DEFAULT, group("s", "10.6.0.0/24", namespaces=("shop",), enforces=True), CHOSEN, RIVAL),
        None,
        Reason.AMBIGUOUS_NAMESPACE_DEFAULT,
        "ambiguous namespace default",
    ),
}


@pytest.mark.parametrize(
    ("groups", "name", "reason", "piece"), REFUSED.values(), ids=REFUSED.keys()
)
def test_a_choice_is_refused(
    groups: tuple[GroupView, ...], name: str | None, reason: Reason, piece: str
) -> None:
    """With the reason that dashboards know and the words that tools match."""
    found = pools(*groups)
    problem = select(found, WEB, None if name is None else PoolName(name))
    assert isinstance(problem, Problem)
    assert problem.reason is reason
    assert piece in problem.detail
    assert problem.pool is None


@pytest.mark.parametrize(
    ("groups", "piece"),
    [
        pytest.param((BOUND, group("b2", "10.6.0.0/24", namespaces=("shop",))), "none sets"),
        pytest.param((CHOSEN, RIVAL), "all set"),
        pytest.param((BOUND, CHOSEN, RIVAL), "of these chosen, rival all set"),
    ],
)
def test_an_ambiguous_fallback_is_a_warning_that_comes_before_the_address(
    groups: tuple[GroupView, ...], piece: str
) -> None:
    """It is part of the first decision only; a resync is silent."""
    cluster = Cluster(DEFAULT, *groups)
    web = cluster.create("web")
    decision = cluster.step(web)
    assert isinstance(decision, Assign)
    (warning,) = decision.report.warnings
    assert (warning.type, warning.reason) == (NoticeType.WARNING, "ConfigurationWarning")
    assert f"{piece} namespaceDefault; exactly one must" in warning.message
    assert cluster.ingress(web) == ("10.9.0.0",)
    assert cluster.commit(web).report.warnings == ()


def test_an_ambiguous_fallback_that_fails_is_told_once() -> None:
    """The refusal is the news, and with it the warning."""
    cluster = Cluster(group("default", "10.9.0.0/32"), CHOSEN, RIVAL)
    cluster.create("bank/full")
    cluster.converge()
    web = cluster.create("web")
    first, again = cluster.commit(web), cluster.commit(web)
    assert isinstance(first, Refuse)
    assert (len(first.report.warnings), len(again.report.warnings)) == (1, 0)


def test_enforcement_concerns_new_allocations_only() -> None:
    """Who has an address keeps it; the next one is denied."""
    cluster = Cluster(DEFAULT)
    web = cluster.create("web")
    cluster.converge()
    cluster.pools = pools(DEFAULT, STRICT, BOUND)
    later = cluster.create("later", annotations={"purelb.io/service-group": "default"})
    cluster.edit(web, spec={"sessionAffinity": "ClientIP"})
    cluster.converge()
    assert cluster.ingress(web) == ("10.9.0.0",)
    problem = cluster.ledger.problem(later)
    assert problem is not None
    assert problem.reason is Reason.NAMESPACE_DENIED
