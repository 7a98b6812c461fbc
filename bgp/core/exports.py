"""Which learned routes belong into this node's kernel, and what is to be changed there. Pure.

Belongs here: next hops, the difference. Does not: the rules (`exportrules`), asking the kernel for
ways and changing its tables (`shell.exports`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import TypeAlias, TypeVar

from bgp.core.exportrules import Place, Policy, Rule, Source
from bgp.core.model import NO_VRF
from bgp.core.observed import LearnedPath
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.identifiers import LinkName
from purelb.api.links import RouteAnswer, RouteQuery
from purelb.api.routes import Hop, KernelRoute, RouteKey, hop_order

_Key = TypeVar("_Key")
_Paths: TypeAlias = tuple[LearnedPath, ...]

UNREACHABLE = "its next hop cannot be reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What the kernel says of next hops: the way to each, None where there is none.

    `links` are indices by name, for link-local next hops of a neighbor on a link.
    """

    answers: Mapping[RouteQuery, RouteAnswer | None]
    links: Mapping[LinkName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One route that a rule takes: where it belongs, or why it cannot be there.

    `vrf` is the engine's that it is from.
    """

    key: RouteKey
    route: KernelRoute | None
    reason: str = ""
    vrf: str = NO_VRF


@dataclass(frozen=True, slots=True, kw_only=True)
class FibPlan:
    """What to change in the kernel's tables."""

    install: tuple[KernelRoute, ...] = ()
    remove: tuple[KernelRoute, ...] = ()


def place_of(route: KernelRoute) -> Place:
    """Return where a route is."""
    return Place(protocol=route.protocol, table=route.table, metric=route.metric)


class Table:
    """The best paths of every prefix that neighbors sent; several where they share the traffic.

    `paths` by prefix are those outside of VRFs; `labeled` those of VRFs, by distinguisher, too.
    """

    def __init__(self) -> None:
        self.paths: dict[IPNetwork, tuple[LearnedPath, ...]] = {}
        self.labeled: dict[tuple[str, IPNetwork], tuple[LearnedPath, ...]] = {}

    def take(self, batch: Iterable[LearnedPath]) -> bool:
        """Take in what an engine tells; returns whether something has changed.

        All paths to a prefix come in one batch; a withdrawn one says that there is none.
        """
        fresh: dict[tuple[str, IPNetwork], list[LearnedPath]] = {}
        for path in batch:
            known = fresh.setdefault((path.distinguisher, path.prefix), [])
            if path.neighbor and not path.is_withdrawn:
                known.append(replace(path, is_best=True))
        is_changed = False
        for (distinguisher, prefix), paths in fresh.items():
            now = tuple(sorted(paths, key=lambda path: (path.neighbor, path.next_hops)))
            if distinguisher:
                is_changed |= _store(self.labeled, (distinguisher, prefix), now)
            else:
                is_changed |= _store(self.paths, prefix, now)
        return is_changed

    def of(self, source: Source | None) -> Mapping[IPNetwork, Collection[LearnedPath]]:
        """Return the paths of a VRF, or those outside of any, by prefix.

        Of several VRFs' routes to a prefix the own ones count, then those of the least
        distinguisher.
        """
        if source is None:
            return self.paths
        found: dict[IPNetwork, list[LearnedPath]] = {}
        for key in sorted(self.labeled, key=lambda key: (key[0] != source.distinguisher, key[0])):
            paths = [path for path in self.labeled[key] if source.has(path)]
            if paths:
                found.setdefault(key[1], paths)
        return found


def _store(known: dict[_Key, _Paths], key: _Key, now: _Paths) -> bool:
    """Note what a prefix has now; returns whether that is news."""
    if known.get(key, ()) == now:
        return False
    if now:
        known[key] = now
    else:
        del known[key]
    return True


def questions(policy: Policy, table: Table) -> frozenset[RouteQuery]:
    """Return what the kernel must be asked: the ways to all next hops, each in its VRF."""
    return frozenset(
        _question(hop, rule)
        for rule in _active(policy)
        for paths in table.of(rule.source).values()
        for path in paths
        if rule.takes(path)
        for hop in path.next_hops[:1]
        if not hop.is_link_local
    )


def _question(hop: IPAddress, rule: Rule) -> RouteQuery:
    return RouteQuery(to=hop, link=rule.device.index if rule.device is not None else 0)


def _active(policy: Policy) -> Iterator[Rule]:
    return (rule for rule in policy.rules if policy.is_on and rule.is_on)


def exported(policy: Policy, table: Table, ways: Ways) -> tuple[Exported, ...]:
    """Return what belongs into the kernel, by prefix; the first rule of a table and metric counts.

    Rules that follow each other for one prefix are in their own order.
    """
    found: dict[RouteKey, Exported] = {}
    for rule in _active(policy):
        for prefix, paths in table.of(rule.source).items():
            taken = [path for path in paths if rule.takes(path)]
            key = RouteKey(rule.table, prefix, rule.metric_of(prefix))
            if taken and key not in found:
                found[key] = _one(key, taken, policy.protocol, rule, ways)
    return tuple(sorted(found.values(), key=lambda one: _order(one.key.prefix)))


def _one(
    key: RouteKey, taken: Collection[LearnedPath], protocol: int, rule: Rule, ways: Ways
) -> Exported:
    vrf = rule.source.name if rule.source is not None else NO_VRF
    hops = {hop for path in taken for hop in _hops(path, rule, ways)}
    if not hops:
        gateways = ", ".join(sorted({str(hop) for path in taken for hop in path.next_hops[:1]}))
        return Exported(key=key, route=None, reason=f"{UNREACHABLE}: {gateways}", vrf=vrf)
    route = KernelRoute(
        prefix=key.prefix,
        table=key.table,
        metric=key.metric,
        protocol=protocol,
        hops=tuple(sorted(hops, key=hop_order)),
    )
    return Exported(key=key, route=route, vrf=vrf)


def _hops(path: LearnedPath, rule: Rule, ways: Ways) -> Iterator[Hop]:
    """Yield the next hop of a path, if there is a way to it."""
    for hop in path.next_hops[:1]:  # with a second one it is link-local, and the same router
        if isinstance(hop, IPv6Address) and hop.is_link_local:
            _, _, link = path.neighbor.partition("%")
            index = ways.links.get(LinkName(hop.scope_id or link))
            if index is not None:
                yield Hop(IPv6Address(int(hop)), index)
            continue
        answer = ways.answers.get(_question(hop, rule))
        if answer is None:
            continue
        if rule.checks_next_hop and (_leaves(rule, answer) or _is_own_way(path, hop, answer)):
            continue
        # Routers further away are reached by the one that leads there: the kernel wants neighbors.
        yield Hop(answer.gateway or hop, answer.index)


def _leaves(rule: Rule, answer: RouteAnswer) -> bool:
    """Tell whether a way is out of the VRF: what its table has no route for goes on to others."""
    return rule.device is not None and answer.table != rule.device.table


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
