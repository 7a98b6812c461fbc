"""A pass that uses the last one again must lead to the same place as one from scratch.

Worlds change in every way that the agent can see; after each change the pass that it makes is
compared with one that remembers nothing of the last: same verdicts, operations, slots and words.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.config import Lifetimes, NodeConfig, SelectorState, Unconfigured
from nodeagent.core.election import Electorate
from nodeagent.core.ops import Announce
from nodeagent.core.peers import Claim, Reach
from nodeagent.core.plan import plan
from nodeagent.core.remote import read_groups
from nodeagent.core.report import Told, report
from nodeagent.core.results import is_pending
from nodeagent.core.slots import write_slots
from nodeagent.core.verdicts import Here
from purelb.api.addresses import Family, parse_ip
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import Instant, NodeName, PoolName, ServiceKey
from purelb.api.links import FOREVER
from purelb.api.views import NodeView, ServiceView
from purelb.core.lease import Drain, Kept, Lease, LeaseFact, RenewOk, Superseded, step
from tests.agent import Agent
from tests.kernel import Kernel
from tests.properties.test_nodeagent_loop import (
    ETH1,
    NODES,
    STRANGERS,
    V4,
    V6,
    assert_memory_changes_nothing,
    members,
    worlds,
)
from tests.unit.nodeagent.builders import (
    ETH0,
    LOCAL6,
    NOW,
    OWN,
    OWN6,
    A,
    B,
    facts,
    link,
    member,
    renewed,
    route,
    service,
)

VIPS = (*V4[:3], *V6[:2])
KEYS = tuple(ServiceKey(f"ns/{name}") for name in (*VIPS, "joins", "second"))
CONFIGS: tuple[NodeConfig | Unconfigured, ...] = (
    NodeConfig(source="ns/x"),
    NodeConfig(source="ns/quiet", garp=None),
    NodeConfig(source="ns/short", local=Lifetimes(valid=6, preferred=6, has_prefix_route=False)),
    NodeConfig(
        source="ns/endless",
        local=Lifetimes(valid=FOREVER, preferred=FOREVER, has_prefix_route=False),
    ),
    Unconfigured(state=SelectorState.DEFAULT),
)
PAUSES = st.sampled_from((0.0, 0.0, 0.002, 0.05, 0.2, 1.0, 1.7, 3.2))
Change = Callable[[Agent, st.DataObject], None]


@st.composite
def services(draw: st.DrawFn) -> ServiceView:
    """Draw a Service of one or two addresses, with any annotations that matter."""
    addresses = draw(st.lists(st.sampled_from(VIPS), min_size=1, max_size=2))
    holder = draw(st.sampled_from(("", "node-a", "node-a", "node-b", "node-z")))
    keys = {
        "allocated_by": draw(st.sampled_from(("PureLB", "PureLB", "PureLB", "Other"))),
        "pool_type": draw(st.sampled_from(("local", "remote"))),
        "announcing_IPv4": " ".join(f"{holder},eth0,{a}" for a in addresses if holder),
    }
    for name, value in (
        ("announcing_IPv6", keys["announcing_IPv4"]),
        ("node_affinity", "service-endpoints"),
        ("allow_shared_ip", "x"),
        ("skip_ipv6_dad", "true"),
        ("allow_local", ""),
        ("announce_node", draw(st.sampled_from(("node-a", "node-b", "node-z", "")))),
    ):
        if draw(st.integers(0, 3)) == 0:
            keys[name] = value
    policy = draw(st.sampled_from(("", "Local")))
    one = service(draw(st.sampled_from(KEYS)), *addresses, **keys)
    return replace(one, external_policy=policy, version=draw(st.sampled_from("789")))


def change_service(world: Agent, data: st.DataObject) -> None:
    """Create, change or delete one Service."""
    known: Mapping[ServiceKey, ServiceView] = world.facts.services or {}
    one = data.draw(services())
    others = {key: other for key, other in known.items() if key != one.key}
    is_deleted = data.draw(st.integers(0, 3)) == 0
    changed = others if is_deleted else {**others, one.key: one}
    world.facts = replace(world.facts, services=changed)


def show_writes(world: Agent, _: st.DataObject) -> None:
    """Let the API server show what was to be written."""
    known = dict(world.facts.services or {})
    for write in world.reports[-1].slots if world.reports else ():
        if (one := known.get(write.service)) is not None:
            keys = {**one.annotations, write.annotation: write.text or ""}
            known[one.key] = replace(one, annotations=keys)
    world.facts = replace(world.facts, services=known)


def change_endpoints(world: Agent, data: st.DataObject) -> None:
    """Learn where a Service has endpoints."""
    nodes = frozenset(data.draw(st.sets(st.sampled_from(NODES))))
    key = data.draw(st.sampled_from(KEYS))
    world.facts = replace(world.facts, endpoints={**world.facts.endpoints, key: nodes})


def change_lease(world: Agent, data: st.DataObject) -> None:
    """Lose the Lease, get another one, or begin to leave."""
    now = world.kernel.now
    news: tuple[LeaseFact, ...] = (RenewOk(now), RenewOk(now), Superseded(now), Drain())
    lease = step(world.facts.lease, data.draw(st.sampled_from(news)))
    if data.draw(st.integers(0, 9)) == 0:
        lease = step(Lease(duration=data.draw(st.sampled_from((5.0, 60.0)))), RenewOk(now))
    world.facts = replace(world.facts, lease=lease)


def change_members(world: Agent, data: st.DataObject) -> None:
    """Let nodes come and go, or lose sight of them."""
    nodes = data.draw(members())
    gone = frozenset(data.draw(st.sets(st.sampled_from((NodeName("node-z"), NODES[1])))))
    electorate = None if data.draw(st.integers(0, 9)) == 0 else Electorate(nodes)
    world.facts = replace(world.facts, electorate=electorate, expired=gone)


def change_renewals(world: Agent, data: st.DataObject) -> None:
    """See others renew; such signs only ever come on top."""
    heard = {node: world.kernel.now for node in data.draw(st.sets(st.sampled_from(NODES)))}
    if world.facts.renewed is not None:
        world.facts = replace(world.facts, renewed={**world.facts.renewed, **heard})


def change_config(world: Agent, data: st.DataObject) -> None:
    """Use another configuration, or none."""
    world.facts = replace(world.facts, config=data.draw(st.sampled_from(CONFIGS)))


def change_pools(world: Agent, data: st.DataObject) -> None:
    """Let addresses stay where they are, or not."""
    entry = RangeEntry(family=Family.IPV4, text="192.0.2.96/27", subnet="192.0.2.0/24")
    group = GroupView(
        namespace="x",
        name=PoolName("web"),
        kind=GroupKind.LOCAL,
        entries=(entry,),
        is_non_revertive=data.draw(st.booleans()),
    )
    world.facts = replace(world.facts, pools=read_groups([group], "x"))


def change_node(world: Agent, data: st.DataObject) -> None:
    """Let Kubernetes take other addresses for the node's, or somebody evacuate it."""
    texts = data.draw(st.sets(st.sampled_from((OWN.partition("/")[0], VIPS[0])), max_size=1))
    addresses = tuple(service(KEYS[0], *texts).ingress) if texts else ()
    evacuated, electorate = data.draw(st.booleans()), world.facts.electorate
    node = NodeView(name=A, addresses=addresses, is_evacuated=evacuated)
    if electorate is not None:
        own = [replace(m, is_announcing=not evacuated) for m in electorate.members if m.node == A]
        others = [m for m in electorate.members if m.node != A]
        electorate = Electorate([*others, *own], before=electorate)
    world.facts = replace(world.facts, node=node, electorate=electorate)


def change_link(world: Agent, data: st.DataObject) -> None:
    """Switch a link off or on, or give it another MAC."""
    eth0 = link(
        has_carrier=data.draw(st.booleans()), mac=data.draw(st.sampled_from((b"", b"123456")))
    )
    world.kernel.links = (eth0, *world.kernel.links[1:])


def change_own(world: Agent, _: st.DataObject) -> None:
    """Take the node's own address away, or put it back."""
    what = {"gone": OWN} if OWN in world.kernel.listing(ETH0) else {"back": OWN}
    world.change_own(ETH0, **what)


def change_stranger(world: Agent, data: st.DataObject) -> None:
    """Put an address on a link that is not ours, perhaps that of a Service, or take one away."""
    index = data.draw(st.sampled_from((ETH0, ETH1)))
    hosts = tuple(f"{text}/{128 if ':' in text else 32}" for text in VIPS)
    texts = (*STRANGERS, *hosts, f"{VIPS[0]}/24", f"{VIPS[-1]}/64")
    text = data.draw(st.sampled_from(texts))
    if text in world.kernel.listing(index):
        world.kernel.take(index, text)
    elif _is_free(world.kernel, index, text):
        world.kernel.put(index, text)


def _is_free(host: Kernel, index: int, text: str) -> bool:
    address = text.partition("/")[0]
    return ":" not in text or all(not one.startswith(f"{address}/") for one in host.listing(index))


def lose(world: Agent, data: st.DataObject) -> None:
    """Remove one address of ours, with or without a sign."""
    held = [text for text in world.kernel.listing(ETH0) if text.partition("/")[0] in VIPS]
    if not held:
        return
    text, is_seen = data.draw(st.sampled_from(held)), data.draw(st.booleans())
    if is_seen:
        world.lose(ETH0, text)
    else:
        world.kernel.take(ETH0, text)


def find_duplicates(world: Agent, data: st.DataObject) -> None:
    """Let another host have IPv6 addresses."""
    taken = data.draw(st.sets(st.sampled_from(VIPS[3:])))
    world.kernel.taken = set(service(KEYS[0], *taken).ingress) if taken else set()


def change_claims(world: Agent, data: st.DataObject) -> None:
    """Hear that others took addresses, or that nobody answers for some."""
    found = data.draw(st.sets(st.sampled_from(VIPS)))
    epoch = data.draw(st.integers(1, 3))
    claims = {parse_ip(text): Claim(epoch=epoch, node=B) for text in found}
    silent = frozenset(map(parse_ip, data.draw(st.sets(st.sampled_from(VIPS)))))
    world.facts = replace(world.facts, claims=claims, silent=silent, epoch=epoch)


def change_reach(world: Agent, data: st.DataObject) -> None:
    """Hear others on the wire, or nobody, or stop to listen; lose the API, and a quorum stays."""
    some = st.frozensets(st.sampled_from((B, NodeName("node-z"))))
    reach = Reach(
        has_quorum=data.draw(st.booleans()),
        is_cut_off=data.draw(st.integers(0, 7)) == 0,
        absent=data.draw(some),
        yielding=data.draw(some),
        given_up=data.draw(some),
        heard=data.draw(some),
    )
    lease = world.facts.lease
    if data.draw(st.booleans()):
        lease = step(lease, Kept(world.kernel.now))
    world.facts = replace(
        world.facts,
        lease=lease,
        reach={} if data.draw(st.integers(0, 3)) == 0 else {ETH0: reach},
        has_api=data.draw(st.booleans()),
        is_fresh=data.draw(st.booleans()),
    )


def announce_anew(world: Agent, data: st.DataObject) -> None:
    """Forget some of the announcements."""
    kept = [one for one in world.announced if data.draw(st.booleans())]
    world.announced = frozenset(kept)


OWN_CHANGES: tuple[Change, ...] = (
    change_service,
    change_service,
    show_writes,
    change_endpoints,
    change_stranger,
    change_renewals,
    change_claims,
    lose,
    find_duplicates,
    announce_anew,
)
COMMON_CHANGES: tuple[Change, ...] = (
    change_lease,
    change_members,
    change_config,
    change_pools,
    change_node,
    change_link,
    change_own,
    change_reach,
    change_reach,
)


@st.composite
def calm_worlds(draw: st.DrawFn) -> Agent:
    """Draw a node in good order, alone or with another one."""
    host = Kernel(
        links=(link(), link(ETH1, "eth1", mac=b"\2\0\0\0\0\1")),
        routes=(route(), route(family=Family.IPV6)),
        has_marks=draw(st.booleans()),
        now=NOW,
    )
    for text in (OWN, OWN6, LOCAL6):
        host.put(ETH0, text)
    everybody = draw(st.sampled_from(((member(A),), (member(A),), (member(A), member(B)))))
    known = {one.key: one for one in draw(st.lists(services(), min_size=1, max_size=4))}
    config = draw(st.sampled_from((*CONFIGS[:1], *CONFIGS)))
    renewals: dict[NodeName, Instant] | None = draw(st.sampled_from((None, {}, {})))
    known_to_us = replace(facts(members=everybody), services=known, config=config, renewed=renewals)
    return Agent(kernel=host, facts=known_to_us)


def execute(world: Agent, data: st.DataObject) -> Told:
    """Try operations; sometimes additions fail or the last one is never tried. Return `told`."""
    told, links, broken = world.told, world.kernel.links, data.draw(st.integers(0, 15))
    world.kernel.links = () if broken == 1 else links
    world.execute(world.ops[:-1] if broken == 2 else world.ops)
    world.kernel.links = links
    return told


def assert_planned_as_from_scratch(world: Agent) -> None:
    """Compare the plan with one that looks closely at every address."""
    assert world.seen is not None
    everything = frozenset((*world.desired.vips, *(one.address for one in world.seen.addresses)))
    close = replace(world.desired, restless=everything)
    assert world.ops == plan(close, world.seen, world.kernel.now)


def assert_told_as_from_scratch(world: Agent, told: Told) -> None:
    """Compare what was just told with what is told when every address is looked at."""
    found, electorate = world.reports[-1], world.facts.electorate
    count = len(electorate.members) if electorate is not None else 0
    fresh = report(A, told, replace(world.desired, before=None), world.outcomes, count)
    assert (found.lines, found.notices) == (fresh.lines, fresh.notices)
    assert Counter(found.counts) == Counter(fresh.counts)
    assert (set(found.slots), set(found.overrides)) == (set(fresh.slots), set(fresh.overrides))
    assert found.told == fresh.told


def assert_told_what_is_true(world: Agent, told: Told) -> None:
    """Compare with what follows from all verdicts, and with all writes for all Services."""
    if not world.desired.is_whole:
        return
    after, verdicts = world.told, world.desired.verdicts
    here = {address for address, one in verdicts.items() if isinstance(one, Here)}
    assert after.installed == (told.installed | after.held.keys()) & here
    begun = {o.op.address for o in world.outcomes if isinstance(o.op, Announce)}
    assert after.announced == (told.announced | begun) & after.installed
    vips = world.desired.vips
    assert after.services == {address: vip.keys for address, vip in vips.items()}
    known = {one.key: one for vip in vips.values() for one in vip.services}
    pending = {address for address, one in verdicts.items() if is_pending(one)}
    writes = [write_slots(one, A, after.held, pending) for one in known.values()]
    assert set(world.reports[-1].slots) == set(chain(*writes))


def pass_and_compare(world: Agent, data: st.DataObject) -> None:
    """Make one pass and compare all that comes of it."""
    world.decide()
    assert_memory_changes_nothing(world)
    assert_planned_as_from_scratch(world)
    told = execute(world, data)
    assert_told_as_from_scratch(world, told)
    assert_told_what_is_true(world, told)


@given(world=worlds(), data=st.data())
def test_a_pass_in_a_world_in_disorder_is_like_one_from_scratch(
    world: Agent, data: st.DataObject
) -> None:
    """Leftovers, wrong links, a dead Lease: whatever has changed since the last pass."""
    for _ in range(data.draw(st.integers(1, 8), label="passes")):
        world.kernel.advance(world.kernel.now + data.draw(PAUSES))
        change = data.draw(st.sampled_from((*OWN_CHANGES, *COMMON_CHANGES)))
        change(world, data)
        pass_and_compare(world, data)


@given(world=calm_worlds(), data=st.data())
def test_a_pass_after_a_change_of_single_addresses_is_like_one_from_scratch(
    world: Agent, data: st.DataObject
) -> None:
    """Most passes find little new: states, operations, slots and words are the same."""
    for number in range(data.draw(st.integers(1, 15), label="passes")):
        world.kernel.advance(world.kernel.now + data.draw(PAUSES))
        if number % 3 == 0:
            renewed(world)
        is_rare = data.draw(st.integers(0, 15)) == 0
        for change in data.draw(
            st.lists(st.sampled_from(COMMON_CHANGES if is_rare else OWN_CHANGES), max_size=2)
        ):
            change(world, data)
        pass_and_compare(world, data)
