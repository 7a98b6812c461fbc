"""The allocator's series: counters that the reporter moves, gauges computed at each scrape.

Names and labels are a contract with existing dashboards.
"""

from collections.abc import Iterable

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
    Metric,
)


class AllocatorMetrics:
    """All series of the process but its own figures."""

    def __init__(self, registry: CollectorRegistry, store: WorldStore, ledger: Ledger) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self.updates = counter("purelb_k8s_client_updates", "Work items processed")
        self.update_errors = counter("purelb_k8s_client_update_errors", "Work items that failed")
        self.config_loaded = Gauge(
            "purelb_k8s_client_config_loaded_bool",
            "1 after the first accepted configuration",
            registry=registry,
        )
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
        registry.register(_PoolCollector(store, ledger))


class _PoolCollector(Collector):
    """Size and use of each pool, and the groups out of scope, as they are at the scrape."""

    def __init__(self, store: WorldStore, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger

    def collect(self) -> Iterable[Metric]:
        """Compute the gauges."""
        size = GaugeMetricFamily("purelb_address_pool_size", "Addresses in pool", labels=["pool"])
        used = GaugeMetricFamily(
            "purelb_address_pool_addresses_in_use", "Addresses in use", labels=["pool"]
        )
        for name, pool in self._store.pools.pools.items():
            extents = [extent for family in FAMILIES for extent in pool.extents[family]]
            size.add_metric([name], float(sum(extent.size for extent in extents)))
            used.add_metric([name], float(sum(self._ledger.used(extent) for extent in extents)))
        outside = GaugeMetricFamily(
            "purelb_servicegroups_out_of_scope",
            "ServiceGroups outside the install namespace",
            labels=["namespace", "name", "type"],
        )
        for problem in self._store.pools.problems.values():
            if problem.fault is Fault.OUT_OF_SCOPE:
                group = problem.group
                outside.add_metric([group.namespace, group.name, group.kind or ""], 1.0)
        return size, used, outside
