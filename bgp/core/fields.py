"""Checks of single fields that several parts of a BGPConfiguration share.

Each yields what is wrong, nothing if all is well.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from bgp.core.findings import Finding, remark
from bgp.core.model import AfiSafi
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.bgp import ApplyPolicy, GracefulRestart, PolicyRefs, SecretKey
from purelb.api.links import is_link_name
from purelb.api.resources import LabelSelector
from purelb.core import selectors

LARGEST_U32 = 0xFFFFFFFF
LARGEST_U16 = 0xFFFF
AS_TRANS = 23456  # RFC 6793: stands for ASNs that do not fit, and is nobody's
LONGEST_KEY = 80  # bytes of a TCP MD5 key (linux/tcp.h: TCP_MD5SIG_MAXKEYLEN)
LONGEST_RESTART = 4095  # seconds; RFC 4724 has twelve bits for it
COMMUNITY = re.compile(r"(\d{1,5}):(\d{1,5})")
LARGE_COMMUNITY = re.compile(r"(\d{1,10}):(\d{1,10}):(\d{1,10})")
WELL_KNOWN = (  # names that gobgpd knows for communities
    "internet",
    "planned-shut",
    "accept-own",
    "no-export",
    "no-advertise",
    "no-export-subconfed",
    "no-peer",
    "blackhole",
)
ACTIONS = ("accept", "reject")


def number(path: str, value: int, least: int, most: int) -> Iterator[Finding]:
    """Check that a number is within inclusive bounds."""
    if not least <= value <= most:
        yield Finding(path, f"{value} is out of range; use {least} to {most}")


def asn(path: str, value: int, *, may_lack: bool = False) -> Iterator[Finding]:
    """Check an autonomous system number; 0 stands for none where it may lack."""
    if value == 0 and may_lack:
        return
    if value == AS_TRANS:
        yield Finding(path, f"{AS_TRANS} is reserved (RFC 6793); use the number of the AS itself")
    else:
        yield from number(path, value, 1, LARGEST_U32)


def address(path: str, text: str) -> Iterator[Finding]:
    """Check an IP address, which may have a zone."""
    if parsed_address(text) is None:
        yield Finding(path, f"{text!r} is not an IP address")


def parsed_address(text: str) -> IPAddress | None:
    """Return an address, its zone with it; None if it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def parsed_prefix(text: str) -> IPNetwork | None:
    """Return a network whose host bits are dropped; None if it is none or lacks its length."""
    if "/" not in text or "%" in text:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def prefix(path: str, text: str) -> Iterator[Finding]:
    """Check a prefix."""
    if parsed_prefix(text) is None:
        yield Finding(path, f"{text!r} is not a prefix; write one like 192.0.2.0/24")


def link(path: str, text: str) -> Iterator[Finding]:
    """Check the name of an interface; empty is none."""
    if text and not is_link_name(text):
        yield Finding(path, f"{text!r} cannot be the name of an interface")


def word(
    path: str, text: str, words: Sequence[str], *, may_lack: bool = False
) -> Iterator[Finding]:
    """Check one of several words."""
    if text not in words and not (may_lack and not text):
        yield Finding(path, f"{text!r} is unknown; use {', '.join(words)}")


def names(path: str, given: Sequence[str]) -> Iterator[Finding]:
    """Check names that must be given and differ; `path` has {} for the position."""
    for position, name in enumerate(given):
        if not name:
            yield Finding(path.format(position), "a name is missing")
        elif name in given[:position]:
            yield Finding(path.format(position), f"{name!r} is there twice; rename one of them")


def selector(path: str, value: LabelSelector | None) -> Iterator[Finding]:
    """Check a label selector."""
    if value is not None and (defect := selectors.defect_of(value)) is not None:
        yield Finding(path, f"{defect}; no node can match")


def password(path: str, text: str, ref: SecretKey | None) -> Iterator[Finding]:
    """Check an MD5 password, or where it is to be read; `path` is that of the config."""
    if ref is not None:
        if not ref.name:
            yield Finding(f"{path}.authPasswordSecretRef.name", "the Secret's name is missing")
        if not ref.key:
            yield Finding(f"{path}.authPasswordSecretRef.key", "the key in the Secret is missing")
    elif (defect := key_defect(text)) is not None:
        yield Finding(f"{path}.authPassword", defect)


def key_defect(text: str) -> str | None:
    """Return why a text cannot be a TCP MD5 key, None if it can; it never shows the text."""
    if len(text.encode()) > LONGEST_KEY:
        return f"is longer than the {LONGEST_KEY} bytes that TCP MD5 has"
    return None


def restart(path: str, value: GracefulRestart | None) -> Iterator[Finding]:
    """Check graceful restart."""
    if value is not None:
        yield from number(f"{path}.restartTime", value.restart_time, 0, LONGEST_RESTART)


def family(text: str) -> AfiSafi | None:
    """Return a family by its name in any case."""
    try:
        return AfiSafi(text.lower())
    except ValueError:
        return None


def family_name(path: str, text: str) -> Iterator[Finding]:
    """Check the name of a family."""
    if family(text) is None:
        yield Finding(path, f"{text!r} is unknown; use {', '.join(AfiSafi)}")


def community(path: str, text: str) -> Iterator[Finding]:
    """Check one community, `number:number` or a well-known name."""
    found = COMMUNITY.fullmatch(text)
    is_right = found is not None and all(int(part) <= LARGEST_U16 for part in found.groups())
    if not is_right and text not in WELL_KNOWN:
        yield Finding(path, f"{text!r} is no community; write two numbers up to 65535: 65000:100")


def large_community(path: str, text: str) -> Iterator[Finding]:
    """Check one large community (RFC 8092)."""
    found = LARGE_COMMUNITY.fullmatch(text)
    if found is None or any(int(part) > LARGEST_U32 for part in found.groups()):
        yield Finding(path, f"{text!r} is no large community; write three numbers: 65000:1:2")


def apply_policy(path: str, value: ApplyPolicy | None, known: set[str]) -> Iterator[Finding]:
    """Check both directions of applyPolicy; `known` are the names of all policies."""
    if value is not None:
        yield from _policy_refs(f"{path}.importPolicy", value.import_policy, known)
        yield from _policy_refs(f"{path}.exportPolicy", value.export_policy, known)


def _policy_refs(path: str, value: PolicyRefs | None, known: set[str]) -> Iterator[Finding]:
    if value is None:
        return
    if value.name and not value.policies:
        yield remark(f"{path}.name", "has no effect: it names no policy; list them in policies")
    yield from word(f"{path}.defaultAction", value.default_action, ACTIONS, may_lack=True)
    for position, name in enumerate(value.policies or ()):
        if name not in known:
            where = f"{path}.policies[{position}]"
            yield Finding(where, f"no policy is called {name!r}; define it in policyDefinitions")


def is_usable_peer(value: IPAddress) -> bool:
    """Tell whether an address can be a neighbor's."""
    return not (value.is_multicast or value.is_unspecified)


def zone_of(value: IPAddress) -> str:
    """Return the zone of an IPv6 address, empty if it has none."""
    return (value.scope_id or "") if isinstance(value, IPv6Address) else ""


def is_v4(value: IPAddress | IPNetwork) -> bool:
    """Tell the family."""
    return isinstance(value, IPv4Address | IPv4Network)


def is_v6(value: IPAddress | IPNetwork) -> bool:
    """Tell the family."""
    return isinstance(value, IPv6Address | IPv6Network)
