"""Who answers for an address that another node has, and what is to be told of it. Pure.

A healthy Lease does not prove that an address is served. So the runner-up of each election, its
*witness*, asks for it on the wire as any client would, and expects the holder to answer, alone.
Belongs here: which addresses this node is the witness of, what an answer means, and the words. Does
not: when it is asked (`rota`), sockets (`nodeagent.shell.witness`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nodeagent.core.election import Electorate
from nodeagent.core.findings import Check, Finding
from nodeagent.core.identity import MacBook
from nodeagent.core.links import Nic
from nodeagent.core.verdicts import Away, DesiredState
from purelb.api.addresses import IPAddress, family_of
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import DefaultRoute, Link


class Answer(StrEnum):
    """Who answers for an address, spelled as the label `answer` of the metric."""

    RIGHT = "right"  # the holder alone
    NONE = "none"
    SEVERAL = "several"  # the holder, and others besides
    FOREIGN = "foreign"  # others, and the holder does not


CHECKS = {
    Answer.NONE: Check.NO_ANSWER,
    Answer.SEVERAL: Check.SEVERAL_ANSWERS,
    Answer.FOREIGN: Check.FOREIGN_ANSWER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An address that this node is the witness of.

    `holder` has it, by the election and by its Services' slot. It is asked for on `link`, from this
    node's own address `source`. `gateway` is that of a default route over the link, if there is
    one: it answers where all is well. `services` are those that have the address, sorted.
    """

    address: IPAddress
    link: Link
    holder: NodeName
    source: IPAddress
    gateway: IPAddress | None = None
    services: tuple[ServiceKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """What charges follow from: the last state, the members, and the default routes."""

    state: DesiredState
    electorate: Electorate
    routes: Sequence[DefaultRoute]
    me: NodeName


def charge_of(bench: Bench, address: IPAddress) -> Charge | None:
    """Return the charge of this address, or None if it is not this node's, or not now.

    A slot that names another than the winner means a move: who has it is not settled. Nothing is
    sent where announcements are switched off.
    """
    state = bench.state
    verdict, vip = state.verdicts.get(address), state.vips.get(address)
    if not isinstance(verdict, Away) or verdict.winner is None or verdict.link is None:
        return None
    if vip is None or state.garp is None:
        return None
    slot = vip.slot()
    if slot is None or slot.node != verdict.winner:
        return None
    if bench.electorate.runner_up(address, verdict.winner) != bench.me:
        return None
    nic = next((one for one in state.selection.nics if one.link == verdict.link), None)
    source = _source(nic, address) if nic is not None else None
    if source is None:
        return None
    return Charge(
        address=address,
        link=verdict.link,
        holder=verdict.winner,
        source=source,
        gateway=_gateway(bench.routes, verdict.link, address),
        services=vip.keys,
    )


def answer_of(macs: Collection[bytes], holder: NodeName, book: MacBook) -> Answer:
    """Return what it means that these MACs have answered; all of the holder's are one."""
    known = book.of(holder)
    is_there, others = any(mac in known for mac in macs), any(mac not in known for mac in macs)
    if is_there:
        return Answer.SEVERAL if others else Answer.RIGHT
    return Answer.FOREIGN if others else Answer.NONE


def finding_of(
    charge: Charge, answer: Answer, macs: Collection[bytes], book: MacBook, me: NodeName
) -> Finding:
    """Return what is told of an answer that is not right."""
    known = book.of(charge.holder)
    others = sorted(mac for mac in macs if mac not in known)
    who, holder = " and ".join(_names(others, book)), charge.holder
    match answer:
        case Answer.SEVERAL:
            text = f"node {holder} has this address, and {who} answers for it, too: "
        case Answer.FOREIGN:
            text = f"{who} answers for this address, and node {holder}, which has it, does not: "
        case _:
            text = f"node {holder} has this address, and nobody answers for it: "
    remedy = _remedy(others, book) if others else _remedy_for_silence(charge)
    return Finding(
        check=CHECKS[answer],
        subject=str(charge.address),
        message=f"{text}{remedy} (asked by node {me} on {charge.link.name})",
        services=charge.services,
    )


def _names(macs: Sequence[bytes], book: MacBook) -> Iterator[str]:
    for mac in macs:
        node = book.owner_of(mac)
        yield f"node {node} ({mac.hex(':')})" if node is not None else f"host {mac.hex(':')}"


def _remedy(others: Sequence[bytes], book: MacBook) -> str:
    owners = {book.owner_of(mac) for mac in others}
    parts = []
    if None in owners:
        parts.append("take it from that host, or out of the ServiceGroup")
    if owners - {None}:
        parts.append(
            "take it from that node's interfaces, and set strictARP if kube-proxy is in IPVS mode"
        )
    return "; ".join(parts)


def _remedy_for_silence(charge: Charge) -> str:
    asked = "ARP, arp_ignore" if charge.address.version == 4 else "ICMPv6 neighbor discovery"
    return (
        f"look on {charge.holder} for the interface, a firewall and {asked}, "
        "and for filters in the switches between"
    )


def _source(nic: Nic, address: IPAddress) -> IPAddress | None:
    """Return an own address of the link to ask from, best one in the network of the address.

    A host may answer only whom it would reach over the same link (`rp_filter`, `arp_ignore` 2).
    """
    if address.version == 6:
        return nic.link_local
    network = nic.network_with(address)
    own = [one.address for one in nic.own if one.address.version == 4]
    inside = (one for one in own if network is not None and one in network)
    return next(inside, next(iter(own), None))


def _gateway(routes: Sequence[DefaultRoute], link: Link, address: IPAddress) -> IPAddress | None:
    family = family_of(address)
    for route in routes:
        if (route.index, route.family) == (link.index, family) and route.gateway is not None:
            return route.gateway
    return None
