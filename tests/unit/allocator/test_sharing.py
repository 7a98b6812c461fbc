"""Several Services on one address: keys, ports, edits of both, restarts."""

import pytest

from allocator.core.decide import Keep, Refuse
from purelb.api.identifiers import ServiceKey
from purelb.api.problems import Reason
from tests.unit.allocator.builders import OWNED, V4, V6, Cluster, group, ips

KEY = "purelb.io/allow-shared-ip"
DEFAULT = group("default", "192.0.2.0/29", "2001:db8::/64")


def shared(cluster: Cluster, name: str, port: str, key: str = "k") -> ServiceKey:
    """Create a Service that shares, and let the allocator work."""
    service = cluster.create(name, annotations={KEY: key}, ports=[port])
    cluster.converge()
    return service


def reason_of(cluster: Cluster, key: ServiceKey) -> Reason | None:
    """Return why a Service has a problem."""
    problem = cluster.ledger.problem(key)
    return problem.reason if problem else None


def test_services_with_one_key_get_one_address_across_namespaces() -> None:
    """TCP and UDP of one number live together; keys are not namespaced."""
    cluster = Cluster(DEFAULT)
    first = shared(cluster, "a/dns", "UDP/53")
    second = shared(cluster, "b/dns", "TCP/53")
    other = shared(cluster, "b/web", "TCP/80", key="other")
    assert cluster.ingress(first) == cluster.ingress(second) == ("192.0.2.0",)
    assert cluster.ingress(other) == ("192.0.2.1",)
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == (first, second)


def test_a_key_is_bound_to_one_address_for_each_family_and_pool() -> None:
    """Dual stack joins both; another pool binds the same key anew."""
    cluster = Cluster(DEFAULT, group("other", "198.51.100.0/24"))
    cluster.create("a", families=(V4, V6), annotations={KEY: "k"}, ports=["TCP/1"])
    cluster.converge()
    both = cluster.create("b", families=(V6, V4), annotations={KEY: "k"}, ports=["TCP/2"])
    keys = {KEY: "k", "purelb.io/service-group": "other"}
    elsewhere = cluster.create("c", annotations=keys, ports=["TCP/1"])
    cluster.converge()
    assert cluster.ingress(both) == ("2001:db8::", "192.0.2.0")
    assert cluster.ingress(elsewhere) == ("198.51.100.0",)


def test_an_empty_key_shares_with_nobody() -> None:
    """The annotation is there, and says nothing."""
    cluster = Cluster(DEFAULT)
    first, second = shared(cluster, "a", "TCP/1", ""), shared(cluster, "b", "TCP/2", "")
    assert cluster.ingress(first) != cluster.ingress(second)


def test_a_port_in_use_refuses_and_names_holder_port_and_key() -> None:
    """The Service does not get another address: its key is bound."""
    cluster = Cluster(DEFAULT)
    shared(cluster, "a", "TCP/80")
    second = shared(cluster, "b", "TCP/80")
    problem = cluster.ledger.problem(second)
    assert problem is not None
    assert (problem.reason, problem.pool) == (Reason.PORT_CONFLICT, "default")
    for piece in ("port TCP/80", "already in use", "192.0.2.0", "shop/a", '"k"'):
        assert piece in problem.detail
    assert cluster.ingress(second) == ()


@pytest.mark.parametrize("way", ["delete", "port", "own-port", "own-key"])
def test_a_port_clash_ends_when_either_side_changes(way: str) -> None:
    """Ports removed from a Service are free at once; no resync is needed."""
    cluster = Cluster(DEFAULT)
    first = shared(cluster, "a", "TCP/80")
    second = shared(cluster, "b", "TCP/80")
    match way:
        case "delete":
            cluster.delete(first)
        case "port":
            cluster.edit(first, ports=["TCP/443"])
        case "own-port":
            cluster.edit(second, ports=["TCP/443"])
        case _:
            cluster.edit(second, annotations={KEY: "own"})
    cluster.converge()
    assert cluster.ingress(second) == (("192.0.2.1",) if way == "own-key" else ("192.0.2.0",))
    assert reason_of(cluster, second) is None


def test_the_address_stays_until_its_last_service_goes() -> None:
    """And then the binding of the key ends with it."""
    cluster = Cluster(DEFAULT)
    first, second = shared(cluster, "a", "TCP/1"), shared(cluster, "b", "TCP/2")
    cluster.delete(first)
    cluster.converge()
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == (second,)
    cluster.delete(second)
    cluster.converge()
    assert cluster.ledger.owners(ips("192.0.2.0")[0]) == ()
    plain = cluster.create("plain")
    cluster.converge()
    third = shared(cluster, "c", "TCP/1")
    assert cluster.ingress(plain) == ("192.0.2.0",)
    assert cluster.ingress(third) == ("192.0.2.1",)


def test_a_holder_that_is_annotated_later_can_be_joined() -> None:
    """Keys are read from live annotations; the holder's address stays."""
    cluster = Cluster(DEFAULT)
    cluster.create("front")
    holder = cluster.create("holder", ports=["TCP/1"])
    cluster.converge()
    cluster.edit(holder, annotations={KEY: "k"})
    cluster.converge()
    joined = shared(cluster, "b", "TCP/2")
    assert cluster.ingress(holder) == cluster.ingress(joined) == ("192.0.2.1",)


def test_a_waiting_service_joins_as_soon_as_a_holder_gets_its_key() -> None:
    """Nothing is freed, and still there is room."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    holder = cluster.create("holder", ports=["TCP/1"])
    cluster.converge()
    waiting = shared(cluster, "b", "TCP/2")
    assert reason_of(cluster, waiting) is Reason.EXHAUSTED
    cluster.edit(holder, annotations={KEY: "k"})
    cluster.converge()
    assert cluster.ingress(waiting) == ("192.0.2.0",)


@pytest.mark.parametrize("pins", [{}, {"purelb.io/addresses": "192.0.2.0"}], ids=["any", "pinned"])
def test_a_service_that_clashes_joins_where_its_key_comes_to_stand_for_a_lower_address(
    pins: dict[str, str],
) -> None:
    """The lowest address of the key is the one to join, and there its port is free."""
    cluster = Cluster(group("default", "192.0.2.0/31"))
    low = cluster.create("low", ports=["TCP/443"])
    cluster.converge()
    cluster.create("high", annotations={KEY: "k"})
    cluster.converge()
    late = cluster.create("late", annotations={KEY: "k"} | pins)
    cluster.converge()
    assert cluster.ingress(late) == ()
    cluster.edit(low, annotations={KEY: "k"})
    cluster.converge()
    assert cluster.ingress(late) == ("192.0.2.0",)


def test_the_only_owner_may_change_its_key() -> None:
    """Then the new key is bound, and the old one free."""
    cluster = Cluster(DEFAULT)
    first = shared(cluster, "a", "TCP/1", "old")
    cluster.edit(first, annotations={KEY: "new"})
    cluster.converge()
    joined = shared(cluster, "b", "TCP/2", "new")
    apart = shared(cluster, "c", "TCP/3", "old")
    assert cluster.ingress(joined) == cluster.ingress(first) == ("192.0.2.0",)
    assert cluster.ingress(apart) == ("192.0.2.1",)


def test_owners_whose_keys_part_keep_the_address_are_told_and_nobody_joins() -> None:
    """A shared address is joined only by who agrees with all its owners."""
    cluster = Cluster(DEFAULT)
    first, second = shared(cluster, "a", "TCP/1"), shared(cluster, "b", "TCP/2")
    cluster.edit(second, annotations={KEY: "other"})
    cluster.converge()
    third = shared(cluster, "c", "TCP/3")
    assert cluster.ingress(first) == cluster.ingress(second) == ("192.0.2.0",)
    assert reason_of(cluster, first) is Reason.SHARING_KEY_CONFLICT
    assert reason_of(cluster, second) is Reason.SHARING_KEY_CONFLICT
    problem = cluster.ledger.problem(third)
    assert problem is not None
    assert "sharing key" in problem.detail
    assert "shop/b" in problem.detail


def test_a_clash_made_by_an_edit_warns_on_both_and_moves_nobody() -> None:
    """And the warning ends with the clash."""
    cluster = Cluster(DEFAULT)
    first, second = shared(cluster, "a", "TCP/1"), shared(cluster, "b", "TCP/2")
    cluster.edit(second, ports=["TCP/1", "TCP/2"])
    decisions = cluster.converge()
    told = {
        decision.key: (decision.report.notices[0].reason, type(decision))
        for decision in decisions
        if decision.report.notices
    }
    assert told == {
        first: ("ConfigurationWarning", Keep),
        second: ("ConfigurationWarning", Keep),
    }
    assert cluster.writes == 2
    cluster.edit(second, ports=["TCP/2"])
    cluster.converge()
    assert (reason_of(cluster, first), reason_of(cluster, second)) == (None, None)


def test_sharing_is_rebuilt_from_live_objects() -> None:
    """A restart neither un-shares nor forgets a port."""
    cluster = Cluster(DEFAULT)
    first, second = shared(cluster, "a", "TCP/1"), shared(cluster, "b", "TCP/2")
    cluster.restart()
    cluster.converge()
    third, clash = shared(cluster, "c", "TCP/3"), shared(cluster, "d", "TCP/1")
    assert {cluster.ingress(key) for key in (first, second, third)} == {("192.0.2.0",)}
    assert reason_of(cluster, clash) is Reason.PORT_CONFLICT
    assert (reason_of(cluster, first), reason_of(cluster, second)) == (None, None)


def test_a_foreign_holder_shares_with_nobody() -> None:
    """Whatever its annotations say."""
    cluster = Cluster(group("default", "192.0.2.0/32"))
    keys = {**OWNED, KEY: "k"}
    cluster.create("foreign", annotations=keys, ingress=["192.0.2.0"], loadBalancerClass="other")
    cluster.converge()
    second = shared(cluster, "b", "TCP/9")
    assert reason_of(cluster, second) is Reason.EXHAUSTED


def test_of_several_addresses_with_one_key_the_lowest_is_joined() -> None:
    """Holders annotated later may leave a key on many addresses."""
    cluster = Cluster(DEFAULT)
    holders = [cluster.create(name, ports=["TCP/1"]) for name in ("a", "b", "c")]
    cluster.converge()
    for holder in reversed(holders):
        cluster.edit(holder, annotations={KEY: "k"})
    cluster.converge()
    assert cluster.ingress(shared(cluster, "d", "TCP/2")) == ("192.0.2.0",)
    assert isinstance(cluster.commit(shared(cluster, "e", "TCP/1")), Refuse)
    cluster.delete(holders[2])
    cluster.delete(holders[0])
    cluster.converge()
    assert cluster.ingress(shared(cluster, "f", "TCP/3")) == ("192.0.2.0",)
