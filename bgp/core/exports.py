"""Which learned routes belong into this node's kernel, and what is to be changed there. Pure.

Belongs here: rules, next hops, the difference. Does not: asking the kernel for ways and changing
its tables (`shell.exports`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from bgp.core.observed import LearnedPath
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.bgp import BgpSpec, ExportRule
from purelb.api.identifiers import LinkName
from purelb.api.links import RouteAnswer
from purelb.api.routes import MAIN_TABLE, Hop, KernelRoute, RouteKey, hop_order

UNREACHABLE = "its next hop cannot be reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which routes go where; without communities all of them. Table numbers are the kernel's."""

    name: str
    table: int
    metric: int
    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    checks_next_hop: bool = True

    def takes(self, path: LearnedPath) -> bool:
        """Tell whether a path has one of the communities asked for, if any are."""
        if not (self.communities or self.large_communities):
            return True
        return not (
            self.communities.isdisjoint(path.communities)
            and self.large_communities.isdisjoint(path.large_communities)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where routes of ours can be; all others are somebody else's."""

    protocol: int
    table: int
    metric: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How learned routes are exported; `dampening` in seconds.

    One that is not on still tells where routes of ours may be left from before.
    """

    protocol: int
    rules: tuple[Rule, ...] = ()
    dampening: float = 0.1
    is_on: bool = True

    @property
    def places(self) -> frozenset[Place]:
        """Where its routes are."""
        return frozenset(
            Place(protocol=self.protocol, table=rule.table, metric=rule.metric)
            for rule in self.rules
        )


OFF = Policy(protocol=0, is_on=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What the kernel says of next hops: the way to each, None where there is none.

    `links` are indices by name, for link-local next hops of a neighbor on a link.
    """

    answers: Mapping[IPAddress, RouteAnswer | None]
    links: Mapping[LinkName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One route that a rule takes: where it belongs, or why it cannot be there."""

    key: RouteKey
    route: KernelRoute | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FibPlan:
    """What to change in the kernel's tables."""

    install: tuple[KernelRoute, ...] = ()
    remove: tuple[KernelRoute, ...] = ()


def export_policy(spec: BgpSpec | None) -> Policy:
    """Return the policy of a configuration."""
    value = spec.netlink_export if spec is not None else None
    if value is None:
        return OFF
    return Policy(
        is_on=value.enabled,
        protocol=value.route_protocol,
        rules=tuple(_rule(rule) for rule in value.rules or () if not rule.vrf),
        dampening=value.dampening_interval / 1000,
    )


def _rule(rule: ExportRule) -> Rule:
    return Rule(
        name=rule.name,
        table=rule.table_id or MAIN_TABLE,
        metric=rule.metric,
        communities=frozenset(rule.community_list or ()),
        large_communities=frozenset(rule.large_community_list or ()),
        checks_next_hop=rule.validate_nexthop,
    )


def place_of(route: KernelRoute) -> Place:
    """Return where a route is."""
    return Place(protocol=route.protocol, table=route.table, metric=route.metric)


class Table:
    """The best paths of every prefix that neighbors sent; several where they share the traffic."""

    def __init__(self) -> None:
        self.paths: dict[IPNetwork, tuple[LearnedPath, ...]] = {}

    def take(self, batch: Iterable[LearnedPath]) -> bool:
        """Take in what an engine tells; returns whether something has changed.

        All paths to a prefix come in one batch; a withdrawn one says that there is none.
        """
        fresh: dict[IPNetwork, list[LearnedPath]] = {}
        for path in batch:
            known = fresh.setdefault(path.prefix, [])
            if path.neighbor and not path.is_withdrawn:
                known.append(replace(path, is_best=True))
        is_changed = False
        for prefix, paths in fresh.items():
            now = tuple(sorted(paths, key=lambda path: (path.neighbor, path.next_hops)))
            if self.paths.get(prefix, ()) == now:
                continue
            is_changed = True
            if now:
                self.paths[prefix] = now
            else:
                self.paths.pop(prefix, None)
        return is_changed

    def next_hops(self) -> frozenset[IPAddress]:
        """Return every next hop that the kernel must know a way to."""
        return frozenset(
            hop
            for paths in self.paths.values()
            for path in paths
            for hop in path.next_hops[:1]
            if not hop.is_link_local
        )


def exported(
    policy: Policy, paths: Mapping[IPNetwork, tuple[LearnedPath, ...]], ways: Ways
) -> tuple[Exported, ...]:
    """Return what belongs into the kernel, by table, prefix and metric; the first rule counts."""
    if not policy.is_on:
        return ()
    found: dict[RouteKey, Exported] = {}
    for prefix in sorted(paths, key=_order):
        for rule in policy.rules:
            taken = [path for path in paths[prefix] if rule.takes(path)]
            key = RouteKey(rule.table, prefix, rule.metric)
            if taken and key not in found:
                found[key] = _one(key, taken, policy.protocol, rule, ways)
    return tuple(found.values())


def _one(
    key: RouteKey, taken: Collection[LearnedPath], protocol: int, rule: Rule, ways: Ways
) -> Exported:
    hops = {hop for path in taken for hop in _hops(path, rule, ways)}
    if not hops:
        gateways = ", ".join(sorted({str(hop) for path in taken for hop in path.next_hops[:1]}))
        return Exported(key=key, route=None, reason=f"{UNREACHABLE}: {gateways}")
    route = KernelRoute(
        prefix=key.prefix,
        table=key.table,
        metric=key.metric,
        protocol=protocol,
        hops=tuple(sorted(hops, key=hop_order)),
    )
    return Exported(key=key, route=route)


def _hops(path: LearnedPath, rule: Rule, ways: Ways) -> Iterator[Hop]:
    """Yield the next hop of a path, if there is a way to it."""
    for hop in path.next_hops[:1]:  # with a second one it is link-local, and the same router
        if isinstance(hop, IPv6Address) and hop.is_link_local:
            _, _, link = path.neighbor.partition("%")
            index = ways.links.get(LinkName(hop.scope_id or link))
            if index is not None:
                yield Hop(IPv6Address(int(hop)), index)
            continue
        answer = ways.answers.get(hop)
        if answer is None or (rule.checks_next_hop and _is_own_way(path, hop, answer)):
            continue
        # Routers further away are reached by the one that leads there: the kernel wants neighbors.
        yield Hop(answer.gateway or hop, answer.index)


def _is_own_way(path: LearnedPath, hop: IPAddress, answer: RouteAnswer) -> bool:
    """Tell whether the way to a next hop may be the very route that is to be installed."""
    return answer.gateway is not None and hop.version == path.prefix.version and hop in path.prefix


def fib_plan(
    wanted: Iterable[Exported], actual: Iterable[KernelRoute], *, keeps_unknown: bool
) -> FibPlan:
    """Return what to change; `keeps_unknown`: routes of before stay while little is known yet.

    All of `actual` are in places of ours: nothing else is ever removed.
    """
    there = {route.key: route for route in actual}
    routes = {one.key: one.route for one in wanted if one.route is not None}
    install = tuple(route for key, route in routes.items() if there.get(key) != route)
    gone = () if keeps_unknown else tuple(there[key] for key in there if key not in routes)
    return FibPlan(install=install, remove=gone)


def _order(prefix: IPNetwork) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen
