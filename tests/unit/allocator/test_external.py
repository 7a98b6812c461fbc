"""External pools: what is asked of a provider, and what of its answers reaches a Service."""

import pytest

from allocator.core.answers import unrecorded_answer
from allocator.core.asks import Ask
from allocator.core.decide import Assign, Consult, Keep, Refuse
from allocator.core.explain import explain
from allocator.core.guards import guard_address, guards_of
from allocator.core.pools import build_pools
from purelb.api.addresses import Family
from purelb.api.identifiers import NO_SHARING, PoolName, SharingKey, Uid
from purelb.api.problems import Reason
from tests.unit.allocator.builders import INSTALL, V4, V6, Cluster, external, group, ips, reasons

DEFAULT = PoolName("default")
NETBOX = external("default", socket="/run/x.sock")


def test_a_service_of_an_external_pool_asks_and_gets_nothing_yet() -> None:
    """Nothing is written, nobody is told: the answer is a moment away."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web", families=(V6, V4), annotations={"purelb.io/allow-shared-ip": "k"})
    decision = cluster.step(web)
    assert isinstance(decision, Consult)
    assert decision.report.ask == Ask(
        key=web,
        uid=Uid("uid-1"),
        pool=DEFAULT,
        families=(V6, V4),
        pins=(),
        sharing=SharingKey("k"),
    )
    assert cluster.writes == 0
    assert (
        explain(cluster.world, cluster.ledger, web).summary == "asks the provider of pool default"
    )


def test_the_answer_is_written_with_brand_pool_and_type() -> None:
    """The type is the group's `announce`."""
    cluster = Cluster(external("default", announce="remote"))
    web = cluster.create("web", families=(V6, V4))
    cluster.reply(web, "198.51.100.7", "2001:db8:5::7", "198.51.100.7")
    cluster.converge()
    assert cluster.ingress(web) == ("2001:db8:5::7", "198.51.100.7")
    assert cluster.annotations(web) == {
        "purelb.io/allocated-by": "PureLB",
        "purelb.io/allocated-from": "default",
        "purelb.io/pool-type": "remote",
    }
    assert isinstance(cluster.decide(web), Keep)
    assert cluster.asked(web) is None


def test_an_address_held_is_never_asked_for_again() -> None:
    """Not after a restart either, and whatever has become of the group."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.reply(web, "198.51.100.7")
    cluster.converge()
    cluster.answers.clear()
    cluster.restart()
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.7",)
    assert cluster.asked(web) is None


def test_an_answer_to_an_older_question_counts_for_nothing() -> None:
    """The Service asks for something else by now."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.reply(web, "198.51.100.7")
    cluster.edit(web, annotations={"purelb.io/allow-shared-ip": "k"})
    assert isinstance(cluster.step(web), Consult)


REFUSED = {
    "nothing": ((), "no address at all"),
    "rubbish": (("198.51.100.7", "nonsense"), "'nonsense', which no Service can have"),
    "unspecified": (("0.0.0.0",), "no Service can have"),
    "loopback": (("127.0.0.1",), "no Service can have"),
    "multicast": (("224.0.0.1",), "no Service can have"),
    "link-local": (("169.254.0.1",), "no Service can have"),
    "too-many": (tuple(f"198.51.100.{n}" for n in range(17)), "17 addresses, more than 16"),
    "other-family": (("2001:db8::1",), "gave no IPv4 address"),
    "ours": (("192.0.2.1",), 'belongs to a range of ServiceGroup "local"'),
    "in-use": (("198.51.100.1",), "already in use by Service shop/first"),
}


@pytest.mark.parametrize(("texts", "text"), REFUSED.values(), ids=REFUSED)
def test_an_answer_that_cannot_be_right_is_refused(texts: tuple[str, ...], text: str) -> None:
    """Told once; the question stands."""
    cluster = Cluster(NETBOX, group("local", "192.0.2.0/24"))
    first = cluster.create("first")
    cluster.reply(first, "198.51.100.1")
    cluster.converge()
    web = cluster.create("web")
    cluster.reply(web, *texts)
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert text in decision.problem.detail
    assert decision.report.ask is not None
    assert reasons(decision) == ["AllocationFailed"]
    again = cluster.step(web)
    assert (reasons(again), again.report.counts) == ([], ())


def test_an_address_of_the_cluster_itself_is_refused() -> None:
    """Whoever gives it."""
    cluster = Cluster(NETBOX)
    address = ips("198.51.100.1")[0]
    guards = guards_of([guard_address(address, "node node-a")])
    cluster.pools = build_pools([NETBOX], INSTALL, guards)
    web = cluster.create("web")
    cluster.reply(web, str(address))
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert "belongs to node node-a" in decision.problem.detail


STATUSES = {
    "down": ("UNAVAILABLE", Reason.OTHER, "does not answer on socket /run/x.sock"),
    "hung": ("DEADLINE_EXCEEDED", Reason.OTHER, "does not answer on socket /run/x.sock"),
    "full": ("RESOURCE_EXHAUSTED", Reason.EXHAUSTED, "exhausted: no available addresses"),
    "exists": ("ALREADY_EXISTS", Reason.OTHER, 'refuses with ALREADY_EXISTS: "go away"'),
    "refused": ("PERMISSION_DENIED", Reason.OTHER, 'refuses with PERMISSION_DENIED: "go away"'),
}


@pytest.mark.parametrize(("status", "reason", "text"), STATUSES.values(), ids=STATUSES)
def test_a_failed_question_is_a_refusal_that_says_what_to_do(
    status: str, reason: Reason, text: str
) -> None:
    """Counted once, under the pool's name."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.fail(web, status, "go away")
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert (decision.problem.reason, decision.problem.pool) == (reason, DEFAULT)
    assert text in decision.problem.detail
    assert [(count.pool, count.reason) for count in decision.report.counts] == [("default", reason)]
    assert decision.report.ask is not None


def test_a_question_that_cannot_be_recorded_is_a_refusal_with_the_reason() -> None:
    """The provider is not asked; the question stands."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    ask = cluster.asked(web)
    assert ask is not None
    cluster.answers[web] = unrecorded_answer(ask, "413 too large", cluster.pools.pools[ask.pool])
    decision = cluster.step(web)
    assert isinstance(decision, Refuse)
    assert "ConfigMap" in decision.problem.detail
    assert "413 too large" in decision.problem.detail
    assert cluster.asked(web) == ask


def test_a_refusal_without_a_message_reads_well() -> None:
    """Some sidecars send none."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.fail(web, "INTERNAL")
    assert "INTERNAL: nothing more;" in str(cluster.step(web).report.problem)


def test_the_first_good_address_of_a_family_is_taken() -> None:
    """What cannot be used is passed over if there is something else."""
    cluster = Cluster(NETBOX)
    first, web = cluster.create("first"), cluster.create("web")
    cluster.reply(first, "198.51.100.1")
    cluster.converge()
    cluster.reply(web, "198.51.100.1", "198.51.100.2", "198.51.100.3")
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.2",)


def test_a_service_waits_for_the_address_that_the_provider_keeps_giving() -> None:
    """As soon as the other holder is gone, the same answer will do."""
    cluster = Cluster(NETBOX)
    first, web = cluster.create("first"), cluster.create("web")
    cluster.reply(first, "198.51.100.1")
    cluster.converge()
    cluster.reply(web, "198.51.100.1")
    cluster.converge()
    cluster.delete(first)
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.1",)


def test_services_with_the_same_key_share_what_the_provider_gives_both() -> None:
    """Ports are checked as everywhere."""
    cluster = Cluster(NETBOX)
    keys = {"purelb.io/allow-shared-ip": "k"}
    one = cluster.create("one", annotations=keys)
    two = cluster.create("two", annotations=keys, ports=("TCP/443",))
    bad = cluster.create("bad", annotations=keys)
    for key in (one, two, bad):
        cluster.reply(key, "198.51.100.1")
        cluster.converge()
    assert cluster.ingress(two) == ("198.51.100.1",)
    assert cluster.ingress(bad) == ()
    assert "port TCP/80" in str(cluster.ledger.problem(bad))


def test_dual_stack_is_all_or_nothing_where_it_is_required() -> None:
    """Where it is preferred the family that is there is given, and the question stands."""
    cluster = Cluster(NETBOX)
    strict = cluster.create("strict", families=(V4, V6), ipFamilyPolicy="RequireDualStack")
    loose = cluster.create("loose", families=(V4, V6), ipFamilyPolicy="PreferDualStack")
    cluster.reply(strict, "198.51.100.1")
    cluster.reply(loose, "198.51.100.2")
    cluster.converge()
    assert cluster.ingress(strict) == ()
    assert cluster.ingress(loose) == ("198.51.100.2",)
    ask = cluster.asked(loose)
    assert ask is not None
    assert ask.families == (V4, V6)


def test_a_family_added_later_is_asked_for_beside_the_one_that_is_there() -> None:
    """The address held stays; a provider that repeats it changes nothing."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.reply(web, "198.51.100.1")
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"]})
    assert isinstance(cluster.step(web), Keep)
    cluster.reply(web, "198.51.100.1", "2001:db8:5::1")
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.1", "2001:db8:5::1")


def test_a_provider_that_has_given_already_takes_nothing_away() -> None:
    """It is asked again; the Service keeps its address and says what is missing."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.reply(web, "198.51.100.1")
    cluster.converge()
    cluster.edit(web, spec={"ipFamilies": ["IPv4", "IPv6"]})
    cluster.step(web)
    cluster.fail(web, "ALREADY_EXISTS")
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.1",)
    assert "ALREADY_EXISTS" in cluster.services[web].conditions[0].message
    assert cluster.asked(web) is not None


def test_only_the_missing_family_is_asked_for_where_a_range_gave_the_other() -> None:
    """The provider does not serve a family that it never gave."""
    cluster = Cluster(group("default", "192.0.2.0/24"), external("ipam"))
    web = cluster.create("web")
    cluster.converge()
    cluster.edit(
        web,
        spec={"ipFamilies": ["IPv4", "IPv6"]},
        annotations={"purelb.io/service-group": "ipam"},
    )
    ask = cluster.asked(web)
    assert ask is not None
    assert ask.families == (V6,)


def test_without_any_family_one_address_is_taken_as_the_provider_likes() -> None:
    """API servers that do not fill ipFamilies."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web", families=())
    ask = cluster.asked(web)
    assert ask is not None
    assert ask.families == ()
    cluster.reply(web, "198.51.100.1", "2001:db8:5::1")
    cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.1",)


def test_pinned_addresses_are_asked_of_the_provider_whose_group_is_named() -> None:
    """No range has them; the provider's group must be named, else nobody knows whom to ask."""
    cluster = Cluster(group("default", "192.0.2.0/24"), external("ipam"))
    keys = {"purelb.io/service-group": "ipam", "purelb.io/addresses": "198.51.100.9"}
    web = cluster.create("web", annotations=keys)
    ask = cluster.asked(web)
    assert ask is not None
    assert (ask.pins, ask.families) == (ips("198.51.100.9"), ())
    cluster.reply(web, "198.51.100.8", "198.51.100.9")
    decisions = cluster.converge()
    assert cluster.ingress(web) == ("198.51.100.9",)
    told = [reason for decision in decisions for reason in reasons(decision)]
    assert "ConfigurationWarning" not in told


def test_a_pin_inside_a_range_is_served_from_there_whatever_group_is_named() -> None:
    """As with local groups: the address decides."""
    cluster = Cluster(group("default", "192.0.2.0/24"), external("ipam"))
    keys = {"purelb.io/service-group": "ipam", "purelb.io/addresses": "192.0.2.9"}
    web = cluster.create("web", annotations=keys)
    cluster.converge()
    assert cluster.ingress(web) == ("192.0.2.9",)


def test_families_beside_a_pin_come_from_the_provider() -> None:
    """Required dual stack waits for the answer, preferred one starts with the pin."""
    cluster = Cluster(external("default"), group("local", "192.0.2.0/24"))
    keys = {"purelb.io/addresses": "192.0.2.9"}
    both: dict[str, object] = {"families": (V4, V6), "annotations": keys}
    strict = cluster.create("strict", ipFamilyPolicy="RequireDualStack", **both)  # type: ignore[arg-type]  # a test's short cut
    assert isinstance(cluster.step(strict), Consult)
    cluster.reply(strict, "2001:db8:5::1")
    cluster.converge()
    assert cluster.ingress(strict) == ("192.0.2.9", "2001:db8:5::1")
    cluster.delete(strict)
    cluster.converge()
    loose = cluster.create("loose", ipFamilyPolicy="PreferDualStack", **both)  # type: ignore[arg-type]  # a test's short cut
    decision = cluster.step(loose)
    assert isinstance(decision, Assign)
    assert decision.report.ask is not None
    assert cluster.ingress(loose) == ("192.0.2.9",)


def test_multi_pool_has_no_effect_on_an_external_pool_and_that_is_told_once() -> None:
    """A warning beside the address, then silence."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web", annotations={"purelb.io/multi-pool": "true"})
    cluster.reply(web, "198.51.100.1")
    decision = cluster.step(web)
    assert isinstance(decision, Assign)
    assert [notice.reason for notice in decision.report.warnings] == ["ConfigurationWarning"]
    assert [c.reason for c in decision.report.counts] == [Reason.MULTIPOOL_REFUSED]
    again = cluster.step(web)
    assert isinstance(again, Keep)
    assert (again.report.warnings, again.report.counts) == ((), ())


def test_a_service_that_goes_or_leaves_asks_no_more() -> None:
    """Nor does one whose type changes."""
    cluster = Cluster(NETBOX)
    web = cluster.create("web")
    cluster.edit(web, spec={"type": "ClusterIP"})
    assert cluster.asked(web) is None
    cluster.delete(web)
    assert cluster.asked(web) is None


def test_the_question_names_no_key_where_there_is_none() -> None:
    """An empty key shares with nobody."""
    cluster = Cluster(NETBOX)
    ask = cluster.asked(cluster.create("web", families=(Family.IPV4,)))
    assert ask is not None
    assert ask.sharing == NO_SHARING
