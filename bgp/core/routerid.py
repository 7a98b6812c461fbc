"""The router ID of this node: given, from a template, from the Node's address, or from its name.

Belongs here: the four sources and what is refused. Does not: when the Node is known.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from bgp.core.findings import Finding
from purelb.api.identifiers import NodeName

DEFAULT_POOL = "10.255.0.0/16"
LONGEST_POOL = 24  # prefix length
LONGEST_TEXT, LONGEST_KEY = 256, 253
INTERNAL, EXTERNAL = "InternalIP", "ExternalIP"
_TEMPLATE = "${"
_ANNOTATION = re.compile(r"\$\{node\.annotations\['([^']*)'\]\}")
_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?")
_ADDRESSES = {"${NODE_IP}": INTERNAL, "${NODE_IPV4}": INTERNAL, "${NODE_EXTERNAL_IP}": EXTERNAL}
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193  # FNV-1a, 32 bits


class Source(StrEnum):
    """Where a router ID comes from; spelled as in status and metrics."""

    EXPLICIT = "explicit"
    TEMPLATE = "template"
    NODE = "node-ipv4"
    HASH = "hash-from-node-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What is known of the own Node; addresses as (type, text), in order.

    `is_evacuated`: somebody wants that traffic goes to other nodes.
    """

    name: NodeName
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[tuple[str, str], ...] = ()
    is_evacuated: bool = False


@dataclass(frozen=True, slots=True)
class RouterId:
    """A router ID and where it is from."""

    address: str
    source: Source


def check_router_id(text: str, pool: str) -> Iterator[Finding]:
    """Yield what is wrong whatever the node."""
    if len(text) > LONGEST_TEXT:
        yield Finding("spec.global.routerID", f"is longer than {LONGEST_TEXT} characters")
    elif text.startswith(_TEMPLATE):
        if text not in _ADDRESSES and _annotation(text) is None:
            known = ", ".join([*_ADDRESSES, "${node.annotations['KEY']}"])
            yield Finding("spec.global.routerID", f"{text!r} is no template; use {known}")
    elif text and (defect := _defect(text)) is not None:
        yield Finding("spec.global.routerID", defect)
    if pool and _pool(pool) is None:
        yield Finding(
            "spec.global.routerIDPool",
            f"{pool!r} is no IPv4 network of length {LONGEST_POOL} or shorter, as {DEFAULT_POOL}",
        )


def resolve(text: str, pool: str, node: NodeFacts) -> RouterId | Finding:
    """Return this node's router ID, or why there is none yet."""
    if text.startswith(_TEMPLATE):
        found = _expand(text, node)
        if isinstance(found, Finding):
            return found
        defect = _defect(found)
        if defect is not None:
            return Finding("spec.global.routerID", f"{text} of this node: {defect}")
        return RouterId(found, Source.TEMPLATE)
    if text:
        return RouterId(text, Source.EXPLICIT)
    if (own := _first(node, INTERNAL)) is not None:
        return RouterId(own, Source.NODE)
    return RouterId(from_name(node.name, pool or DEFAULT_POOL), Source.HASH)


def from_name(name: str, pool: str) -> str:
    """Return an address of the pool that follows from a name; neither its first nor its last."""
    network = IPv4Network(pool, strict=False)
    number = fnv1a(name.encode()) % (network.num_addresses - 2) + 1
    return str(network.network_address + number)


def fnv1a(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash."""
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value


def _expand(text: str, node: NodeFacts) -> str | Finding:
    key = _annotation(text)
    if key is None:
        kind = _ADDRESSES[text]
        found = _first(node, kind)
        if found is None:
            return Finding("spec.global.routerID", f"{text}: the Node has no IPv4 {kind}")
        return found
    value = node.annotations.get(key, "")
    if not value:
        return Finding("spec.global.routerID", f"the Node lacks the annotation {key!r}")
    return value


def _annotation(text: str) -> str | None:
    found = _ANNOTATION.fullmatch(text)
    if found is None or len(found[1]) > LONGEST_KEY or not _KEY.fullmatch(found[1]):
        return None
    return found[1]


def _first(node: NodeFacts, kind: str) -> str | None:
    usable = (text for found, text in node.addresses if found == kind and _defect(text) is None)
    return next(usable, None)


def _defect(text: str) -> str | None:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return f"{text!r} is not an IPv4 address"
    is_broadcast = int(address) == 0xFFFFFFFF
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return f"{text} is no address of a router; use a unicast one"
    if address.is_multicast or is_broadcast:
        return f"{text} is a multicast or broadcast address; use a unicast one"
    return None


def _pool(text: str) -> IPv4Network | None:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        return None
    return network if network.prefixlen <= LONGEST_POOL and "/" in text else None
