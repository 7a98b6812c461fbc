"""What nodes say of who answers for an address, and what becomes of it on Services."""

from collections.abc import Mapping

from allocator.core.affected import with_addresses
from allocator.core.conditions import PENDING, WRONG_ANSWERS, shown_wrong
from allocator.core.decide import Keep
from allocator.core.statements import Statement, Statements
from purelb.api.addresses import IPAddress
from purelb.api.conditions import NodeCondition, encode_conditions
from purelb.api.identifiers import NodeName
from purelb.api.problems import NoticeType
from purelb.api.views import LeaseView
from tests.unit.allocator.builders import V4, V6, Cluster, group, ips

ONE, TWO = ips("192.0.2.0", "192.0.2.1")
DURATION = 10.0


def said(subject: str, kind: str = "NoAnswer", message: str = "look there") -> NodeCondition:
    """Build one entry of a Lease."""
    return NodeCondition(
        type=kind, subject=subject, severity=NoticeType.WARNING, message=message, since="now"
    )


def lease(node: str, *entries: NodeCondition, renewed: str = "1") -> LeaseView:
    """Build the Lease of a node that says this."""
    return LeaseView(
        node=NodeName(node),
        duration=DURATION,
        renewed=renewed,
        conditions=encode_conditions(entries),
    )


def statement(address: IPAddress, message: str = "look there") -> Statement:
    """Build what `said` is read as."""
    return Statement(address=address, reason="NoAnswer", message=message)


def test_what_a_lease_says_of_addresses_is_read_and_nothing_else() -> None:
    """Faults of the host have subjects of other kinds."""
    known = Statements()
    other = said("192.0.2.1", "AddressConflict")
    changed = known.note(lease("a", said(str(ONE)), other, said("eth0")), 100.0)
    assert changed == {ONE}
    assert known.by_address == {ONE: statement(ONE)}


def test_a_lease_without_a_word_costs_nothing() -> None:
    """Nothing is kept of it."""
    known = Statements()
    assert known.note(lease("a"), 100.0) == frozenset()
    assert known.forget(NodeName("a")) == frozenset()


def test_a_change_names_the_addresses_that_it_is_about() -> None:
    """Those that come, those that go, and those of which something else is said."""
    known = Statements()
    known.note(lease("a", said(str(ONE)), said(str(TWO))), 100.0)
    assert known.note(lease("a", said(str(ONE)), said(str(TWO)), renewed="2"), 103.0) == set()
    assert known.note(lease("a", said(str(ONE), message="else"), renewed="3"), 106.0) == {ONE, TWO}
    assert known.by_address == {ONE: statement(ONE, "else")}
    assert known.note(lease("a", said("eth0", "Carrier"), renewed="4"), 109.0) == {ONE}
    assert known.by_address == {}


def test_of_two_witnesses_the_first_by_name_is_heard() -> None:
    """While one learns that it is no witness any more."""
    known = Statements()
    known.note(lease("b", said(str(ONE), message="b")), 100.0)
    assert known.note(lease("a", said(str(ONE), message="a")), 100.0) == {ONE}
    assert known.by_address == {ONE: statement(ONE, "a")}
    assert known.forget(NodeName("a")) == {ONE}
    assert known.by_address == {ONE: statement(ONE, "b")}


def test_what_the_dead_have_said_ends_with_their_lease() -> None:
    """By when it was seen to be renewed, not by when something else about it changed."""
    known = Statements()
    known.note(lease("a", said(str(ONE))), 100.0)
    known.note(lease("a", said(str(ONE))), 105.0)
    assert known.expire(109.9, whole_since=0.0) == frozenset()
    assert known.expire(110.0, whole_since=0.0) == {ONE}
    assert known.by_address == {}


def test_nobody_is_called_dead_whose_renewal_may_have_been_missed() -> None:
    """The watch was broken meanwhile."""
    known = Statements()
    known.note(lease("a", said(str(ONE))), 100.0)
    assert known.expire(200.0, whole_since=None) == frozenset()
    assert known.expire(200.0, whole_since=195.0) == frozenset()
    known.note(lease("a", said(str(ONE)), renewed="2"), 200.0)
    assert known.expire(209.0, whole_since=195.0) == frozenset()


def conditions(cluster: Cluster) -> Mapping[str, str]:
    """Return type and message of each condition of the one Service."""
    (service,) = cluster.services.values()
    return {one.type: one.message for one in service.conditions}


def test_a_service_says_who_answers_wrongly_as_long_as_a_node_states_it() -> None:
    """For all its addresses, in their order, beside what else it says; decided again, it keeps."""
    cluster = Cluster(group("default", "192.0.2.0/31"))
    web = cluster.create("web", families=(V4, V6), ipFamilyPolicy="PreferDualStack")
    cluster.converge()
    (address,) = cluster.services[web].ingress
    cluster.statements = {address: statement(address), TWO: statement(TWO)}
    assert with_addresses(cluster.ledger, cluster.statements) == (web,)
    cluster.step(web)
    assert set(conditions(cluster)) == {PENDING, WRONG_ANSWERS}
    assert conditions(cluster)[WRONG_ANSWERS] == f"{address}: look there"
    assert shown_wrong(cluster.services.values()) == {address}
    assert isinstance(cluster.decide(web), Keep)
    cluster.statements = {address: statement(address, "and there")}
    cluster.step(web)
    assert conditions(cluster)[WRONG_ANSWERS] == f"{address}: and there"
    cluster.statements = {}
    cluster.step(web)
    assert set(conditions(cluster)) == {PENDING}
    assert shown_wrong(cluster.services.values()) == frozenset()


def test_a_condition_stays_while_nobody_knows_what_is_stated() -> None:
    """The Leases are not listed, or may not be."""
    cluster = Cluster(group("default", "192.0.2.0/31"))
    web = cluster.create("web")
    cluster.converge()
    cluster.statements = {ONE: statement(ONE)}
    cluster.step(web)
    cluster.statements = None
    assert isinstance(cluster.decide(web), Keep)
    assert WRONG_ANSWERS in conditions(cluster)


def test_a_service_that_loses_its_address_says_nothing_of_it() -> None:
    """It is no LoadBalancer any more."""
    cluster = Cluster(group("default", "192.0.2.0/31"))
    web = cluster.create("web")
    cluster.converge()
    cluster.statements = {ONE: statement(ONE)}
    cluster.step(web)
    shown = cluster.objects[web]["status"]["conditions"]
    cluster.edit(web, spec={"type": "ClusterIP"})
    cluster.objects[web]["status"]["conditions"] = shown
    cluster.edit(web, ingress=())
    cluster.converge()
    assert conditions(cluster) == {}
