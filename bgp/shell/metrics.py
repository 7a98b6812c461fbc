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
        self.reconciles = Counter(
            f"{PREFIX}_reconcile_total",
            "Passes that changed something, or could not",
            (*OBJECT, "result"),
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            f"{PREFIX}_reconcile_duration_seconds",
            "Time of a pass",
            OBJECT,
            buckets=tuple(0.001 * 2**power for power in range(15)),
            registry=registry,
        )
        self.connection_errors = Counter(
            f"{PREFIX}_gobgpd_connection_errors_total",
            "Calls that the engine did not answer",
            ("endpoint",),
            registry=registry,
        )
        self.cleanup_retries = Counter(
            f"{PREFIX}_cleanup_retries_total",
            "Removals that had to be tried again",
            OBJECT,
            registry=registry,
        )
        self.cleanup_seconds = Histogram(
            f"{PREFIX}_cleanup_duration_seconds",
            "From the end of a configuration to the end of its sessions",
            OBJECT,
            buckets=tuple(0.01 * 2**power for power in range(10)),
            registry=registry,
        )
        self.collection_seconds = Histogram(
            f"{PREFIX}_metrics_collection_duration_seconds",
            "Time of a look at sessions and tables",
            buckets=SLOW,
            registry=registry,
        )
        self.collection_errors = Counter(
            f"{PREFIX}_metrics_collection_errors_total",
            "Looks that failed",
            registry=registry,
        )
        self.collection_skipped = Counter(
            f"{PREFIX}_metrics_collection_skipped_total",
            "Looks that were left out, because there was no engine",
            registry=registry,
        )
        self.resolutions = Counter(
            f"{PREFIX}_router_id_resolution_total",
            "Attempts to find the router ID that ended in something new",
            ("result",),
            registry=registry,
        )
        self.resolution_seconds = Histogram(
            f"{PREFIX}_router_id_resolution_duration_seconds",
            "Time of an attempt to find the router ID",
            buckets=tuple(0.001 * 2**power for power in range(12)),
            registry=registry,
        )
        self.status_seconds = Histogram(
            f"{PREFIX}_nodestatus_collection_duration_seconds",
            "Time to put a BGPNodeStatus together",
            buckets=SLOW,
            registry=registry,
        )
        registry.register(_Gauges(snapshot))


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
