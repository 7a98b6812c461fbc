"""Whatever happens to remote addresses and their link, the node comes to carry what it should."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.dummy import LASTING_RETRY
from nodeagent.core.remote import RemotePools, read_groups
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import OUR_MARK
from purelb.api.views import ServiceView
from tests.agent import Agent
from tests.properties.test_nodeagent_loop import assert_memory_changes_nothing
from tests.unit.nodeagent.builders import A, B, agent, facts, link, service
from tests.unit.nodeagent.remotepools import INSTALL, KUBE_LB0, dummy_of, group, span

FAR = tuple(f"198.51.100.{number}" for number in range(1, 7))
FAR6 = tuple(f"2001:db8:f::{number}" for number in range(1, 4))
PROVIDED = 9  # index of a link that the user made
AGGREGATIONS = ("default", "/28", "/32")
Step = Callable[[Agent], None]


def pools(aggregation: str) -> RemotePools:
    """Return a pool with one aggregation for IPv4; IPv6 follows its subnet."""
    spans = (
        span("198.51.100.0/26", "198.51.100.0/24", aggregation),
        span("2001:db8:f::/120", "2001:db8:f::/64"),
    )
    return read_groups([group("far", *spans)], INSTALL)


def a_service(address: str, policy: str) -> ServiceView:
    """Build a Service with one remote address."""
    one = service(ServiceKey(f"ns/{address}"), address, pool_type="remote")
    return replace(one, external_policy=policy)


def put(address: str, policy: str) -> Step:
    """Create a Service or change its policy."""

    def act(one: Agent) -> None:
        wanted = a_service(address, policy)
        services = {**(one.facts.services or {}), wanted.key: wanted}
        one.facts = replace(one.facts, services=services)

    return act


def drop(address: str) -> Step:
    """Delete a Service."""

    def act(one: Agent) -> None:
        services = dict(one.facts.services or {})
        services.pop(ServiceKey(f"ns/{address}"), None)
        one.facts = replace(one.facts, services=services)

    return act


def endpoints(address: str, nodes: frozenset[NodeName]) -> Step:
    """Move the endpoints of a Service."""

    def act(one: Agent) -> None:
        known = {**one.facts.endpoints, ServiceKey(f"ns/{address}"): nodes}
        one.facts = replace(one.facts, endpoints=known, has_endpoints=True)

    return act


def configure(aggregation: str | None) -> Step:
    """Change the pool, or delete it."""

    def act(one: Agent) -> None:
        found = pools(aggregation) if aggregation is not None else RemotePools()
        one.facts = replace(one.facts, pools=found)

    return act


def take(number: int) -> Step:
    """Remove some address of ours."""

    def act(one: Agent) -> None:
        ours = [e for e in one.kernel.observe().addresses if e.mark == OUR_MARK]
        if ours:
            gone = ours[number % len(ours)]
            one.lose(gone.index, f"{gone.address}/{gone.prefix}")

    return act


def delete_link(one: Agent) -> None:
    """Delete the link, whoever made it."""
    one.kernel.drop(KUBE_LB0)


def provide_link(one: Agent) -> None:
    """Make the link as a user may."""
    if dummy_of(one) is None:
        one.kernel.links = (*one.kernel.links, link(PROVIDED, "kube-lb0", kind="dummy"))


def switch_off(one: Agent) -> None:
    """Switch the link off."""
    one.kernel.links = tuple(
        replace(known, is_up=False, has_carrier=False) if known.name == KUBE_LB0 else known
        for known in one.kernel.links
    )


def lack(lacks: bool) -> Step:
    """Unload or load the module."""

    def act(one: Agent) -> None:
        one.kernel.lacks_dummy = lacks

    return act


addresses = st.sampled_from((*FAR, *FAR6))
steps = st.one_of(
    st.builds(put, addresses, st.sampled_from(("Cluster", "Local"))),
    st.builds(drop, addresses),
    st.builds(endpoints, addresses, st.frozensets(st.sampled_from((A, B, NodeName(""))))),
    st.builds(configure, st.sampled_from((*AGGREGATIONS, None))),
    st.builds(take, st.integers(0, 20)),
    st.sampled_from((delete_link, provide_link, switch_off)),
    st.builds(lack, st.booleans()),
)


def expected(one: Agent) -> set[str]:
    """Return what the link should carry, found in the plainest way."""
    known = one.facts
    found = set()
    for wanted in (known.services or {}).values():
        (address,) = wanted.ingress
        nodes = known.endpoints.get(wanted.key, frozenset())
        is_here = wanted.external_policy == "Cluster" or nodes & {A, NodeName("")}
        place = known.pools.remote.find(address) if known.pools is not None else None
        if is_here and place is not None:
            found.add(f"{address}/{place.prefix}")
    return found


@given(acts=st.lists(st.lists(steps, max_size=4), max_size=6))
def test_after_a_while_the_link_carries_exactly_what_it_should(acts: list[list[Step]]) -> None:
    """Every decision on the way is the one that would be made without memory."""
    known = replace(facts(), services={}, pools=pools("default"), has_endpoints=True)
    one = agent(known)
    for some in acts:
        for act in some:
            act(one)
            one.decide()
            assert_memory_changes_nothing(one)
            one.execute(one.ops)
        one.settle(one.kernel.now + 1)
    one.kernel.lacks_dummy = False
    one.settle(one.kernel.now + LASTING_RETRY + 1)
    assert one.decide() == ()
    there = dummy_of(one)
    carried = one.kernel.listing(there.index) if there is not None else ()
    assert set(carried) == expected(one)
    assert len(carried) == len(set(carried))
    assert there is None or there.is_up or not carried
    others = [e for e in one.kernel.observe().addresses if e.mark == OUR_MARK]
    assert len(others) == len(carried), "something of ours is elsewhere"
