"""`doctor`: what keeps nodes from serving, as their agents and the API tell it, with the remedy."""

from collections.abc import Iterator

from plugin.core.components import AGENT, runs
from plugin.core.document import Document
from plugin.core.nodeconfig import State, governed, in_order
from plugin.core.remedies import Remedy, remedy_of
from plugin.core.snapshot import NodeLease, Snapshot
from plugin.core.spans import parse_time, span_text
from purelb.api.identifiers import NodeName
from purelb.api.problems import NoticeType

AHEAD = 5.0  # seconds that a node's clock may be ahead of the API server's before it matters
RESTARTS = 5  # of one container, from which on they are worth a word


class Ailment(Document, frozen=True):
    """One thing that is wrong on a node. `type` is the agent's word, or one of ours."""

    type: str
    subject: str
    severity: str
    message: str
    since: str = ""
    remedy: Remedy | None = None


class Patient(Document, frozen=True):
    """One node; `healthy` without a warning."""

    node: str
    healthy: bool
    findings: tuple[Ailment, ...]


class DoctorReport(Document, frozen=True):
    """All nodes by name."""

    nodes: tuple[Patient, ...]
    warnings: int


def examine(snapshot: Snapshot, only: str = "") -> DoctorReport:
    """Return what is wrong with each node, or with the one of that name."""
    leases = {one.view.node: one for one in snapshot.leases}
    names = {*leases, *(node.metadata.name for node in snapshot.nodes)}
    patients = tuple(
        _patient(snapshot, name, leases.get(NodeName(name)))
        for name in sorted(names)
        if only in ("", name)
    )
    count = sum(
        one.severity == NoticeType.WARNING for patient in patients for one in patient.findings
    )
    return DoctorReport(nodes=patients, warnings=count)


def _patient(snapshot: Snapshot, name: str, lease: NodeLease | None) -> Patient:
    findings = (
        *_pod(snapshot, name),
        *_lease(snapshot, name, lease),
        *_configuration(snapshot, name),
        *_addresses(snapshot, name),
        *_bgp(snapshot, name),
        *(_told(snapshot, lease) if lease is not None else ()),
    )
    healthy = all(one.severity != NoticeType.WARNING for one in findings)
    return Patient(node=name, healthy=healthy, findings=findings)


def _warning(type: str, subject: str, message: str) -> Ailment:
    return Ailment(type=type, subject=subject, severity=NoticeType.WARNING, message=message)


def _pod(snapshot: Snapshot, name: str) -> Iterator[Ailment]:
    if not snapshot.has("pods"):
        return
    pods = [
        pod
        for pod in snapshot.pods
        if pod.spec.node_name == name and any(c.name == AGENT for c in pod.spec.containers or ())
    ]
    if not pods:
        yield _warning(
            "NodeAgent",
            AGENT,
            "no node agent runs on this node, so it announces nothing: look at the DaemonSet's"
            f" nodeSelector and tolerations (kubectl -n {snapshot.namespace} get ds,pods -o wide)",
        )
    for pod in pods:
        if not runs(pod, AGENT):
            yield _warning(
                "NodeAgent",
                pod.metadata.name,
                "the node agent is not ready:"
                f" kubectl -n {snapshot.namespace} logs {pod.metadata.name} -c {AGENT}",
            )
        for status in pod.status.container_statuses or ():
            if status.restart_count >= RESTARTS:
                yield _warning(
                    "Restarts",
                    status.name,
                    f"was restarted {status.restart_count} times:"
                    f" kubectl -n {snapshot.namespace} logs {pod.metadata.name} -c {status.name}"
                    " --previous",
                )


def _lease(snapshot: Snapshot, name: str, lease: NodeLease | None) -> Iterator[Ailment]:
    if lease is None or lease.renewed_at is None or lease.expires_at is None:
        return  # the Pod's finding says it
    if not lease.is_healthy(snapshot.now):
        ago = span_text(snapshot.now - lease.expires_at)
        yield _warning(
            "Lease",
            f"purelb-node-{name}",
            f"is over for {ago}: others take this node's addresses; is it up, and can it reach the"
            " API server?",
        )
    ahead = lease.renewed_at - snapshot.now
    if ahead > AHEAD:
        yield _warning(
            "Clock",
            "time",
            f"this node's clock is {span_text(ahead)} ahead of the API server's: start an NTP"
            " client (timedatectl set-ntp true)",
        )


def _configuration(snapshot: Snapshot, name: str) -> Iterator[Ailment]:
    labels = {node.metadata.name: node.metadata.labels or {} for node in snapshot.nodes}
    found = governed(in_order(snapshot.agents), labels.get(name))
    if found.state in (State.DESELECTED, State.NO_CONFIG, State.REMOTE):
        yield _warning(
            "NotConfigured", found.agent or "LBNodeAgent", f"{found.reason}: it announces nothing"
        )


def _addresses(snapshot: Snapshot, name: str) -> Iterator[Ailment]:
    held = {str(ip): service.key for service in snapshot.services for ip in service.ingress}
    for node in snapshot.nodes:
        if node.metadata.name != name:
            continue
        for entry in node.status.addresses or ():
            if entry.address in held:
                yield _warning(
                    "NodeAddress",
                    entry.address,
                    f"the node's {entry.type} is the address of Service {held[entry.address]}:"
                    " start kubelet with --node-ip=ADDRESS, an address of the node itself",
                )


def _bgp(snapshot: Snapshot, name: str) -> Iterator[Ailment]:
    """Yield what the BGP sidecar of the node says is not as it should be."""
    for node in snapshot.bgp_nodes:
        if node.status.node_name != name:
            continue
        for one in node.status.conditions or ():
            since = parse_time(one.last_transition_time)
            if one.status == "False":
                yield Ailment(
                    type="Bgp",
                    subject=f"{one.type}={one.reason}",
                    severity=NoticeType.WARNING,
                    message=one.message,
                    since=span_text(snapshot.now - since) if since is not None else "",
                )


def _told(snapshot: Snapshot, lease: NodeLease) -> Iterator[Ailment]:
    for one in lease.conditions:
        since = parse_time(one.since)
        yield Ailment(
            type=one.type,
            subject=one.subject,
            severity=one.severity,
            message=one.message,
            since=span_text(snapshot.now - since) if since is not None else "",
            remedy=remedy_of(one.message),
        )
