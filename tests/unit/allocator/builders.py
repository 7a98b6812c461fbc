"""Values for the allocator's tests, and a cluster small enough to read.

`Cluster` keeps Services as JSON, applies the patches the core asks for under the API server's rules
(versions, cleared status), and hands them back through the real decoder and view.
"""

import json
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any

from allocator.core.answers import read_answer, refused_answer
from allocator.core.asks import Answer, Ask
from allocator.core.decide import Decision, World, decide
from allocator.core.guards import NO_GUARDS, Guards
from allocator.core.ledger import Ledger
from allocator.core.pools import GroupView, PoolSet, build_pools
from allocator.core.report import Writes, writes_of
from allocator.core.rests import Rest, rests_of
from allocator.core.statements import Statement
from purelb.api.addresses import Family, IPAddress, IPNetwork, parse_network
from purelb.api.groups import GroupKind, RangeEntry
from purelb.api.identifiers import NodeName, PoolName, ServiceKey, Uid, service_key
from purelb.api.resources import decode_service
from purelb.api.views import ServiceView, view_service

INSTALL = "purelb-system"
V4, V6 = Family.IPV4, Family.IPV6
BRANDED = {"purelb.io/allocated-by": "PureLB"}
OWNED = {
    **BRANDED,
    "purelb.io/allocated-from": "default",
    "purelb.io/pool-type": "local",
}


def ips(*texts: str) -> tuple[IPAddress, ...]:
    """Parse addresses."""
    return tuple(ip_address(text) for text in texts)


def entry(text: str, subnet: str = "", aggregation: str = "default") -> RangeEntry:
    """Build one typed range; its subnet is itself or, for from-to, the widest network."""
    wide = "::/0" if ":" in text else "0.0.0.0/0"
    return RangeEntry(
        family=V6 if ":" in text else V4,
        text=text,
        subnet=subnet or (wide if "-" in text else text),
        aggregation=aggregation,
    )


def group(name: str, *ranges: str | RangeEntry, **fields: object) -> GroupView:
    """Build a local ServiceGroup in the install namespace; IPv4 comes first, as on the wire."""
    entries = [entry(found) if isinstance(found, str) else found for found in ranges]
    entries.sort(key=lambda found: found.family)
    values: dict[str, Any] = {
        "namespace": INSTALL,
        "name": PoolName(name),
        "uid": Uid(f"uid-{name}"),
        "kind": GroupKind.LOCAL,
        "entries": tuple(entries),
        **fields,
    }
    return GroupView(**values)


def external(name: str, **fields: object) -> GroupView:
    """Build a ServiceGroup of an external provider."""
    values: dict[str, object] = {"provider": "netbox", "announce": "local", **fields}
    return group(name, kind=GroupKind.EXTERNAL, **values)


def pools(*groups: GroupView, guards: Guards = NO_GUARDS) -> PoolSet:
    """Validate groups."""
    return build_pools(groups, INSTALL, guards)


def reasons(decision: Decision) -> list[str]:
    """Return the reasons of a decision's notices."""
    return [notice.reason for notice in decision.report.notices]


class ConflictError(Exception):
    """The object has another version than the write names."""


class Cluster:
    """The API server's Services, and the ledger of one allocator that reads and writes them.

    `create`, `edit` and `delete` are the users' and other controllers' acts; each marks the Service
    dirty, as a watch would. `converge` is the allocator's loop.
    """

    def __init__(
        self,
        *groups: GroupView,
        is_default_announcer: bool = True,
        active_subnets: Collection[str] = (),
    ) -> None:
        self.pools = pools(*groups)
        self.is_default_announcer = is_default_announcer
        self.active_subnets: frozenset[IPNetwork] = frozenset(map(parse_network, active_subnets))
        self.departed: frozenset[NodeName] = frozenset()
        self.answers: dict[ServiceKey, Answer] = {}
        self.statements: Mapping[IPAddress, Statement] | None = None
        self.ledger = Ledger()
        self.now = 1000.0
        self.rests: list[Rest] = []  # all there ever were; a restart does not forget them
        self.objects: dict[ServiceKey, dict[str, Any]] = {}
        self.services: dict[ServiceKey, ServiceView] = {}
        self.dirty: dict[ServiceKey, None] = {}
        self.writes = 0
        self._version = 0
        self._uid = 0

    @property
    def world(self) -> World:
        """What the core is shown."""
        return World(
            services=self.services,
            pools=self.pools,
            is_default_announcer=self.is_default_announcer,
            active_subnets=self.active_subnets,
            departed=self.departed,
            answers=self.answers,
            statements=self.statements,
        )

    def asked(self, key: ServiceKey) -> Ask | None:
        """Return what a Service would ask of a provider now."""
        return self.decide(key).report.ask

    def reply(self, key: ServiceKey, *texts: str) -> None:
        """Let the provider answer what the Service asks; look at it again."""
        ask = self.asked(key)
        assert ask is not None
        self.answers[key] = read_answer(ask, texts, self.pools.pools[ask.pool])
        self.dirty.setdefault(key)

    def fail(self, key: ServiceKey, status: str, message: str = "") -> None:
        """Let the provider refuse what the Service asks; look at it again."""
        ask = self.asked(key)
        assert ask is not None
        self.answers[key] = refused_answer(ask, status, message, self.pools.pools[ask.pool])
        self.dirty.setdefault(key)

    def create(
        self,
        name: str,
        *,
        families: Collection[Family] = (V4,),
        annotations: Mapping[str, str] | None = None,
        ports: Collection[str] = ("TCP/80",),
        ingress: Collection[str] = (),
        **spec: object,
    ) -> ServiceKey:
        """Create a Service; `name` may have a namespace in front, `spec` adds to its spec."""
        namespace, _, plain = name.rpartition("/")
        self._uid += 1
        body = {
            "metadata": {
                "namespace": namespace or "shop",
                "name": plain,
                "uid": f"uid-{self._uid}",
                "creationTimestamp": f"2026-01-01T00:00:{self._uid:06d}Z",
                "annotations": dict(annotations or {}),
            },
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.96.0.1",
                "ipFamilies": list(families),
                "ports": [_port(text) for text in ports],
                **spec,
            },
            "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ingress]}},
        }
        key = service_key(namespace or "shop", plain)
        self._store(key, body)
        return key

    def edit(
        self,
        key: ServiceKey,
        *,
        annotations: Mapping[str, str | None] | None = None,
        spec: Mapping[str, object] | None = None,
        ports: Collection[str] | None = None,
        ingress: Collection[str] | None = None,
    ) -> None:
        """Merge annotations and spec, replace ports and ingress; None in a map removes."""
        body: Any = json.loads(json.dumps(self.objects[key]))
        body = merged(body, {"metadata": {"annotations": dict(annotations or {})}})
        body = merged(body, {"spec": dict(spec or {})})
        if ports is not None:
            body["spec"]["ports"] = [_port(text) for text in ports]
        if ingress is not None:
            body["status"] = {"loadBalancer": {"ingress": [{"ip": ip} for ip in ingress]}}
        if body["spec"]["type"] != "LoadBalancer":  # as the API server does
            body["spec"].pop("loadBalancerClass", None)
            body["status"] = {"loadBalancer": {}}
        self._store(key, body)

    def delete(self, key: ServiceKey) -> None:
        """Delete a Service."""
        self._let_rest(self.services[key], None)
        del self.objects[key], self.services[key]
        self.dirty.setdefault(key)

    def decide(self, key: ServiceKey) -> Decision:
        """Decide about one Service without committing."""
        return decide(self.world, self.ledger, key)

    def commit(self, key: ServiceKey) -> Decision:
        """Decide and commit; those woken are dirty now, before everybody else."""
        decision = self.decide(key)
        woken = self.ledger.commit(decision)
        self.dirty = dict.fromkeys([*woken, *self.dirty])
        return decision

    def write(self, decision: Decision) -> None:
        """Apply a decision's patches; raises ConflictError if the Service has moved on."""
        writes: Writes = writes_of(decision, "2026-01-01T00:00:00Z")
        named = None
        for patch in (writes.spec, writes.status):
            if patch is None:
                continue
            self.writes += 1
            body = self.objects.get(decision.key)
            # The second patch goes to the version that the first one made.
            named = named or patch["metadata"]["resourceVersion"]
            if body is None or body["metadata"]["resourceVersion"] != named:
                raise ConflictError(decision.key)
            # A JSON round trip: what is sent must be JSON, and nothing may be shared.
            self._store(decision.key, merged(body, json.loads(json.dumps(patch))))
            named = self.objects[decision.key]["metadata"]["resourceVersion"]

    def step(self, key: ServiceKey) -> Decision:
        """Decide, commit and write."""
        decision = self.commit(key)
        self.write(decision)
        return decision

    def converge(self, limit: int = 10_000) -> list[Decision]:
        """Work until no Service is dirty; a loop that does not end is a failure."""
        decisions = []
        while self.dirty:
            key = next(iter(self.dirty))
            del self.dirty[key]
            decisions.append(self.step(key))
            if len(decisions) > limit:
                raise AssertionError(f"no end after {limit} decisions, the last: {decisions[-1]}")
        return decisions

    def restart(self) -> None:
        """Lose all memory, adopt what the Services show, and mark them all, oldest first."""
        self.ledger = Ledger()
        for rest in self.rests:
            if rest.until > self.now:
                self.ledger.rest(rest)
        ordered = sorted(self.services.values(), key=lambda view: (view.created, view.key))
        for view in ordered:
            self.ledger.adopt(view)
        self.dirty = dict.fromkeys(view.key for view in ordered)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and with it rests of addresses."""
        self.now += seconds
        self.dirty = dict.fromkeys([*self.ledger.end_rests(self.now), *self.dirty])

    def ingress(self, key: ServiceKey) -> tuple[str, ...]:
        """Return the addresses a Service shows."""
        return tuple(str(address) for address in self.services[key].ingress)

    def annotations(self, key: ServiceKey) -> dict[str, str]:
        """Return all annotations of a Service."""
        return dict(self.objects[key]["metadata"].get("annotations") or {})

    def _store(self, key: ServiceKey, body: dict[str, Any]) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.objects[key] = body
        view = view_service(decode_service(json.dumps(body)))
        if (old := self.services.get(key)) is not None:
            self._let_rest(old, view)
        self.services[key] = view
        self.dirty.setdefault(key)

    def _let_rest(self, old: ServiceView, new: ServiceView | None) -> None:
        for rest in rests_of(old, new, self.pools, self.now):
            self.rests.append(rest)
            self.ledger.rest(rest)


def merged(target: object, patch: dict[str, Any]) -> dict[str, Any]:
    """Apply a merge patch (RFC 7386); resourceVersion is a condition and not merged."""
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key == "resourceVersion":
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value) if isinstance(value, dict) else value
    return result


def _port(text: str) -> dict[str, Any]:
    protocol, _, number = text.partition("/")
    return {"protocol": protocol, "port": int(number)}
