"""Who is looked at again when something is freed, reverted or changed: in order of arrival."""

from allocator.core.affected import affected, affected_by_subnets
from allocator.core.decide import Assign, Refuse
from purelb.api.identifiers import ServiceKey
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, group, ips, pools

ONE = group("default", "192.0.2.0/32")


def full(names: str) -> tuple[Cluster, ServiceKey, list[ServiceKey]]:
    """Build a pool of one address, its holder, and Services that wait for it in this order."""
    cluster = Cluster(ONE)
    holder = cluster.create("holder")
    cluster.converge()
    waiting = []
    for name in names:
        waiting.append(cluster.create(name))
        cluster.converge()
    return cluster, holder, waiting


def test_a_freed_address_goes_to_who_has_waited_longest() -> None:
    """Arrival counts, not the name; the others are not even looked at."""
    cluster, holder, (z, a, m) = full("zam")
    cluster.delete(holder)
    decisions = cluster.converge()
    assert [decision.key for decision in decisions] == [holder, z, z]
    assert cluster.ingress(z) == ("192.0.2.0",)
    assert cluster.ledger.all_waiting() == (a, m)


def test_a_refused_retry_keeps_its_place() -> None:
    """A resync or an edit does not send a Service to the end of the queue."""
    cluster, holder, (z, a, m) = full("zam")
    cluster.edit(z, ports=["TCP/443"])
    cluster.commit(a)
    cluster.converge()
    assert cluster.ledger.all_waiting() == (z, a, m)
    cluster.delete(holder)
    cluster.converge()
    assert cluster.ingress(z) == ("192.0.2.0",)


def test_a_waiter_that_left_passes_its_chance_on() -> None:
    """It was woken, and is gone before it is decided."""
    cluster, holder, (z, a, _) = full("zam")
    cluster.delete(holder)
    cluster.commit(holder)
    cluster.delete(z)
    cluster.dirty = dict.fromkeys([z])
    cluster.converge()
    assert cluster.ingress(a) == ("192.0.2.0",)


def test_a_waiter_that_can_not_use_the_room_passes_it_on() -> None:
    """All or nothing: the first still lacks IPv6, the second wants IPv4 alone."""
    cluster = Cluster(group("default", "192.0.2.0/32", "2001:db8::/128"))
    v4, v6 = cluster.create("v4"), cluster.create("v6", families=(V6,))
    cluster.converge()
    both = cluster.create("both", families=(V4, V6), ipFamilyPolicy="RequireDualStack")
    cluster.converge()
    second = cluster.create("second")
    cluster.converge()
    cluster.delete(v4)
    cluster.converge()
    assert cluster.ingress(both) == ()
    assert cluster.ingress(second) == ("192.0.2.0",)
    cluster.delete(second)
    cluster.delete(v6)
    cluster.converge()
    assert cluster.ingress(both) == ("192.0.2.0", "2001:db8::")


def test_several_freed_addresses_serve_as_many_waiters() -> None:
    """Each one served looks whether there is room for the next."""
    cluster = Cluster(group("default", "192.0.2.0/31"))
    holders = [cluster.create(name) for name in ("h1", "h2")]
    cluster.converge()
    waiting = [cluster.create(name) for name in ("c", "b", "a")]
    cluster.converge()
    for holder in holders:
        cluster.delete(holder)
    for holder in holders:
        cluster.commit(holder)
    cluster.converge()
    assert [bool(cluster.ingress(key)) for key in waiting] == [True, True, False]


def test_a_refused_write_gives_the_address_back_to_who_waits() -> None:
    """A definite refusal by the API server, such as 403 or 422."""
    cluster = Cluster(ONE)
    web = cluster.create("web")
    decision = cluster.commit(web)
    second = cluster.create("second")
    assert isinstance(cluster.commit(second), Refuse)
    assert cluster.ledger.revert(decision) == (second,)
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()


def test_a_revert_keeps_what_was_there_before() -> None:
    """Only what the refused write would have added goes."""
    cluster = Cluster(group("default", "192.0.2.0/32", "2001:db8::/64"))
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"]})
    decision = cluster.commit(web)
    cluster.ledger.revert(decision)
    holding = cluster.ledger.holding(web)
    assert holding is not None
    assert holding.addresses == ips("192.0.2.0")


def test_a_revert_after_the_record_moved_on_does_nothing() -> None:
    """A late answer must not take an address from somebody."""
    cluster = Cluster(ONE)
    web = cluster.create("web")
    late = cluster.commit(web)
    cluster.delete(web)
    cluster.commit(web)
    second = cluster.create("second")
    cluster.commit(second)
    assert cluster.ledger.revert(late) == ()
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == (second,)


def test_a_revert_does_not_take_back_what_was_given_up() -> None:
    """A type change that could not be written leaves the address where the Service shows it."""
    cluster = Cluster(ONE)
    web = cluster.create("web")
    cluster.commit(web)
    cluster.edit(web, spec={"type": "ClusterIP"}, annotations=OWNED)
    release = cluster.commit(web)
    assert cluster.ledger.revert(release) == ()
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()


def test_what_is_forgotten_leaves_no_trace() -> None:
    """Neither as owner nor as waiter."""
    cluster, holder, (waiting,) = full("a")
    cluster.ledger.forget(holder)
    cluster.ledger.forget(waiting)
    assert cluster.ledger.all_waiting() == ()
    assert list(cluster.ledger.holdings()) == []


def test_a_changed_group_concerns_who_waits_and_who_owns_there() -> None:
    """Oldest waiters first, then owners by name; nobody else."""
    other = group("other", "198.51.100.0/24")
    cluster = Cluster(ONE, other)
    keys = {"purelb.io/service-group": "other"}
    in_other = cluster.create("in-other", annotations=keys)
    cluster.create("in-default")
    cluster.converge()
    waiting = [cluster.create(name) for name in ("z", "a")]
    cluster.converge()
    old = cluster.pools
    assert affected(old, pools(ONE, other), cluster.ledger) == tuple(waiting)
    wider = pools(ONE, group("other", "198.51.100.0/23"))
    assert affected(old, wider, cluster.ledger) == (*waiting, in_other)
    assert affected(old, pools(ONE), cluster.ledger) == (*waiting, in_other)


def test_a_pool_that_begins_to_give_many_addresses_concerns_all_owners() -> None:
    """Also those whose address is of another group: they are served by it from now on."""
    cluster = Cluster(ONE)
    web = cluster.create("web")
    cluster.converge()
    old = cluster.pools
    wide = pools(group("default", "10.0.8.0/31", multi_pool=True))
    assert affected(old, wide, cluster.ledger) == (web,)
    bound = pools(
        group("default", "10.0.8.0/31", multi_pool=True, namespaces=("shop",), is_default=True)
    )
    assert affected(wide, bound, cluster.ledger) == (web,)
    assert affected(wide, wide, cluster.ledger) == ()


def test_a_new_group_serves_who_waited_for_it() -> None:
    """Pending Services are retried when groups change, in order of arrival."""
    cluster = Cluster()
    waiting = [cluster.create(name) for name in ("z", "a")]
    cluster.converge()
    old, cluster.pools = cluster.pools, pools(group("default", "192.0.2.0/30"))
    cluster.dirty = dict.fromkeys(affected(old, cluster.pools, cluster.ledger))
    cluster.converge()
    assert [cluster.ingress(key) for key in waiting] == [("192.0.2.0",), ("192.0.2.1",)]


def test_new_active_subnets_concern_waiters_and_multi_pool_services() -> None:
    """By annotation or by their group."""
    cluster = Cluster(
        group("default", "10.0.0.0/30"),
        group("wide", "10.1.0.0/30", multi_pool=True),
        active_subnets=["10.0.0.0/30", "10.1.0.0/30"],
    )
    keys = {"purelb.io/multi-pool": "true"}
    asking = cluster.create("asking", annotations=keys)
    spread = cluster.create("spread", annotations={"purelb.io/service-group": "wide"})
    cluster.create("plain")
    waiting = cluster.create("waiting", annotations={"purelb.io/service-group": "none"})
    cluster.converge()
    expected = (waiting, asking, spread)
    assert affected_by_subnets(cluster.world, cluster.ledger) == expected


def test_a_pool_edit_loses_no_owner_and_moves_nobody() -> None:
    """A range that goes and comes back still knows who has its addresses."""
    cluster = Cluster(group("default", "192.0.2.0/30"))
    web = cluster.create("web")
    cluster.converge()
    cluster.pools = pools(group("default", "198.51.100.0/30"))
    second = cluster.create("second")
    cluster.converge()
    cluster.pools = pools(group("default", "192.0.2.0/24"))
    third = cluster.create("third")
    cluster.converge()
    assert [cluster.ingress(key)[0] for key in (web, second, third)] == [
        "192.0.2.0",
        "198.51.100.0",
        "192.0.2.1",
    ]


def test_many_come_and_go_and_the_oldest_still_wins() -> None:
    """The queue drops who left without losing the order of those who stay."""
    cluster, holder, (first, *rest) = full("abcdefghijklmnopqrstuvwxyz")
    for key in rest[:-1]:
        cluster.delete(key)
    cluster.converge()
    cluster.delete(first)
    cluster.converge()
    cluster.delete(holder)
    decisions = cluster.converge()
    assert isinstance(decisions[1], Assign)
    assert cluster.ingress(rest[-1]) == ("192.0.2.0",)
