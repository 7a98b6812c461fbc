"""The allocator's series: counters that the reporter moves, gauges computed at each scrape.

Names and labels are a contract with existing dashboards.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterable
from typing import TypeAlias

from allocator.core.ledger import Ledger
from allocator.core.pool import Fault
from allocator.shell.world import WorldStore
from purelb.api.addresses import FAMILIES
from purelb.runtime.metrics import (
    Collector,
    CollectorRegistry,
    Counter,
    Gauge,
    GaugeMetricFamily,
    Histogram,
    Metric,
)

RPC_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CODES = {"OK": "OK", "CANCELLED": "Canceled"}  # as Go spells them, where capitals do not do

Leading: TypeAlias = Callable[[], Ledger | None]  # the ledger of the term, if there is one


class AllocatorMetrics:
    """All series of the process but its own figures.

    Only the leader knows who owns what, so only it shows the pools: sums over replicas stay right.
    """

    def __init__(self, registry: CollectorRegistry, store: WorldStore, leading: Leading) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self.updates = counter("purelb_k8s_client_updates", "Work items processed")
        self.update_errors = counter("purelb_k8s_client_update_errors", "Work items that failed")
        loaded = Gauge(
            "purelb_k8s_client_config_loaded_bool",
            "1 after the first accepted configuration",
            registry=registry,
        )
        loaded.set_function(lambda: float(store.is_configured))
        leader = Gauge("purelb_allocator_leader", "1 while this replica leads", registry=registry)
        leader.set_function(lambda: float(leading() is not None))
        self.terms = counter("purelb_allocator_leader_terms", "Terms of this replica as leader")
        self.rejected = counter(
            "purelb_address_pool_allocation_rejected", "Refused allocations", "pool", "reason"
        )
        self.multipool = counter(
            "purelb_address_pool_multipool_allocations", "Multi-pool allocations", "pool"
        )
        self.multipool_partial = counter(
            "purelb_address_pool_multipool_partial", "Multi-pool allocations with gaps", "pool"
        )
        self.balanced = counter(
            "purelb_address_pool_balance_pools_allocations", "Balanced allocations", "pool"
        )
        self.status_writes = counter(
            "purelb_allocator_sg_status_writes", "ServiceGroup status writes", "outcome"
        )
        self._rpcs = counter(
            "purelb_allocator_sidecar_rpc", "Calls to providers", "socket", "method", "code"
        )
        self._rpc_seconds = Histogram(
            "purelb_allocator_sidecar_rpc_duration_seconds",
            "How long calls to providers took",
            ("socket", "method"),
            buckets=RPC_BUCKETS,
            registry=registry,
        )
        registry.register(_PoolCollector(store, leading))
        registry.register(_ProviderCollector(store, leading))

    def count_rpc(self, socket: str, method: str, status: str, seconds: float) -> None:
        """Count one call to a provider."""
        code = CODES.get(status) or "".join(word.capitalize() for word in status.split("_"))
        self._rpcs.labels(socket, method, code).inc()
        self._rpc_seconds.labels(socket, method).observe(seconds)


class _PoolCollector(Collector):
    """Size and use of each pool, and the groups out of scope, as they are at the scrape."""

    def __init__(self, store: WorldStore, leading: Leading) -> None:
        self._store, self._leading = store, leading

    def collect(self) -> Iterable[Metric]:
        """Compute the gauges."""
        size = GaugeMetricFamily("purelb_address_pool_size", "Addresses in pool", labels=["pool"])
        used = GaugeMetricFamily(
            "purelb_address_pool_addresses_in_use", "Addresses in use", labels=["pool"]
        )
        outside = GaugeMetricFamily(
            "purelb_servicegroups_out_of_scope",
            "ServiceGroups outside the install namespace",
            labels=["namespace", "name", "type"],
        )
        ledger = self._leading()
        if ledger is None:
            return size, used, outside
        for name, pool in self._store.pools.pools.items():
            extents = [extent for family in FAMILIES for extent in pool.extents[family]]
            if pool.is_external:
                stats = self._store.providers.stats.get(name)
                if stats is not None:
                    used.add_metric([name], float(sum(stats.in_use)))
                    size.add_metric([name], float(sum(stats.size or (0, 0))))
                continue
            size.add_metric([name], float(sum(extent.size for extent in extents)))
            used.add_metric([name], float(sum(ledger.used(extent) for extent in extents)))
        for problem in self._store.pools.problems.values():
            if problem.fault is Fault.OUT_OF_SCOPE:
                group = problem.group
                outside.add_metric([group.namespace, group.name, group.kind or ""], 1.0)
        return size, used, outside


class _ProviderCollector(Collector):
    """Who waits for which external provider, and what it is still to take back."""

    def __init__(self, store: WorldStore, leading: Leading) -> None:
        self._store, self._leading = store, leading

    def collect(self) -> Iterable[Metric]:
        """Compute the gauges; the leader's alone."""
        up = GaugeMetricFamily("purelb_ipam_up", "1 while the provider answers", labels=["pool"])
        waiting = GaugeMetricFamily(
            "purelb_ipam_waiting", "Services that ask the provider", labels=["pool"]
        )
        owed = GaugeMetricFamily(
            "purelb_ipam_owed", "Services whose addresses are to go back", labels=["pool"]
        )
        unrecorded = GaugeMetricFamily(
            "purelb_ipam_unrecorded",
            "1 while nothing can be put on record about the provider",
            labels=["pool"],
        )
        ledger, news = self._leading(), self._store.providers
        if ledger is not None:
            asked = Counts(ask.pool for ask in news.asks.values())
            for name, is_up in news.up.items():
                up.add_metric([name], float(is_up))
                waiting.add_metric([name], float(asked[name]))
                accounts = news.accounts.get(name, {})
                open_ones = (key for key in accounts if ledger.holding(key) is None)
                going = sum(1 for key in open_ones if key not in news.asks)
                owed.add_metric([name], float(going))
            for name in news.accounts:
                unrecorded.add_metric([name], float(name in news.unrecorded))
        return up, waiting, owed, unrecorded
