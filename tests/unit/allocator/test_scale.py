"""What a decision costs must depend neither on the size of a range nor on how much is in use."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from allocator.core.decide import Assign, Keep, Release, World, decide
from allocator.core.ledger import Ledger
from purelb.api.addresses import Family
from purelb.api.identifiers import ServiceKey, Uid
from purelb.api.views import Port, ServiceView
from tests.unit.allocator.builders import V4, V6, group, ips, pools

LIMIT = 5.0  # between costs per Service that should be equal; caches are shared


def services(count: int, family: Family) -> Iterator[ServiceView]:
    """Yield Services that want one address."""
    for number in range(count):
        yield ServiceView(
            key=ServiceKey(f"shop/s{number}"),
            uid=Uid(f"uid-{number}"),
            version="1",
            type="LoadBalancer",
            cluster_ip="10.96.0.1",
            families=(family,),
            ports=(Port("TCP", 80),),
        )


def seconds_each(count: int, text: str, family: Family) -> float:
    """Assign, keep and release `count` Services; return the CPU seconds that each of them took."""
    views = {view.key: view for view in services(count, family)}
    world = World(services=views, pools=pools(group("default", text)), is_default_announcer=True)
    ledger = Ledger()
    started = time.process_time()
    for key, view in list(views.items()):
        decision = decide(world, ledger, key)
        assert isinstance(decision, Assign)
        ledger.commit(decision)
        found = {name: value for name, value in decision.change.annotations.items() if value}
        views[key] = replace(view, ingress=decision.after.addresses, annotations=found)
        kept = decide(world, ledger, key)
        assert isinstance(kept, Keep)
        ledger.commit(kept)
    for key in list(views):
        del views[key]
        gone = decide(world, ledger, key)
        assert isinstance(gone, Release)
        ledger.commit(gone)
    return (time.process_time() - started) / count


@pytest.mark.parametrize(
    ("text", "family"),
    [
        pytest.param("10.0.0.0/16", V4, id="slash-16"),
        pytest.param("2001:db8::/64", V6, id="v6-64"),
        pytest.param("::/0", V6, id="all-of-v6"),
    ],
)
def test_the_thousandth_service_costs_as_much_as_the_first(text: str, family: Family) -> None:
    """Nothing is quadratic, and no range is walked."""
    few = min(seconds_each(100, text, family) for _ in range(3))
    many = min(seconds_each(4_000, text, family) for _ in range(2))
    assert many < few * LIMIT


def test_a_thousand_waiters_for_one_address_cost_as_much_as_a_few() -> None:
    """A freed address wakes one of them, not all."""
    world = World(
        services={view.key: view for view in services(2_000, V4)},
        pools=pools(group("default", "192.0.2.0/32")),
        is_default_announcer=True,
    )
    ledger = Ledger()
    looked_at = 0
    for key in world.services:
        ledger.commit(decide(world, ledger, key))
    emptied = dict(world.services)
    world = replace(world, services=emptied)
    for _ in range(1_000):
        (key,) = ledger.owners(ips("192.0.2.0")[0])
        del emptied[key]
        for woken in ledger.commit(decide(world, ledger, key)):
            looked_at += 1
            ledger.commit(decide(world, ledger, woken))
    assert looked_at == 1_000
