"""What a decision of the allocator costs, by size of the pool and by number of Services. Pure."""

import gc
import time
from collections.abc import Callable
from statistics import median

from rich.console import Console

from allocator.core.decide import Assign, World, decide
from allocator.core.ledger import Ledger
from allocator.core.pools import build_pools
from allocator.core.report import writes_of
from benchmarks.world import Figures
from purelb.api.addresses import Family
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.views import Port, ServiceView

SMALL, LARGE = "2001:db8::/120", "2001:db8::/64"  # 256 addresses, and 2^64
FEW, MANY = 100, 10_000
ROUNDS = 15


def measure(console: Console) -> Figures:
    """Measure decide + commit + the bodies of the writes, without any I/O."""
    console.print(f"  pools of 2^8 and 2^64 addresses, {ROUNDS} rounds in turn")
    small, large = _in_turn(lambda: _cost(256, SMALL), lambda: _cost(256, LARGE))
    console.print(f"  {FEW} and {MANY} Services, {ROUNDS} rounds in turn")
    few, many = _in_turn(lambda: _cost(FEW, LARGE), lambda: _cost(MANY, LARGE))
    return {
        "decide_us_pool_256": round(small, 1),
        "decide_us_pool_2_64": round(large, 1),
        "decide_ratio_pool_size": round(large / small, 2),
        f"decide_us_{FEW}_services": round(few, 1),
        f"decide_us_{MANY}_services": round(many, 1),
        "decide_ratio_services": round(many / few, 2),
    }


def _in_turn(one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float]:
    """Return the medians of two costs, measured in turn so that both meet the same disturbances."""
    found = [(one(), other()) for _ in range(ROUNDS)]
    return median(first for first, _ in found), median(second for _, second in found)


def _cost(count: int, text: str) -> float:
    """Return the microseconds that each of so many Services takes in an empty pool."""
    entry = RangeEntry(family=Family.IPV6, text=text, subnet=text, aggregation="default")
    group = GroupView(
        namespace="x", name=PoolName("default"), kind=GroupKind.LOCAL, entries=(entry,)
    )
    views = {
        (key := ServiceKey(f"shop/s{number}")): ServiceView(
            key=key,
            version="1",
            type="LoadBalancer",
            cluster_ip="10.96.0.1",
            families=(Family.IPV6,),
            ports=(Port("TCP", 80),),
        )
        for number in range(count)
    }
    world = World(services=views, pools=build_pools([group], "x"), is_default_announcer=True)
    ledger = Ledger()
    gc.collect()
    begun = time.perf_counter()
    for key in views:
        decision = decide(world, ledger, key)
        ledger.commit(decision)
        writes_of(decision, "2026-01-01T00:00:00Z")
    spent = time.perf_counter() - begun
    if not isinstance(decision, Assign):
        raise TypeError(f"nothing was assigned: {decision}")
    return spent / count * 1e6
