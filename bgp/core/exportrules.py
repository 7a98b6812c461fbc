"""Which learned routes are to go where: the configuration's rules, seen from this node. Pure.

Belongs here: spec.netlinkExport and netlinkExport of VRFs, and the VRFs that this node's kernel has
or lacks. Does not: whether the fields make sense at all (`check_routes`), routes (`exports`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bgp.core.findings import Finding, remark
from bgp.core.observed import LearnedPath
from purelb.api.addresses import IPNetwork
from purelb.api.bgp import BgpSpec, ExportRule, NetlinkExport, Vrf, VrfExport
from purelb.api.identifiers import LinkName
from purelb.api.links import Link
from purelb.api.routes import MAIN_TABLE

DEFAULT_METRIC = 20  # of a VRF's routes
IPV6_METRIC = 1024  # what the kernel makes of 0 for IPv6 (IP6_RT_PRIO_USER, linux/ipv6_route.h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A VRF of the kernel: the index of its link, and its table."""

    index: int
    table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The VRF of the engine that routes are from.

    It has those that its own neighbors sent, and those of other VRFs with a target that it imports
    (RFC 4364 section 4.3.1).
    """

    name: str
    distinguisher: str
    targets: frozenset[str] = frozenset()

    def has(self, path: LearnedPath) -> bool:
        """Tell whether a path is in it."""
        is_own = path.distinguisher == self.distinguisher
        return is_own or not self.targets.isdisjoint(path.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which routes go where; without communities all of them. Table numbers are the kernel's.

    `source` is where they are from, None: outside of VRFs. By `device`'s table their next hops are
    looked for, without it by the host's own ones.
    """

    name: str
    table: int
    metric: int
    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    checks_next_hop: bool = True
    source: Source | None = None
    device: Device | None = None
    is_on: bool = True

    def takes(self, path: LearnedPath) -> bool:
        """Tell whether a path has one of the communities asked for, if any are."""
        if not (self.communities or self.large_communities):
            return True
        return not (
            self.communities.isdisjoint(path.communities)
            and self.large_communities.isdisjoint(path.large_communities)
        )

    def metric_of(self, prefix: IPNetwork) -> int:
        """Return the metric that a route of it has in the kernel."""
        return self.metric or (IPV6_METRIC if prefix.version == 6 else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where routes of ours can be; all others are somebody else's."""

    protocol: int
    table: int
    metric: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How learned routes are exported; `dampening` in seconds.

    One that is not on, as a rule that is not, still tells where routes of ours may be left from
    before. `lacking` are exports that have no place, because this node has no such VRF; None where
    no VRF is meant. `remarks` are about VRFs that are not as they seem.
    """

    protocol: int
    rules: tuple[Rule, ...] = ()
    dampening: float = 0.1
    is_on: bool = True
    lacking: tuple[Finding, ...] | None = None
    remarks: tuple[Finding, ...] = ()

    @property
    def places(self) -> frozenset[Place]:
        """Where its routes are."""
        return frozenset(
            Place(protocol=self.protocol, table=rule.table, metric=metric)
            for rule in self.rules
            for metric in ({rule.metric} if rule.metric else {0, IPV6_METRIC})
        )


OFF = Policy(protocol=0, is_on=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A rule before it is known where this node has its VRF; `vrf` and `number` as configured.

    `vrf_field` and `table_field` are paths in the configuration.
    """

    rule: Rule  # without its table and device
    vrf: str
    number: int
    vrf_field: str
    table_field: str


def export_policy(spec: BgpSpec | None, links: Iterable[Link]) -> Policy:
    """Return the policy of a configuration on a node with these links."""
    if spec is None:
        return OFF
    section = spec.netlink_export
    wishes = (*_rule_wishes(section), *_vrf_wishes(spec.vrfs or ()))
    if section is None and not wishes:
        return OFF
    values = section or NetlinkExport()  # its defaults hold for VRFs, too
    devices = {
        link.name: Device(index=link.index, table=link.table) for link in links if link.table
    }
    wanted = [wish for wish in wishes if wish.rule.is_on and wish.vrf]
    return Policy(
        is_on=values.enabled or any(wish.rule.is_on for wish in wishes),
        protocol=values.route_protocol,
        rules=tuple(rule for wish in wishes if (rule := _placed(wish, devices)) is not None),
        dampening=values.dampening_interval / 1000,
        lacking=tuple(_lacking(wanted, devices)) if wanted else None,
        remarks=tuple(_remarks(wanted, devices)),
    )


def _rule_wishes(section: NetlinkExport | None) -> Iterator[_Wish]:
    """Yield the rules for routes outside of VRFs; their VRF is where they go."""
    if section is None:
        return
    for position, entry in enumerate(section.rules or ()):
        path = f"spec.netlinkExport.rules[{position}]"
        yield _Wish(
            rule=_rule(entry.name, entry.metric, entry, is_on=section.enabled),
            vrf=entry.vrf,
            number=entry.table_id,
            vrf_field=f"{path}.vrf",
            table_field=f"{path}.tableId",
        )


def _vrf_wishes(vrfs: Iterable[Vrf]) -> Iterator[_Wish]:
    """Yield the rules for routes of VRFs."""
    for position, vrf in enumerate(vrfs):
        export = vrf.netlink_export
        if export is None:
            continue
        path = f"spec.vrfs[{position}].netlinkExport"
        source = Source(
            name=vrf.name,
            distinguisher=plain(vrf.rd),
            targets=frozenset(plain(text) for text in vrf.import_rt or ()),
        )
        metric = export.metric or DEFAULT_METRIC
        yield _Wish(
            rule=_rule(f"vrf:{vrf.name}", metric, export, is_on=export.enabled, source=source),
            vrf=export.linux_vrf or vrf.name,
            number=export.linux_table_id,
            vrf_field=f"{path}.linuxVrf",
            table_field=f"{path}.linuxTableId",
        )


def _rule(
    name: str,
    metric: int,
    entry: ExportRule | VrfExport,
    *,
    is_on: bool,
    source: Source | None = None,
) -> Rule:
    return Rule(
        name=name,
        table=MAIN_TABLE,
        metric=metric,
        communities=frozenset(entry.community_list or ()),
        large_communities=frozenset(entry.large_community_list or ()),
        checks_next_hop=entry.validate_nexthop,
        source=source,
        is_on=is_on,
    )


def _placed(wish: _Wish, devices: Mapping[LinkName, Device]) -> Rule | None:
    """Return a rule with its table, None where this node has none for it."""
    device = devices.get(LinkName(wish.vrf))
    own = MAIN_TABLE if not wish.vrf else device.table if device is not None else 0
    table = wish.number or own
    return replace(wish.rule, table=table, device=device) if table else None


def _lacking(wishes: Iterable[_Wish], devices: Mapping[LinkName, Device]) -> Iterator[Finding]:
    for wish in wishes:
        if _placed(wish, devices) is None:
            note = (
                f"this node's kernel has no VRF {wish.vrf!r}: nothing is exported to it; make one "
                f"(ip link add {wish.vrf} type vrf table N), or set "
                f"{wish.table_field.rpartition('.')[2]}"
            )
            yield remark(wish.vrf_field, note)


def _remarks(wishes: Iterable[_Wish], devices: Mapping[LinkName, Device]) -> Iterator[Finding]:
    for wish in wishes:
        device = devices.get(LinkName(wish.vrf))
        if not wish.number:
            continue
        if device is None:
            note = (
                f"this node's kernel has no VRF {wish.vrf!r}: table {wish.number} is filled, with "
                "next hops as the host itself reaches them"
            )
            yield remark(wish.vrf_field, note)
        elif device.table != wish.number:
            note = f"{wish.number} is not the table of VRF {wish.vrf}, which is {device.table}"
            yield remark(wish.table_field, note)


def plain(text: str) -> str:
    """Return a distinguisher or target as the engine tells it: without leading zeros."""
    admin, _, number = text.rpartition(":")
    return f"{admin if '.' in admin else int(admin)}:{int(number)}"
