"""What must hold whatever a node finds, whatever breaks, and wherever a plan is interrupted."""

import copy
import math
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.desired import desire
from nodeagent.core.election import Electorate, Member
from nodeagent.core.fence import Hold, hold
from nodeagent.core.gate import LONGEST, QUIET
from nodeagent.core.links import Placed, placed
from nodeagent.core.ops import AddAddress, RefreshAddress, RemoveAddress, ReorderAddress
from nodeagent.core.plan import plan
from nodeagent.core.verdicts import DesiredState, Here, Memory
from purelb.api.addresses import Family, sort_key
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import FOREVER, OUR_MARK
from purelb.core.lease import Drain, Lease, RenewOk, step
from tests.agent import Agent
from tests.kernel import Kernel
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    OWN,
    A,
    facts,
    kernel,
    link,
    member,
    route,
    service,
)

ETH1 = 3
NODES = tuple(NodeName(f"node-{letter}") for letter in "abcde")
V4 = tuple(f"192.0.2.{number}" for number in range(100, 112))
V6 = tuple(f"2001:db8::{number:x}" for number in range(0x100, 0x106))
STRANGERS = ("192.0.2.60/32", "192.0.2.61/24", "10.9.9.9/8", "2001:db8::60/128", "fd00::1/64")
subsets = st.sets(st.sampled_from((*V4, *V6)), min_size=1)
leases = st.one_of(
    st.floats(0.0, 20.0).map(lambda ago: step(Lease(duration=10.0), RenewOk(NOW - ago))),
    st.just(step(step(Lease(duration=10.0), RenewOk(NOW)), Drain())),
)


@st.composite
def members(draw: st.DrawFn) -> tuple[Member, ...]:
    """Draw some nodes, always with node-a, with one or both networks."""
    others = draw(st.sets(st.sampled_from(NODES[1:])))
    networks = (("192.0.2.0/24",), ("2001:db8::/64",), ("192.0.2.0/24", "2001:db8::/64"))
    return tuple(
        replace(
            member(node, *draw(st.sampled_from(networks)), announcing=draw(st.booleans())),
            heeds_wishes=draw(st.integers(0, 5)) > 0,
            is_non_revertive=draw(st.booleans()),
        )
        for node in (A, *sorted(others))
    )


@st.composite
def worlds(draw: st.DrawFn) -> Agent:
    """Draw a node in any state: leftovers, strangers, wrong order, wrong masks, other links."""
    host = Kernel(
        links=(link(), link(ETH1, "eth1", mac=b"\2\0\0\0\0\1")),
        routes=(route(), route(family=Family.IPV6)),
        has_marks=draw(st.booleans()),
        promotes=draw(st.booleans()),
        now=NOW,
    )
    wanted = sorted(draw(subsets))
    places = st.tuples(st.sampled_from((ETH0, ETH1)), st.sampled_from((*V4, *V6)))
    puts = [
        (index, f"{text}/{_length(draw, text)}", draw(st.sampled_from((1, 30, 300, FOREVER))))
        for index, text in sorted(draw(st.sets(places, max_size=8)))
    ]
    puts += [(ETH0, text, FOREVER) for text in draw(st.sets(st.sampled_from(STRANGERS)))]
    puts += [(ETH0, text, FOREVER) for text in (OWN, "2001:db8::7/64")]
    for index, text, valid in draw(st.permutations(puts)):
        is_vip = text.partition("/")[0] in (*V4, *V6)
        host.put(index, text, mark=OUR_MARK if is_vip else 0, valid=valid)
    services = (service(ServiceKey(f"ns/{text}"), text) for text in wanted)
    known = replace(facts(*services, members=draw(members())), lease=draw(leases))
    # Where the kernel stores no mark, the record says what is ours.
    ours = {placed(one) for one in host.observe().addresses if str(one.address) in (*V4, *V6)}
    record = frozenset() if host.has_marks else frozenset(ours)
    return Agent(kernel=host, facts=known, record=record)


def _length(draw: st.DrawFn, text: str) -> int:
    return draw(st.sampled_from((128, 64) if ":" in text else (32, 24)))


@given(world=worlds())
def test_the_loop_comes_to_rest_and_then_needs_no_operations(world: Agent) -> None:
    """Whatever was found: leftovers with other masks, wrong order, wrong links, any Lease."""
    world.settle(NOW + 4.0)
    assert world.decide() == ()


def assert_memory_changes_nothing(world: Agent) -> None:
    """Compare the decision just made with the one made from scratch."""
    assert world.asked is not None
    assert world.seen is not None
    forgetful = replace(world.asked, memory=replace(world.asked.memory, past=None))
    fresh, found = desire(forgetful, world.kernel.now), world.desired
    assert _comparable(found) == _comparable(fresh)
    assert replace(found.memory, past=None) == replace(fresh.memory, past=None)
    assert world.ops == plan(fresh, world.seen, world.kernel.now)
    if fresh.next_change is not None:  # lifetimes are read in whole seconds
        assert found.next_change is not None
        assert found.next_change <= fresh.next_change


def _comparable(state: DesiredState) -> DesiredState:
    """Return a state without what says how it was found, and when to look again."""
    return replace(
        state,
        fallbacks=tuple(sorted(state.fallbacks, key=sort_key)),
        next_change=None,
        changed=frozenset(),
        before=None,
        memory=Memory(),
    )


@given(world=worlds(), pauses=st.lists(st.floats(0.0, 3.0), max_size=6))
def test_what_the_last_pass_found_is_used_only_if_nothing_has_changed(
    world: Agent, pauses: list[float]
) -> None:
    """A pass that finds the same inputs takes a shortcut; it must lead to the same place."""
    for pause in pauses:
        world.run()
        world.kernel.advance(world.kernel.now + pause)
        world.decide()
        assert_memory_changes_nothing(world)


@given(world=worlds())
def test_nothing_is_removed_that_is_not_ours(world: Agent) -> None:
    """Deleting to add again counts as removal."""
    for _ in range(4):
        observed = world.look()
        ours = {placed(one) for one in observed.addresses if observed.is_ours(one)}
        for op in world.decide():
            match op:
                case RemoveAddress(index=index, address=address, prefix=prefix):
                    assert Placed(index, address, prefix) in ours
                case ReorderAddress(entry=one):
                    assert Placed(one.index, one.address, one.prefix) in ours
                case _:
                    pass
        world.execute(world.ops)
        world.kernel.advance(world.kernel.now + 0.5)
    left = {f"{one.address}/{one.prefix}" for one in world.look().addresses}
    assert {OWN, "2001:db8::7/64"} <= left


@given(world=worlds(), data=st.data())
def test_any_interrupted_part_of_a_plan_converges_to_the_same(
    world: Agent, data: st.DataObject
) -> None:
    """Both end with the same addresses on the same links."""
    other = copy.deepcopy(world)
    ops = world.decide()
    world.execute(ops[: data.draw(st.integers(0, len(ops)))])
    world.settle(NOW + 4.0)
    other.settle(NOW + 4.0)
    found, expected = ({placed(o) for o in one.look().addresses} for one in (world, other))
    assert found == expected


@given(world=worlds())
def test_nothing_is_promised_beyond_the_right_to_hold(world: Agent) -> None:
    """Neither to the kernel nor in a verdict."""
    right, now = hold(world.facts.lease, NOW), NOW
    for op in world.decide():
        if isinstance(op, AddAddress | RefreshAddress | ReorderAddress):
            assert isinstance(right, Hold)
            assert 1 <= op.entry.valid_seconds <= right.until - now
    holds = any(isinstance(verdict, Here) for verdict in world.desired.verdicts.values())
    assert isinstance(right, Hold) or not holds


@given(world=worlds(), data=st.data())
def test_the_order_of_what_is_known_does_not_matter(world: Agent, data: st.DataObject) -> None:
    """Services and members come in any order."""
    assert world.facts.services is not None
    assert world.facts.electorate is not None
    services = data.draw(st.permutations(sorted(world.facts.services)))
    everybody = data.draw(st.permutations(world.facts.electorate.members))
    shuffled = replace(
        world.facts,
        services={key: world.facts.services[key] for key in services},
        electorate=Electorate(everybody),
    )
    other = replace(world, kernel=copy.deepcopy(world.kernel), facts=shuffled)
    assert other.decide() == world.decide()
    assert other.desired.verdicts == world.desired.verdicts


@given(world=worlds(), part=st.sampled_from(("services", "config", "electorate")))
def test_nothing_is_done_while_something_is_unknown(world: Agent, part: str) -> None:
    """A list that is not complete yet must not look like an empty one."""
    world.facts = replace(world.facts, **{part: None})  # type: ignore[arg-type]  # per field
    assert world.decide() == ()


@given(world=worlds())
def test_no_address_stands_before_the_nodes_own(world: Agent) -> None:
    """Once at rest, the first address is not ours, and ours make no other one secondary."""
    world.settle(NOW + 4.0)
    entries = [one for one in world.look().addresses if one.index == ETH0]
    v4 = [one for one in entries if one.address.version == 4]
    ours = [one for one in v4 if str(one.address) in V4]
    assert v4[0] not in ours
    assert all(one.prefix == 32 for one in ours)
    in_network = [one for one in v4 if one.address in ip_network("192.0.2.0/24")]
    assert in_network[0] not in ours


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(("gone", "back", "vip", "pass")), st.floats(0.0, 0.2)),
        min_size=1,
        max_size=40,
    )
)
def test_no_address_is_added_before_the_own_one_is_back_and_quiet(
    moves: list[tuple[str, float]],
) -> None:
    """A network manager removes and adds the own address and the VIP at any time."""
    world = Agent(kernel=kernel(), facts=facts(service(ServiceKey("ns/web"), V4[0])))
    world.settle(NOW)
    has_own, changed = True, -math.inf
    began = -math.inf
    for what, pause in moves:
        world.kernel.advance(world.kernel.now + pause)
        world.facts = replace(world.facts, lease=step(world.facts.lease, RenewOk(world.kernel.now)))
        now, vip = world.kernel.now, f"{V4[0]}/32"
        if (what == "gone" and has_own) or (what == "back" and not has_own):
            began = began if now < changed + QUIET else now
            world.change_own(ETH0, **{what: OWN})
            has_own, changed = not has_own, now
        elif what == "vip" and vip in world.kernel.listing(ETH0):
            world.lose(ETH0, vip)
        world.decide()
        assert_memory_changes_nothing(world)
        if any(isinstance(op, AddAddress | ReorderAddress) for op in world.ops):
            assert has_own
            assert now >= min(changed + QUIET, began + LONGEST)
        world.execute(world.ops)
