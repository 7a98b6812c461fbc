"""The agent's series: counters that reports move, gauges computed at each scrape.

Names and labels are a contract with existing dashboards.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from nodeagent.core import words
from nodeagent.core.config import SelectorState
from nodeagent.core.findings import Check, Finding
from nodeagent.core.report import Told
from nodeagent.core.witness import Answer
from nodeagent.core.words import Count
from nodeagent.shell.announcer import PacketCounts
from nodeagent.shell.heartbeats import BeatCounts
from nodeagent.shell.kernel import LookCounts
from nodeagent.shell.leases import RenewalCounts
from purelb.api.addresses import IPNetwork
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.runtime.metrics import (
    Collector,
    CollectorRegistry,
    Counter,
    CounterMetricFamily,
    GaugeMetricFamily,
    Histogram,
    Metric,
)

COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    words.WINS: ("Elections won that changed something", ()),
    words.LOSSES: ("Elections lost that changed something", ()),
    words.ADDITIONS: ("Addresses put on a link", ()),
    words.WITHDRAWALS: ("Addresses withdrawn", ()),
    words.RENEWALS: ("Lifetimes refreshed", ()),
    words.RENEWAL_ERRORS: ("Lifetimes that could not be refreshed", ()),
    words.SLOT_STEALS: ("Slots taken over from another node", ("from", "to")),
    words.DRIFT_REPAIRED: ("Addresses put back after somebody removed them", ("reason",)),
    words.ORDER_FIXED: ("Addresses put behind the node's own", ()),
    words.FOREIGN_CONFLICTS: ("Attempts thwarted by another host with the address", ()),
    words.DAD_FAILURES: ("IPv6 addresses that another host has", ()),
    words.WINNER_CHANGES: ("Changes of a Service's winner", ("service",)),
    words.AFFINITY_FALLBACKS: ("Elections without a preferred candidate", ("service",)),
    "purelb_k8s_client_updates_total": ("Work items processed", ()),
    "purelb_k8s_client_update_errors_total": ("Work items that failed", ()),
}
REPAIR_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.5, 1, 5)

AUDIT_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the gauges show."""

    node: NodeName
    told: Told
    state: SelectorState | None
    is_leased: bool
    members: int
    subnets: int
    local_subnets: tuple[IPNetwork, ...]
    findings: Collection[Finding] = ()
    answers: Mapping[Answer, int] = field(default_factory=dict)
    questions: int = 0
    peers: int = 0
    has_quorum: bool = False
    is_kept: bool = False
    lease_watches: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What others count."""

    renewals: RenewalCounts
    packets: PacketCounts
    looks: LookCounts
    beats: BeatCounts = field(default_factory=BeatCounts)


class AgentMetrics:
    """All series of the process but its own figures."""

    def __init__(
        self,
        registry: CollectorRegistry,
        snapshot: Callable[[], Snapshot],
        tallies: Tallies,
    ) -> None:
        self._counters = {
            name: Counter(name, text, labels, registry=registry)
            for name, (text, labels) in COUNTERS.items()
        }
        self.repair_seconds = Histogram(
            "purelb_lbnodeagent_drift_repair_seconds",
            "From the loss of an address to its return",
            buckets=REPAIR_BUCKETS,
            registry=registry,
        )
        self.audit_seconds = Histogram(
            "purelb_lbnodeagent_audit_seconds",
            "From the beginning of a look at everything to the plan that follows from it",
            buckets=AUDIT_BUCKETS,
            registry=registry,
        )
        registry.register(_AgentCollector(snapshot, tallies))

    def count(self, count: Count) -> None:
        """Take in one increment."""
        counter = self._counters[count.metric]
        (counter.labels(**dict(count.labels)) if count.labels else counter).inc(count.amount)

    def forget(self, service: ServiceKey) -> None:
        """Drop the series of a Service: they come and go, and their number must not grow."""
        self._counters[words.WINNER_CHANGES].remove(service)

    def inc(self, name: str) -> None:
        """Raise a counter without labels."""
        self._counters[name].inc()


class _AgentCollector(Collector):
    """Everything that is true at the scrape, from one snapshot."""

    def __init__(self, snapshot: Callable[[], Snapshot], tallies: Tallies) -> None:
        self._snapshot, self._tallies = snapshot, tallies

    def collect(self) -> Iterable[Metric]:
        """Compute gauges and read the tallies that others keep."""
        now = self._snapshot()
        yield _gauge("purelb_k8s_client_config_loaded_bool", "Configured", now.state is not None)
        yield _gauge("purelb_election_lease_healthy", "Own Lease valid", now.is_leased)
        yield _gauge("purelb_election_may_hold", "May hold local addresses", now.is_leased)
        yield _gauge("purelb_election_member_count", "Live nodes", now.members)
        yield _gauge("purelb_lbnodeagent_lease_watches", "Watches of Leases", now.lease_watches)
        yield _gauge("purelb_election_subnet_count", "Distinct subnets", now.subnets)
        yield _gauge("purelb_election_local_subnet_count", "Own subnets", len(now.local_subnets))
        renewed, failed = self._tallies.renewals.renewed, self._tallies.renewals.failed
        yield _counter("purelb_election_lease_renewals", "Renewals", renewed)
        yield _counter("purelb_election_lease_renewal_failures", "Failed renewals", failed)
        sent = self._tallies.packets
        yield _counter("purelb_lbnodeagent_garp_sent", "Gratuitous ARP pairs", sent.garp_sent)
        yield _counter("purelb_lbnodeagent_garp_errors", "Failed ARP", sent.garp_errors)
        yield _counter("purelb_lbnodeagent_na_sent", "Advertisements", sent.na_sent)
        yield _counter("purelb_lbnodeagent_na_errors", "Failed advertisements", sent.na_errors)
        looks = self._tallies.looks
        yield _counter("purelb_lbnodeagent_audits", "Looks at everything", looks.audits)
        yield _counter("purelb_lbnodeagent_events_lost", "Times events were lost", looks.losses)
        yield from self._heartbeats(now)
        yield self._states(now)
        yield self._found(now)
        yield from self._witness(now)
        yield self._announced(now)

    def _heartbeats(self, now: Snapshot) -> Iterable[Metric]:
        prefix, beats = "purelb_lbnodeagent_heartbeat", self._tallies.beats
        yield _gauge(f"{prefix}_peers", "Nodes heard", now.peers)
        yield _gauge(f"{prefix}_quorum", "A majority is heard", now.has_quorum)
        yield _gauge(f"{prefix}_keeps", "Only a majority's word gives the right", now.is_kept)
        yield _counter(f"{prefix}s_sent", "Heartbeats sent", beats.sent)
        yield _counter(f"{prefix}_errors", "Heartbeats that could not be sent", beats.errors)
        yield _counter(f"{prefix}s_heard", "Heartbeats of members", beats.heard)
        refused = CounterMetricFamily(
            f"{prefix}s_refused", "Heartbeats that did not count", labels=["reason"]
        )
        refused.add_metric(["signature"], float(beats.unsigned))
        refused.add_metric(["replay"], float(beats.replayed))
        yield refused

    def _states(self, now: Snapshot) -> Metric:
        family = GaugeMetricFamily(
            "purelb_lbnodeagent_selector_state", "How this node is configured", labels=["state"]
        )
        for state in SelectorState:
            family.add_metric([state.value], float(state is now.state))
        return family

    def _found(self, now: Snapshot) -> Metric:
        family = GaugeMetricFamily(
            "purelb_lbnodeagent_findings", "What is wrong with this node", labels=["check"]
        )
        for check in Check:
            family.add_metric([check.value], sum(one.check is check for one in now.findings))
        return family

    def _witness(self, now: Snapshot) -> Iterable[Metric]:
        prefix = "purelb_lbnodeagent_witness"
        yield _counter(f"{prefix}_questions", "Questions sent", now.questions)
        family = GaugeMetricFamily(
            f"{prefix}_addresses", "Addresses of others asked for", labels=["answer"]
        )
        for answer in Answer:
            family.add_metric([answer.value], now.answers.get(answer, 0))
        yield family

    def _announced(self, now: Snapshot) -> Metric:
        family = GaugeMetricFamily(
            "purelb_lbnodeagent_announced",
            "Addresses announced here",
            labels=["service", "node", "ip"],
        )
        for address in now.told.held:
            for service in now.told.services.get(address, ()):
                family.add_metric([service, now.node, str(address)], 1.0)
        return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(name, text, value=float(value))
