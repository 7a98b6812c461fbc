"""Who is a member, what the members reach, and who would win: by the node agents' own formula."""

from collections import Counter
from collections.abc import Iterable, Iterator

from nodeagent.core.election import Electorate, members_of
from plugin.core.allocation import pools_of
from plugin.core.coverage import covers, groups_of, local_ranges, network_with, networks
from plugin.core.document import Document
from plugin.core.nodeconfig import Governed, State, governed, in_order
from plugin.core.placing import Placing
from plugin.core.problem import PluginError
from plugin.core.snapshot import NodeLease, Snapshot
from plugin.core.spans import span_text
from plugin.core.verdicts import is_remote, served, slots_of
from purelb.api.addresses import sort_key
from purelb.api.views import is_evacuated

NO_CANDIDATES = "NO CANDIDATES"


class MemberRow(Document, frozen=True):
    """One node with a Lease. `findings` are what its agent says of the host.

    `evacuated`: somebody wants that it announces nothing.
    """

    name: str
    subnets: tuple[str, ...]
    renewed_ago: str
    expires_in: str
    healthy: bool
    announcing: int
    config: Governed
    candidate: bool = True
    findings: int = 0
    evacuated: bool = False


class Coverage(Document, frozen=True):
    """One network, who is in it, and the ranges it has, as `group range`."""

    subnet: str
    nodes: tuple[str, ...]
    pools: tuple[str, ...]


class Uncovered(Document, frozen=True):
    """A local range that no node reaches."""

    service_group: str
    pool: str
    subnet: str


class Moved(Document, frozen=True):
    """One local address and its winner without a node; empty for nobody."""

    service: str
    ip: str
    current_winner: str
    new_winner: str
    subnet: str
    warning: str = ""


class ElectionReport(Document, frozen=True):
    """Members by name, networks by text."""

    nodes: tuple[MemberRow, ...]
    subnet_coverage: tuple[Coverage, ...]
    uncovered_ranges: tuple[Uncovered, ...] = ()
    drain_simulation: tuple[Moved, ...] = ()
    drain_node: str = ""


def report_election(snapshot: Snapshot, node: str = "", drained: str = "") -> ElectionReport:
    """Return all members or one, and what would happen without `drained`.

    Raises PluginError for a node that is no member.
    """
    known = {lease.view.node for lease in snapshot.leases}
    for name in (node, drained):
        if name and name not in known:
            members = ", ".join(sorted(known)) or "none"
            raise PluginError(
                f'node "{name}" has no Lease of a node agent; those that do: {members}'
            )
    leases = sorted(
        (lease for lease in snapshot.leases if node in ("", lease.view.node)),
        key=lambda lease: lease.view.node,
    )
    return ElectionReport(
        nodes=tuple(_members(snapshot, leases)),
        subnet_coverage=tuple(_coverage(snapshot, leases)),
        uncovered_ranges=tuple(_uncovered(snapshot)),
        drain_simulation=tuple(_drain(snapshot, drained)) if drained else (),
        drain_node=drained,
    )


def electorate(leases: Iterable[NodeLease]) -> Electorate:
    """Return the members behind these Leases."""
    return Electorate(members_of([lease.view for lease in leases], None))


def _members(snapshot: Snapshot, leases: Iterable[NodeLease]) -> Iterator[MemberRow]:
    agents = in_order(snapshot.agents)
    labels = {node.metadata.name: node.metadata.labels or {} for node in snapshot.nodes}
    evacuated = {node.metadata.name for node in snapshot.nodes if is_evacuated(node)}
    counts = Counter(
        slot.node
        for service in served(snapshot.services)
        for slot in slots_of(service).values()
        if slot.node in snapshot.healthy
    )
    for lease in leases:
        name = lease.view.node
        yield MemberRow(
            name=name,
            subnets=lease.subnets,
            renewed_ago=renewed_ago(lease, snapshot.now),
            expires_in=_expires_in(lease, snapshot.now),
            healthy=lease.is_healthy(snapshot.now),
            announcing=counts[name],
            config=governed(agents, labels.get(name)),
            candidate=lease.view.is_announcing,
            findings=len(lease.conditions),
            evacuated=name in evacuated,
        )


def renewed_ago(lease: NodeLease, now: float) -> str:
    """Return how long ago a Lease was renewed, a dash for never."""
    return "-" if lease.renewed_at is None else span_text(now - lease.renewed_at)


def _expires_in(lease: NodeLease, now: float) -> str:
    if lease.expires_at is None:
        return "-"
    if now < lease.expires_at:
        return f"in {span_text(lease.expires_at - now)}"
    return f"EXPIRED {span_text(now - lease.expires_at)} ago"


def _coverage(snapshot: Snapshot, leases: Iterable[NodeLease]) -> Iterator[Coverage]:
    nodes: dict[str, list[str]] = {}
    for lease in leases:
        for text in dict.fromkeys(lease.subnets):
            nodes.setdefault(text, []).append(lease.view.node)
    ranges = list(local_ranges(groups_of(pools_of(snapshot))))
    meant = dict(networks(nodes))
    for text in sorted(nodes):
        network = meant.get(text)
        yield Coverage(
            subnet=text,
            nodes=tuple(sorted(nodes[text])),
            pools=tuple(
                f"{one.group} {one.text}"
                for one in ranges
                if network is not None and covers(network, one.addresses)
            ),
        )


def _uncovered(snapshot: Snapshot) -> Iterator[Uncovered]:
    reached = {network for lease in snapshot.leases for network in lease.view.subnets}
    for one in local_ranges(groups_of(pools_of(snapshot))):
        if not any(covers(network, one.addresses) for network in reached):
            yield Uncovered(service_group=one.group, pool=one.text, subnet=one.subnet)


def _drain(snapshot: Snapshot, drained: str) -> Iterator[Moved]:
    # As PureLB has it: over all Leases, expired or not, and without affinity.
    before = electorate(snapshot.leases)
    after = Electorate(member for member in before.members if member.node != drained)
    by_node = {lease.view.node: lease for lease in snapshot.leases}
    placing = Placing(snapshot)
    for service in sorted(served(snapshot.services), key=lambda view: view.key):
        if is_remote(service):
            continue
        for address in sorted(service.ingress, key=sort_key):
            old, _ = placing.winner(before, address)
            new, _ = placing.winner(after, address)
            yield Moved(
                service=service.key,
                ip=str(address),
                current_winner=old.node if old else "",
                new_winner=new.node if new else "",
                subnet=network_with(by_node.get(old.node) if old else None, address),
                warning="" if new else NO_CANDIDATES,
            )


def problems_of(report: ElectionReport) -> list[str]:
    """Return the lines of `--check`, without the all-clear."""
    lines = [
        f"UNHEALTHY: the Lease of node {node.name} is over ({node.expires_in})"
        for node in report.nodes
        if not node.healthy
    ]
    lines += [
        f"INVALID CONFIG: node {node.name} announces nothing: {node.config.reason}"
        for node in report.nodes
        if node.config.state == State.INVALID
    ]
    return lines + [
        f"UNCOVERED: {one.service_group} range {one.pool} (subnet {one.subnet}): no node is in"
        " this network"
        for one in report.uncovered_ranges
    ]
