"""The health of the whole installation on one page."""

from collections.abc import Iterator

from plugin.core.allocation import Allocator
from plugin.core.bgpstate import Bgp, BgpState, bgp_of
from plugin.core.components import AGENT, ALLOCATOR, SIDECAR, component
from plugin.core.document import Document, percent
from plugin.core.nodeconfig import State, governed, in_order
from plugin.core.pools import exhausted, totals
from plugin.core.snapshot import Snapshot
from plugin.core.verdicts import Verdict, is_waiting, served, slots_of, verdict
from purelb.api.addresses import FAMILIES
from purelb.api.problems import NoticeType


class Components(Document, frozen=True):
    """How many Pods of each kind are at work."""

    allocator: str
    lbnodeagent: str
    k8gobgp: str = ""


class Summary(Document, frozen=True):
    """One line."""

    summary: str


class StatusReport(Document, frozen=True):
    """All lines, and whether something is wrong. `findings` are what agents say of their hosts."""

    components: Components
    pools: Summary
    election: Summary
    bgp: Summary
    services: Summary
    overall: str
    warnings: tuple[str, ...] = ()
    findings: int = 0


def report_status(snapshot: Snapshot, allocator: Allocator) -> StatusReport:
    """Return the page."""
    bgp, counts = bgp_of(snapshot), _counts(snapshot, allocator)
    warnings = (
        *_components(snapshot),
        *_pools(allocator),
        *_nodes(snapshot),
        *_bgp(bgp),
        *_services(counts),
    )
    sidecars = component(snapshot.pods, SIDECAR)
    return StatusReport(
        components=Components(
            allocator=component(snapshot.pods, ALLOCATOR).summary,
            lbnodeagent=component(snapshot.pods, AGENT).summary,
            k8gobgp=sidecars.summary if sidecars.pods else "",
        ),
        pools=Summary(summary=_pool_summary(allocator)),
        election=Summary(summary=_election_summary(snapshot)),
        bgp=Summary(summary=bgp.summary),
        services=Summary(summary=_service_summary(snapshot, sum(counts))),
        overall="WARNING" if warnings else "OK",
        warnings=warnings,
        findings=sum(
            finding.severity is NoticeType.WARNING
            for lease in snapshot.leases
            for finding in lease.conditions
        ),
    )


def _components(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.has("pods"):
        return
    for name, container in (("Allocator", ALLOCATOR), ("LBNodeAgent", AGENT)):
        found = component(snapshot.pods, container)
        if not found.pods:
            yield f"{name} not fully ready: there are none in {snapshot.namespace}"
        elif not found.is_whole:
            yield f"{name} not fully ready"


def _pools(allocator: Allocator) -> Iterator[str]:
    if full := exhausted(allocator):
        yield f"{len(full)} pool(s) EXHAUSTED"
    if unusable := allocator.pools.problems:
        yield f"{len(unusable)} ServiceGroup(s) not usable, see pools"


def _pool_summary(allocator: Allocator) -> str:
    parts = []
    for family in FAMILIES:
        total = totals(allocator, family)
        if total.size:
            share = percent(total.used, total.size)
            parts.append(f"{total.used}/{total.size} {family} ({share:.0f}%)")
    full = exhausted(allocator)
    return " | ".join([*parts, f"{len(full)} pool(s) EXHAUSTED" if full else "no pools exhausted"])


def _nodes(snapshot: Snapshot) -> Iterator[str]:
    sick = len(snapshot.leases) - len(snapshot.healthy)
    if sick:
        yield f"{sick} node(s) unhealthy"
    silent = _silent(snapshot)
    if silent[State.DESELECTED]:
        yield f"{silent[State.DESELECTED]} node(s) selected by no LBNodeAgent"
    if silent[State.INVALID]:
        yield f"{silent[State.INVALID]} node(s) with invalid localInterface"


def _silent(snapshot: Snapshot) -> dict[State, int]:
    agents = in_order(snapshot.agents)
    states = [governed(agents, node.metadata.labels or {}).state for node in snapshot.nodes]
    return {state: states.count(state) for state in (State.DESELECTED, State.INVALID)}


def _election_summary(snapshot: Snapshot) -> str:
    subnets = {subnet for lease in snapshot.leases for subnet in lease.subnets}
    healthy, every = len(snapshot.healthy), len(snapshot.leases)
    text = f"{healthy}/{every} nodes healthy | {len(subnets)} subnets covered"
    silent = sum(_silent(snapshot).values())
    return f"{text} | {silent} node(s) announcing nothing" if silent else text


def _bgp(bgp: Bgp) -> Iterator[str]:
    if bgp.state is not BgpState.ACTIVE:
        return
    if bgp.import_failures:
        yield f"{bgp.import_failures} netlinkImport failure(s)"
    if bgp.established < bgp.peers:
        yield f"{bgp.peers - bgp.established} BGP peer(s) down"


def _counts(snapshot: Snapshot, allocator: Allocator) -> tuple[int, int]:
    """Return how many Services wait, and how many addresses nobody announces."""
    is_default = allocator.world.is_default_announcer
    waiting = sum(is_waiting(s, is_default_announcer=is_default) for s in snapshot.services)
    silent = 0
    for service in served(snapshot.services):
        slots = slots_of(service)
        for address in service.ingress:
            silent += verdict(service, slots.get(address), snapshot.healthy) is not Verdict.OK
    return waiting, silent


def _services(counts: tuple[int, int]) -> Iterator[str]:
    waiting, silent = counts
    if waiting:
        yield f"{waiting} service(s) pending"
    if silent:
        yield f"{silent} IP(s) not announced"


def _service_summary(snapshot: Snapshot, problems: int) -> str:
    ours = [service for service in snapshot.services if service.is_branded]
    addresses = sum(len(service.ingress) for service in ours)
    return f"{len(ours)} services, {addresses} IPs | {problems} problem(s)"
