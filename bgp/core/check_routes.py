"""Whether import from the kernel, export to it and VRFs of a BGPConfiguration make sense."""

import re
from collections.abc import Iterator, Sequence

from bgp.core import fields
from bgp.core.findings import Finding, remark
from purelb.api.bgp import BgpSpec, ExportRule, VrfExport
from purelb.api.links import LONGEST_NAME

FIRST_FREE_PROTOCOL = 5  # those below are the kernel's and the administrator's (rtnetlink.h)
LOCAL_TABLE = 255  # RT_TABLE_LOCAL: the kernel's own
LONGEST_DAMPENING = 60_000  # milliseconds
_RD = re.compile(r"(\d{1,10}):(\d{1,10})")
_GLOB = re.compile(r"[^/\s:]+")


def check_vrfs(spec: BgpSpec) -> Iterator[Finding]:
    """Yield what is wrong with spec.vrfs."""
    vrfs = spec.vrfs or ()
    yield from fields.names("spec.vrfs[{}].name", [vrf.name for vrf in vrfs])
    for position, vrf in enumerate(vrfs):
        path = f"spec.vrfs[{position}]"
        yield from _check_distinguisher(f"{path}.rd", vrf.rd)
        yield from _check_targets(f"{path}.importRt", vrf.import_rt or ())
        yield from _check_targets(f"{path}.exportRt", vrf.export_rt or ())
        if vrf.rd and vrf.rd in [other.rd for other in vrfs[:position]]:
            yield Finding(f"{path}.rd", f"{vrf.rd} is another VRF's; every VRF needs its own")
        if vrf.netlink_import is not None:
            where = f"{path}.netlinkImport"
            names = vrf.netlink_import.interface_list or ()
            yield from _check_interfaces(where, names, is_on=vrf.netlink_import.enabled)
        if vrf.netlink_export is not None:
            yield from _check_vrf_export(f"{path}.netlinkExport", vrf.netlink_export)


def _check_distinguisher(path: str, text: str) -> Iterator[Finding]:
    if not is_distinguisher(text):
        note = f"{text!r} is no route distinguisher; write it like 65000:1 or 192.0.2.1:1"
        yield Finding(path, note)


def is_distinguisher(text: str) -> bool:
    """Tell whether a text is `ASN:number` or `address:number` (RFC 4364 section 4.2)."""
    first, _, second = text.rpartition(":")
    address = fields.parsed_address(first)
    if address is not None and fields.is_v4(address):
        return second.isascii() and second.isdigit() and int(second) <= fields.LARGEST_U16
    return _is_pair(text)


def _is_pair(text: str) -> bool:
    """Tell whether a text is two numbers that fit, one of them into 16 bits."""
    found = _RD.fullmatch(text)
    if found is None:
        return False
    first, second = int(found[1]), int(found[2])
    if first <= fields.LARGEST_U16:
        return second <= fields.LARGEST_U32
    return first <= fields.LARGEST_U32 and second <= fields.LARGEST_U16


def _check_targets(path: str, texts: Sequence[str]) -> Iterator[Finding]:
    for position, text in enumerate(texts):
        if not _is_pair(text):
            note = f"{text!r} is no route target; write it like 65000:1"
            yield Finding(f"{path}[{position}]", note)


def _check_vrf_export(path: str, export: VrfExport) -> Iterator[Finding]:
    yield from fields.link(f"{path}.linuxVrf", export.linux_vrf)
    yield from _check_table(f"{path}.linuxTableId", export.linux_table_id)
    yield from fields.number(f"{path}.metric", export.metric, 0, fields.LARGEST_U32)
    yield from _check_communities(
        path, export.community_list or (), export.large_community_list or ()
    )


def check_import(spec: BgpSpec) -> Iterator[Finding]:
    """Yield what is wrong with spec.netlinkImport."""
    value = spec.netlink_import
    if value is not None:
        path = "spec.netlinkImport"
        yield from _check_vrf_name(f"{path}.vrf", value.vrf, spec)
        yield from _check_interfaces(path, value.interface_list or (), is_on=value.enabled)


def _check_interfaces(path: str, names: Sequence[str], *, is_on: bool) -> Iterator[Finding]:
    for position, name in enumerate(names):
        is_glob = any(letter in name for letter in "*?[")
        if not _GLOB.fullmatch(name) or (len(name.encode()) > LONGEST_NAME and not is_glob):
            note = f"{name!r} cannot be the name of an interface, nor a pattern of names"
            yield Finding(f"{path}.interfaceList[{position}]", note)
    if is_on and not names:
        note = "is empty: nothing is advertised; list the agents' dummyInterface, kube-lb0"
        yield remark(f"{path}.interfaceList", note)


def check_export(spec: BgpSpec) -> Iterator[Finding]:
    """Yield what is wrong with spec.netlinkExport."""
    value = spec.netlink_export
    if value is None:
        return
    path = "spec.netlinkExport"
    interval = f"{path}.dampeningInterval"
    yield from fields.number(interval, value.dampening_interval, 0, LONGEST_DAMPENING)
    protocol = f"{path}.routeProtocol"
    yield from fields.number(protocol, value.route_protocol, FIRST_FREE_PROTOCOL, 255)
    rules = value.rules or ()
    yield from fields.names(f"{path}.rules[{{}}].name", [rule.name for rule in rules])
    for position, rule in enumerate(rules):
        yield from _check_rule(f"{path}.rules[{position}]", rule)
    if value.enabled and not rules:
        yield remark(f"{path}.rules", "is empty: no route is exported to the kernel; add a rule")


def _check_rule(path: str, rule: ExportRule) -> Iterator[Finding]:
    yield from fields.link(f"{path}.vrf", rule.vrf)
    yield from _check_table(f"{path}.tableId", rule.table_id)
    yield from fields.number(f"{path}.metric", rule.metric, 0, fields.LARGEST_U32)
    yield from _check_communities(path, rule.community_list or (), rule.large_community_list or ())


def _check_table(path: str, number: int) -> Iterator[Finding]:
    if number == LOCAL_TABLE:
        yield Finding(path, f"{LOCAL_TABLE} is the kernel's own table; use another")
    yield from fields.number(path, number, 0, fields.LARGEST_U32)


def _check_vrf_name(path: str, name: str, spec: BgpSpec) -> Iterator[Finding]:
    if name and name not in [vrf.name for vrf in spec.vrfs or ()]:
        yield Finding(path, f"no VRF is called {name!r}; define it in vrfs")


def _check_communities(path: str, texts: Sequence[str], large: Sequence[str]) -> Iterator[Finding]:
    for position, text in enumerate(texts):
        yield from fields.community(f"{path}.communityList[{position}]", text)
    for position, text in enumerate(large):
        yield from fields.large_community(f"{path}.largeCommunityList[{position}]", text)
