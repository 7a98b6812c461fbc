"""The sidecar's series: names and labels are those of k8gobgp, a contract with dashboards.

Two names that end in `_total` are gauges, as they always were.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bgp.core.model import AfiSafi
from bgp.core.observed import SessionFacts, SessionState
from bgp.core.routerid import RouterId, Source
from purelb.api.bgp import BgpConfiguration, BgpSpec
from purelb.api.identifiers import NodeName
from purelb.runtime.metrics import (
    Collector,
    CollectorRegistry,
    Counter,
    CounterMetricFamily,
    GaugeMetricFamily,
    Histogram,
    Metric,
)

PREFIX = "k8gobgp"
OBJECT = ("name", "namespace")
SLOW = (0.1, 0.5, 1, 2, 5, 10, 30)  # seconds
_FAMILIES = {
    AfiSafi.IPV4: "ipv4_unicast",
    AfiSafi.IPV6: "ipv6_unicast",
    AfiSafi.EVPN: "l2vpn_evpn",
}
_CONFIGURED: Mapping[str, tuple[str, Callable[[BgpSpec], int]]] = {
    "neighbors": ("Neighbors", lambda spec: len(spec.neighbors or ())),
    "peer_groups": ("Peer groups", lambda spec: len(spec.peer_groups or ())),
    "dynamic_neighbors": ("Dynamic neighbors", lambda spec: len(spec.dynamic_neighbors or ())),
    "vrfs": ("VRFs", lambda spec: len(spec.vrfs or ())),
    "policies": ("Policies", lambda spec: len(spec.policy_definitions or ())),
    "defined_sets": ("Defined sets", lambda spec: len(spec.defined_sets or ())),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the gauges show; `ready` are the objects without a fatal finding, by name."""

    node: NodeName
    endpoint: str
    objects: tuple[BgpConfiguration, ...] = ()
    ready: frozenset[str] = frozenset()
    is_engine_up: bool = False
    sessions: tuple[SessionFacts, ...] = ()
    counts: Mapping[AfiSafi, int] = field(default_factory=dict)
    router_id: RouterId | None = None
    asn: int = 0
    writes: Mapping[str, int] = field(default_factory=dict)
    written_at: float = 0.0  # wall clock
    size: int = 0
    tells_neighbors: bool = False
    most_neighbors: int = 200


class BgpMetrics:
    """All series of the process but its own figures."""

    def __init__(self, registry: CollectorRegistry, snapshot: Callable[[], Snapshot]) -> None:
        self._registry = registry
        self.reconciles = self._counter(
            "reconcile_total", "Passes that changed something, or could not", *OBJECT, "result"
        )
        self.reconcile_seconds = self._histogram(
            "reconcile_duration_seconds", "Time of a pass", _doubled(0.001, 15), *OBJECT
        )
        self.connection_errors = self._counter(
            "gobgpd_connection_errors_total", "Calls without an answer of the engine", "endpoint"
        )
        self.cleanup_retries = self._counter(
            "cleanup_retries_total", "Removals that had to be tried again", *OBJECT
        )
        self.cleanup_seconds = self._histogram(
            "cleanup_duration_seconds", "Time to end all sessions", _doubled(0.01, 10), *OBJECT
        )
        self.collection_seconds = self._histogram(
            "metrics_collection_duration_seconds", "Time of a look at sessions and tables", SLOW
        )
        self.collection_errors = self._counter("metrics_collection_errors_total", "Failed looks")
        self.collection_skipped = self._counter(
            "metrics_collection_skipped_total", "Looks left out for want of an engine"
        )
        self.resolutions = self._counter(
            "router_id_resolution_total", "Router IDs found, or found missing", "result"
        )
        self.resolution_seconds = self._histogram(
            "router_id_resolution_duration_seconds",
            "Time to find the router ID",
            _doubled(0.001, 12),
        )
        self.status_seconds = self._histogram(
            "nodestatus_collection_duration_seconds", "Time to put the status together", SLOW
        )
        registry.register(_Gauges(snapshot))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self._registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self._registry)


def _doubled(first: float, count: int) -> tuple[float, ...]:
    return tuple(first * 2**power for power in range(count))


class _Gauges(Collector):
    """Computed at each scrape."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._cut = 0

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        yield from _objects(now)
        yield _gauge(
            "gobgpd_connection_status",
            "1 while the engine answers",
            ("endpoint",),
            [((now.endpoint,), now.is_engine_up)],
        )
        counts = [((_FAMILIES[family],), count) for family, count in now.counts.items()]
        yield _gauge("rib_route_count", "Prefixes in the table", ("family",), counts)
        yield from _totals(now.sessions)
        yield from self._neighbors(now)
        yield from _router_id(now)
        yield from _status(now)

    def _neighbors(self, now: Snapshot) -> Iterator[Metric]:
        sessions = now.sessions if now.tells_neighbors else ()
        self._cut += len(sessions) > now.most_neighbors
        for name, kind in (
            ("received", "received"),
            ("accepted", "accepted"),
            ("advertised", "advertised"),
        ):
            yield _gauge(
                f"neighbor_routes_{name}",
                f"Routes {name}, of each neighbor",
                ("neighbor", "family"),
                [
                    ((one.address, _FAMILIES[count.family]), getattr(count, kind))
                    for one in sessions[: now.most_neighbors]
                    for count in one.counts
                    if count.family is not None
                ],
            )
        text = "Scrapes that did not show all neighbors"
        yield CounterMetricFamily(
            f"{PREFIX}_metrics_cardinality_limit_hit_total", text, value=self._cut
        )


def _objects(now: Snapshot) -> Iterator[Metric]:
    labels = {one: (one.metadata.name, one.metadata.namespace) for one in now.objects}
    for name, (text, count) in _CONFIGURED.items():
        values = [(labels[one], count(one.spec)) for one in now.objects]
        yield _gauge(f"{name}_configured", f"{text} in the BGPConfiguration", OBJECT, values)
    up = {one.address for one in now.sessions if one.is_up}
    yield _gauge(
        "neighbors_established",
        "Neighbors of the BGPConfiguration whose session is up",
        OBJECT,
        [(labels[one], _established(one.spec, up)) for one in now.objects],
    )
    yield _gauge(
        "configuration_ready",
        "1 for a BGPConfiguration that is used as it is",
        OBJECT,
        [(labels[one], one.metadata.name in now.ready) for one in now.objects],
    )


def _established(spec: BgpSpec, up: set[str]) -> int:
    """Count entries whose address, or link of an unnumbered session, has a session that is up."""
    links = {address.partition("%")[2] for address in up}
    return sum(
        one.config.neighbor_interface in links
        if one.config.neighbor_interface
        else one.config.neighbor_address in up
        for one in spec.neighbors or ()
    )


def _totals(sessions: tuple[SessionFacts, ...]) -> Iterator[Metric]:
    idle = (SessionState.IDLE, SessionState.UNKNOWN)
    for name, text, value in (
        ("neighbors_total", "Sessions there are", len(sessions)),
        ("neighbors_established_total", "Sessions that are up", sum(s.is_up for s in sessions)),
        (
            "neighbors_active",
            "Sessions that are being tried",
            sum(not s.is_up and s.state not in idle for s in sessions),
        ),
        ("neighbors_idle", "Sessions at rest", sum(s.state in idle for s in sessions)),
        ("routes_received_total", "Routes received", _sum(sessions, "received")),
        ("routes_accepted_total", "Routes accepted", _sum(sessions, "accepted")),
        ("routes_advertised_total", "Routes advertised", _sum(sessions, "advertised")),
    ):
        yield _gauge(name, text, (), [((), value)])


def _sum(sessions: tuple[SessionFacts, ...], kind: str) -> int:
    return sum(session.total(kind) for session in sessions if session.is_up)


def _router_id(now: Snapshot) -> Iterator[Metric]:
    source = now.router_id.source if now.router_id is not None else None
    values: list[tuple[tuple[str, ...], float]] = [((one.value,), one is source) for one in Source]
    yield _gauge("router_id_source", "1 for where the router ID is from", ("source",), values)
    labels = ("router_id", "source", "node", "asn")
    info: list[tuple[tuple[str, ...], float]] = []
    if now.router_id is not None:
        found = now.router_id
        info.append(((found.address, found.source.value, now.node, str(now.asn)), 1))
    yield _gauge("router_id_info", "The router ID", labels, info)


def _status(now: Snapshot) -> Iterator[Metric]:
    writes = CounterMetricFamily(
        f"{PREFIX}_nodestatus_write_total", "Writes of the BGPNodeStatus", labels=("result",)
    )
    for result in ("success", "error", "skipped"):
        writes.add_metric((result,), now.writes.get(result, 0))
    yield writes
    yield _gauge(
        "nodestatus_last_successful_write_timestamp",
        "When the BGPNodeStatus was written last",
        (),
        [((), now.written_at)],
    )
    yield _gauge("nodestatus_object_size_bytes", "Size of the BGPNodeStatus", (), [((), now.size)])


def _gauge(
    name: str,
    text: str,
    labels: tuple[str, ...],
    values: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family
