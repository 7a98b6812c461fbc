"""`explain`: the whole chain from a Service's request to the node that answers for its address.

Belongs here: the links of the chain, in order. Each asks the core that decides about it. Does not:
the tables of groups and nodes (`candidates`).
"""

from collections.abc import Iterator
from enum import StrEnum

from allocator.core.request import standing_of
from nodeagent.core.endpoints import LOCAL, may_announce, nodes_of
from plugin.core.allocation import Allocator
from plugin.core.answers import WRONG, heirs, observers, wrong_answers
from plugin.core.candidates import GroupChoice, NodeChoice, group_choices, node_choices
from plugin.core.components import ALLOCATOR, component
from plugin.core.diagnosis import diagnose, told_pending
from plugin.core.document import Document
from plugin.core.inspect import elections
from plugin.core.snapshot import Snapshot
from plugin.core.spans import span_text
from plugin.core.verdicts import Verdict, is_remote, slots_of, verdict
from plugin.core.wire import Event
from purelb.api import annotations
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import NodeName, PoolName
from purelb.api.problems import NoticeType
from purelb.api.views import ServiceView

MOST_EVENTS = 8


class Mark(StrEnum):
    """How a link of the chain is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


class Step(Document, frozen=True):
    """One link of the chain."""

    stage: str
    status: str
    message: str


class Told(Document, frozen=True):
    """One Event about the Service; the time since it came last."""

    ago: str
    type: str
    reason: str
    message: str


class Explanation(Document, frozen=True):
    """The chain, every group and every node with the reason for it, and the last Events.

    `verdict` is the first link that fails, or that none does.
    """

    service: str
    verdict: str
    reachable: bool
    steps: tuple[Step, ...]
    groups: tuple[GroupChoice, ...]
    nodes: tuple[NodeChoice, ...]
    events: tuple[Told, ...] = ()


def explain_service(snapshot: Snapshot, allocator: Allocator, service: ServiceView) -> Explanation:
    """Return the explanation; the snapshot's slices and events are those of this Service."""
    steps = tuple(_steps(snapshot, allocator, service))
    failed = next((step for step in steps if step.status == Mark.FAIL), None)
    shown = ", ".join(str(address) for address in service.ingress)
    return Explanation(
        service=service.key,
        verdict=failed.message if failed else f"as far as the API tells, {shown} answers",
        reachable=failed is None,
        steps=steps,
        groups=tuple(group_choices(allocator, service)),
        nodes=tuple(node_choices(snapshot, service)),
        events=tuple(_events(snapshot)),
    )


def _steps(snapshot: Snapshot, allocator: Allocator, service: ServiceView) -> Iterator[Step]:
    standing = standing_of(service, allocator.world.is_default_announcer)
    if standing is not None and not service.is_branded:
        yield _step("Request", Mark.FAIL, f"PureLB leaves this Service alone: {standing}")
        return
    yield _step("Request", Mark.OK, _request(service))
    yield from _allocator(snapshot)
    if not (service.is_branded and service.ingress):
        found = diagnose(snapshot, allocator, service)
        details = found.details[-1] if found.details else ""
        yield _step("Address", Mark.FAIL, f"{found.reason}; {details}" if details else found.reason)
        return
    for address in sorted(service.ingress, key=sort_key):
        yield _address(allocator, service, address)
    if told := told_pending(service):
        yield _step("Address", Mark.WARN, told)
    yield from _policy(snapshot, service)
    yield from _election(snapshot, service)
    yield from _wire(snapshot, service)
    yield from _announcement(snapshot, service)
    for has_heir, text in heirs(snapshot, service):
        yield _step("Failover", Mark.OK if has_heir else Mark.WARN, text)
    yield from _endpoints(snapshot)


def _step(stage: str, mark: Mark, message: str) -> Step:
    return Step(stage=stage, status=mark, message=message)


def _request(service: ServiceView) -> str:
    keys = service.annotations
    parts = [f"{' and '.join(service.families) or 'any family'}"]
    for name, key in (
        ("from group", annotations.SERVICE_GROUP),
        ("if that is full from", annotations.FALLBACK_GROUPS),
        ("addresses", annotations.ADDRESSES),
        ("sharing key", annotations.SHARING_KEY),
    ):
        if key in keys:
            parts.append(f'{name} "{keys[key]}"')
    if service.lb_class:
        parts.append(f"class {service.lb_class}")
    return f"asks for {', '.join(parts)}"


def _allocator(snapshot: Snapshot) -> Iterator[Step]:
    found = component(snapshot.pods, ALLOCATOR)
    if snapshot.has("pods"):
        mark = Mark.OK if found.running else Mark.FAIL
        text = f"{found.summary}" if found.running else "no allocator runs"
        yield _step("Allocator", mark, f"{text} in {snapshot.namespace}")


def _address(allocator: Allocator, service: ServiceView, address: IPAddress) -> Step:
    origin = service.annotations.get(annotations.ALLOCATED_FROM, "an unknown group")
    pool = allocator.pools.locate(address)
    if pool is not None:
        return _step("Address", Mark.OK, f"{address}, of ServiceGroup {pool.name}")
    named = [allocator.pools.pools.get(PoolName(name)) for name in origin.split(", ")]
    if any(one is not None and one.is_external for one in named):
        return _step("Address", Mark.OK, f"{address}, from the provider of ServiceGroup {origin}")
    if is_remote(service):
        return _step(
            "Address",
            Mark.FAIL,
            f"{address} was given from {origin}, but no ServiceGroup has it any more: nodes"
            " withdraw it; put it back into a group's range",
        )
    return _step(
        "Address",
        Mark.WARN,
        f"{address} was given from {origin}, but no ServiceGroup has it any more; it stays",
    )


def _policy(snapshot: Snapshot, service: ServiceView) -> Iterator[Step]:
    if service.external_policy != LOCAL:
        yield _step("Policy", Mark.OK, f"externalTrafficPolicy {service.external_policy or '-'}")
        return
    if not is_remote(service):
        yield _step("Policy", Mark.WARN, _local_policy(service))
        return
    nodes = nodes_of(snapshot.slices)
    able = [one.view.node for one in snapshot.leases if may_announce(service, one.view.node, nodes)]
    if able:
        yield _step("Policy", Mark.OK, f"Local: announced by {', '.join(sorted(able))}")
    else:
        yield _step(
            "Policy",
            Mark.FAIL,
            "Local, and no node has an endpoint: nobody announces it; start a Pod, or set"
            " externalTrafficPolicy: Cluster",
        )


def _local_policy(service: ServiceView) -> str:
    if annotations.ALLOW_LOCAL in service.annotations:
        return (
            "Local is kept by purelb.io/allow-local: only endpoints on the announcing node get"
            " traffic"
        )
    return "Local is about to become Cluster, because the address is on one node only"


def _election(snapshot: Snapshot, service: ServiceView) -> Iterator[Step]:
    for one in elections(snapshot, service):
        if not one.candidates:
            yield _step(
                "Election",
                Mark.FAIL,
                f"{one.ip}: no node is a candidate; see the nodes below",
            )
            continue
        among = f"of {len(one.candidates)} candidate(s)"
        biased = f" ({one.method})" if one.preferred_nodes else ""
        yield _step("Election", Mark.OK, f"{one.ip}: {one.winner} wins {among}{biased}")


def _wire(snapshot: Snapshot, service: ServiceView) -> Iterator[Step]:
    wrong = list(wrong_answers(snapshot, service))
    for text in wrong:
        yield _step("Wire", Mark.FAIL, text)
    for address, slot, others in observers(snapshot, service) if not wrong else ():
        text = (
            f"no node tells of another answer than {slot.node}'s"
            if others
            else "nobody can tell who answers: no other node is in its network"
        )
        yield _step("Wire", Mark.OK, f"{address}: {text}")


def _announcement(snapshot: Snapshot, service: ServiceView) -> Iterator[Step]:
    slots = slots_of(service)
    winners = {one.ip: one.winner for one in elections(snapshot, service)}
    for address in sorted(service.ingress, key=sort_key):
        slot = slots.get(address)
        found = verdict(service, slot, snapshot.healthy)
        if found is Verdict.NO_ANNOUNCER:
            winner = winners.get(str(address))
            hint = f"; {winner} should: see its Pod's log and doctor" if winner else ""
            yield _step("Announcement", Mark.FAIL, f"{address}: no node announces it{hint}")
        elif found is Verdict.UNHEALTHY and slot is not None:
            yield _step(
                "Announcement",
                Mark.FAIL,
                f"{address}: {slot.node} announced it, but its Lease is over: is the node up?",
            )
        elif slot is None:
            yield _step("Announcement", Mark.OK, f"{address}: on every node")
        else:
            winner = winners.get(str(address), slot.node)
            late = f", although {winner} wins: it is about to move" if winner != slot.node else ""
            mark = Mark.WARN if late else Mark.OK
            yield _step("Announcement", mark, f"{address}: {slot.node} on {slot.link}{late}")
    for node in sorted({slot.node for slot in slots.values() if slot.address in service.ingress}):
        yield from _host(snapshot, node)


def _host(snapshot: Snapshot, node: NodeName) -> Iterator[Step]:
    """Yield what the announcing node's agent says of its host: what the API cannot show."""
    for lease in snapshot.leases:
        if lease.view.node == node:
            for one in lease.conditions:
                if one.severity is NoticeType.WARNING and one.type not in WRONG:
                    yield _step("Host", Mark.WARN, f"{node}: {one.subject}: {one.message}")


def _endpoints(snapshot: Snapshot) -> Iterator[Step]:
    if not snapshot.has("slices"):
        return
    nodes = sorted(node for node in nodes_of(snapshot.slices) if node)
    if any(one.healthy for one in snapshot.slices):
        yield _step("Endpoints", Mark.OK, f"ready on {', '.join(nodes) or 'some node'}")
    else:
        yield _step(
            "Endpoints",
            Mark.FAIL,
            "the address answers, but no Pod does: no endpoint is ready; see the selector and the"
            " Pods of the Service",
        )


def _events(snapshot: Snapshot) -> Iterator[Told]:
    ordered = sorted(snapshot.events, key=Event.at, reverse=True)
    for event in ordered[:MOST_EVENTS]:
        yield Told(
            ago=span_text(snapshot.now - event.at()),
            type=event.type,
            reason=event.reason,
            message=" ".join(event.message.split()),
        )
