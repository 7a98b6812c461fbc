"""What is wrong on a host, as its kernel shows it, and what is not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from nodeagent.core.config import NodeConfig
from nodeagent.core.findings import Check, Finding
from nodeagent.core.hostchecks import check
from nodeagent.core.hostfacts import ALL, OUTSIDE, Host, Sysctls, inspected, questions
from nodeagent.core.links import Observed
from nodeagent.core.selection import select
from purelb.api.addresses import Family, parse_ip
from purelb.api.identifiers import LinkName
from purelb.api.links import (
    IFA_F_SECONDARY,
    OUR_MARK,
    DefaultRoute,
    Link,
    LinkAddress,
    RouteAnswer,
    RouteQuery,
)
from purelb.api.patterns import parse_pattern
from purelb.api.problems import NoticeType
from purelb.api.views import NodeView
from tests.unit.nodeagent.builders import ETH0, LOCAL6, OWN, OWN6, VIP, VIP6, A, entry, link, route

ETH1, IPVS = 3, 9
LINK0, LINK1 = LinkName("eth0"), LinkName("eth1")
DEFAULT = NodeConfig(source="ns/default")
TWO = replace(DEFAULT, extra=(LINK1,))
OTHER = "198.51.100.7/24"
OUT4, OUT6 = OUTSIDE[Family.IPV4], OUTSIDE[Family.IPV6]
STRICT_ARP = Sysctls(arp_ignore=1, arp_announce=2)
OFF = Sysctls(rp_filter=0, arp_ignore=0, arp_announce=0, promote_secondaries=0)


def host(
    *addresses: LinkAddress,
    config: NodeConfig = DEFAULT,
    links: tuple[Link, ...] = (link(), link(ETH1, "eth1")),
    routes: tuple[DefaultRoute, ...] = (route(), route(family=Family.IPV6)),
    sysctls: Mapping[str, Sysctls] | None = None,
    has_marks: bool = True,
    **others: object,
) -> Host:
    """Build the facts of a host; everything that is asked for the kernel answers well."""
    vips = frozenset({VIP, VIP6})
    observed = Observed(links=links, addresses=addresses, routes=routes, has_marks=has_marks)
    selection = select(observed, config, vips, presence={}, now=100.0)
    read = {ALL: OFF} | {LinkName(name): one for name, one in (sysctls or {}).items()}
    found = Host(config=config, observed=observed, selection=selection, vips=vips, sysctls=read)
    return replace(found, **others)  # type: ignore[arg-type]  # by name


def found(facts: Host, kind: Check) -> list[Finding]:
    """Return what one check says."""
    return [one for one in check(facts) if one.check is kind]


def message(facts: Host, kind: Check) -> str:
    """Return the one message of a check."""
    (one,) = found(facts, kind)
    return one.message


def answer(index: int = ETH0, source: str = "", gateway: str = "") -> RouteAnswer:
    """Build the kernel's answer."""
    return RouteAnswer(
        index=index,
        source=parse_ip(source) if source else None,
        gateway=parse_ip(gateway) if gateway else None,
    )


def test_a_usual_host_has_nothing_wrong() -> None:
    """Also with settings that would do harm elsewhere."""
    entries = (entry(OWN), entry(OWN6), entry(f"{VIP}/32", mark=OUR_MARK))
    ways = {
        RouteQuery(to=parse_ip("192.0.2.1")): answer(source="192.0.2.7"),
        RouteQuery(to=OUT4): answer(source="192.0.2.7", gateway="192.0.2.1"),
        RouteQuery(to=OUT4, source=VIP): answer(gateway="192.0.2.1"),
    }
    settings = {"eth0": Sysctls(rp_filter=1, arp_ignore=0, arp_announce=0, promote_secondaries=0)}
    facts = host(*entries, ways=ways, sysctls=settings, held={VIP: LINK0})
    assert check(facts) == ()


def test_an_interface_that_is_missing_is_named_with_its_field() -> None:
    """Once for each."""
    facts = host(entry(OWN), config=replace(DEFAULT, extra=(LINK1, LinkName("eth7"))))
    (one,) = found(facts, Check.CONFIGURATION)
    assert (one.subject, one.key) == ("spec.local.interfaces", "ns/default")
    assert "no interface eth7" in one.message


def test_an_expression_that_matches_nothing_is_named_with_what_there_is() -> None:
    """The loopback link and the dummy are never matched."""
    config = replace(DEFAULT, pattern=parse_pattern("^ens|lo|kube"))
    links = (link(1, "lo", is_loopback=True), link(), link(5, "kube-lb0"))
    (one,) = found(host(config=config, links=links), Check.CONFIGURATION)
    assert one.subject == "spec.local.localInterface"
    assert one.message == "'^ens|lo|kube' matches no interface of this node, which has eth0"


def test_an_expression_that_matches_is_no_fault() -> None:
    """Extra interfaces or not."""
    config = replace(DEFAULT, pattern=parse_pattern("th0"), extra=(LINK1,))
    assert found(host(entry(OWN), config=config), Check.CONFIGURATION) == []


@pytest.mark.parametrize("name", ["lo", "eth0"])
def test_a_dummy_interface_that_the_node_lives_on_is_named(name: str) -> None:
    """The loopback link, or one of a default route."""
    links = (link(1, "lo", is_loopback=True), link())
    facts = host(entry(OWN), config=replace(DEFAULT, dummy=LinkName(name)), links=links)
    assert "spec.local.dummyInterface" in [one.subject for one in check(facts)]


def test_a_dummy_interface_that_cannot_be_used_is_named_with_what_is_wrong() -> None:
    """As an error of the configuration, once: the loopback link is complained of anyway."""
    facts = replace(host(entry(OWN)), dummy_trouble="link kube-lb0 is somebody else's")
    (one,) = found(facts, Check.CONFIGURATION)
    assert (one.subject, one.reason) == ("spec.local.dummyInterface", "ConfigError")
    assert one.message == "no remote address here: link kube-lb0 is somebody else's"
    links = (link(1, "lo", is_loopback=True), link())
    lo = host(entry(OWN), config=replace(DEFAULT, dummy=LinkName("lo")), links=links)
    assert len(found(replace(lo, dummy_trouble="no"), Check.CONFIGURATION)) == 1


def test_a_node_without_default_route_is_told_what_to_do() -> None:
    """Only if the configuration asks for it."""
    facts = host(entry(OWN), routes=())
    assert "localInterface default selects no interface" in message(facts, Check.DEFAULT_ROUTE)
    by_name = replace(DEFAULT, pattern=parse_pattern("eth0"))
    assert found(host(entry(OWN), routes=(), config=by_name), Check.DEFAULT_ROUTE) == []


def test_ambiguous_default_routes_are_named() -> None:
    """Two routes of one metric, and both links are in the network."""
    both = (route(), route(ETH1))
    text = message(host(entry(OWN), entry("192.0.2.8/24", ETH1), routes=both), Check.DEFAULT_ROUTE)
    assert text.startswith("default dev eth0 metric 0; default dev eth1 metric 0: both interfaces")


@pytest.mark.parametrize(
    ("config", "second", "metric"),
    [
        pytest.param(DEFAULT, "192.0.2.8/24", 100, id="another-metric"),
        pytest.param(DEFAULT, OTHER, 0, id="another-network"),
        pytest.param(TWO, "192.0.2.8/24", 0, id="named-in-interfaces"),
    ],
)
def test_several_default_routes_need_not_be_ambiguous(
    config: NodeConfig, second: str, metric: int
) -> None:
    """The contract has an answer for these."""
    both = (route(), route(ETH1, metric=metric))
    facts = host(entry(OWN), entry(second, ETH1), routes=both, config=config)
    assert found(facts, Check.DEFAULT_ROUTE) == []


@pytest.mark.parametrize(
    ("broken", "text"),
    [(link(has_carrier=False), "has no carrier"), (link(is_up=False), "is switched off")],
)
def test_a_selected_link_that_does_not_work_is_named(broken: Link, text: str) -> None:
    """With what that means for elections."""
    assert text in message(host(entry(OWN), links=(broken,)), Check.CARRIER)


def test_links_without_cable_that_nobody_uses_are_no_fault() -> None:
    """An expression often matches some; a name in `interfaces` is meant."""
    links = (link(), link(ETH1, "eth1", has_carrier=False))
    regex = replace(DEFAULT, pattern=parse_pattern("eth"))
    facts = host(entry(OWN), entry(LOCAL6, ETH1), links=links, config=regex)
    assert found(facts, Check.CARRIER) == []
    named = found(host(entry(OWN), links=links, config=TWO), Check.CARRIER)
    assert [one.subject for one in named] == ["eth1"]


@pytest.mark.parametrize("way", [None, answer(gateway="192.0.2.1")])
def test_a_network_without_its_connected_route_is_named(way: RouteAnswer | None) -> None:
    """Neighbors are asked for over a router, or not at all."""
    facts = host(entry(OWN), ways={RouteQuery(to=parse_ip("192.0.2.1")): way})
    assert "ip route add 192.0.2.0/24 dev eth0" in message(facts, Check.CONNECTED_ROUTE)


def test_traffic_of_the_node_itself_from_a_service_address_is_named() -> None:
    """As source for neighbors or for the world; asked with a source, it says nothing."""
    way = answer(source=str(VIP))
    facts = host(entry(OWN), ways={RouteQuery(to=OUT4): way})
    (one,) = found(facts, Check.SOURCE_ADDRESS)
    assert (one.subject, "on eth0" in one.message) == (str(VIP), True)
    asked = {RouteQuery(to=OUT4, source=VIP): way}
    assert found(replace(facts, ways=asked), Check.SOURCE_ADDRESS) == []


@pytest.mark.parametrize(
    ("all_links", "own", "index", "is_wrong"),
    [
        (1, 0, ETH0, True),
        (0, 1, ETH0, True),
        (1, 2, ETH0, False),
        (0, 0, ETH0, False),
        (1, 1, ETH1, False),
        (1, None, ETH0, False),
    ],
)
def test_strict_reverse_path_filtering_is_wrong_where_answers_leave_otherwise(
    all_links: int, own: int | None, index: int, *, is_wrong: bool
) -> None:
    """The larger of both settings counts (ip-sysctl); a source rule makes the way right."""
    facts = host(
        entry(OWN),
        entry(OTHER, ETH1),
        config=TWO,
        sysctls={ALL: Sysctls(rp_filter=all_links), "eth1": Sysctls(rp_filter=own)},
    )
    query = RouteQuery(to=OUT4, source=parse_ip("198.51.100.7"))
    facts = replace(facts, ways={query: answer(index)})
    assert query in questions(facts)
    named = found(facts, Check.REVERSE_PATH)
    assert [one.subject for one in named] == (["eth1"] if is_wrong else [])
    assert all("net.ipv4.conf.eth1.rp_filter=2" in one.message for one in named)


def test_the_way_back_is_asked_from_an_announced_address() -> None:
    """Rules may be for those alone."""
    vip = parse_ip("198.51.100.100")
    facts = host(entry(OWN), entry(OTHER, ETH1), config=TWO, held={vip: LINK1})
    assert RouteQuery(to=OUT4, source=vip) in questions(facts)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, ["eth0", "eth1"]),
        ({ALL: STRICT_ARP}, []),
        ({ALL: Sysctls(arp_ignore=1, arp_announce=0)}, ["eth0", "eth1"]),
        ({"eth0": STRICT_ARP}, ["eth1"]),
    ],
)
def test_two_links_in_one_network_must_not_answer_for_each_other(
    settings: Mapping[str, Sysctls], wrong: list[str]
) -> None:
    """Also one that is not selected."""
    read = {"eth0": OFF, "eth1": OFF} | dict(settings)
    facts = host(entry(OWN), entry("192.0.2.8/24", ETH1), sysctls=read)
    assert inspected(facts) == ("eth0", "eth1")
    named = found(facts, Check.ARP)
    assert [one.subject for one in named] == wrong
    assert all("arp_ignore=1" in one.message for one in named)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(entry(OTHER, ETH1), id="another-network"),
        pytest.param(entry("192.0.2.8/32", ETH1), id="host-address"),
        pytest.param(entry("192.0.2.8/24", ETH1, mark=OUR_MARK), id="ours"),
        pytest.param(entry(f"{VIP}/24", ETH1), id="of-a-service"),
        pytest.param(entry("192.0.2.8/24", 77), id="link-that-went"),
    ],
)
def test_other_links_outside_the_network_may_answer(other: LinkAddress) -> None:
    """They have nothing to answer for."""
    facts = host(entry(OWN), other, sysctls={"eth0": OFF, "eth1": OFF})
    assert found(facts, Check.ARP) == []


def test_kube_proxy_in_ipvs_mode_needs_strict_arp() -> None:
    """It has all addresses on a link of its own, on every node."""
    links = (link(), link(IPVS, "kube-ipvs0", is_up=False))
    facts = host(entry(OWN), links=links, sysctls={"eth0": OFF})
    assert "strictARP: true" in message(facts, Check.ARP)
    strict = host(entry(OWN), links=links, sysctls={ALL: STRICT_ARP, "eth0": OFF})
    assert found(strict, Check.ARP) == []
    unread = host(entry(OWN), links=links, sysctls={"eth0": Sysctls()})
    assert found(unread, Check.ARP) == []
    assert found(host(entry(OWN6), links=links, sysctls={"eth0": OFF}), Check.ARP) == []


def test_a_link_that_never_answers_is_named() -> None:
    """arp_ignore 8, documented in ip-sysctl."""
    facts = host(entry(OWN), sysctls={"eth0": Sysctls(arp_ignore=8)})
    assert "arp_ignore is 8" in message(facts, Check.ARP)


def test_a_service_address_as_the_nodes_identity_is_named() -> None:
    """kubelet has adopted it, or the pool has the node's own."""
    node = NodeView(name=A, addresses=(VIP, parse_ip("192.0.2.7")))
    adopted = host(entry(OWN), entry(f"{VIP}/32", mark=OUR_MARK), node=node)
    assert "--node-ip=192.0.2.7" in message(adopted, Check.NODE_ADDRESS)
    own = host(entry(OWN), node=NodeView(name=A, addresses=(VIP,)))
    assert "take it out of the ServiceGroup's pool" in message(own, Check.NODE_ADDRESS)
    nobody = NodeView(name=A, addresses=(VIP6,))
    adopted6 = host(entry(OWN), entry(LOCAL6), entry(f"{VIP6}/128", mark=OUR_MARK), node=nobody)
    assert "--node-ip=ADDRESS" in message(adopted6, Check.NODE_ADDRESS)


@pytest.mark.parametrize(
    ("flags", "setting", "is_wrong"),
    [(IFA_F_SECONDARY, 0, True), (IFA_F_SECONDARY, 1, False), (0, 0, False)],
)
def test_secondaries_that_would_go_with_the_first_are_named(
    flags: int, setting: int, *, is_wrong: bool
) -> None:
    """Without any there is nothing to lose."""
    entries = (entry(OWN), entry("192.0.2.9/24", flags=flags), entry(OWN6, flags=flags))
    facts = host(*entries, sysctls={"eth0": Sysctls(promote_secondaries=setting)})
    assert bool(found(facts, Check.PROMOTION)) is is_wrong


def test_a_pool_that_no_node_can_announce_is_named() -> None:
    """The group, in order."""
    named = found(host(entry(OWN), unreachable=frozenset({"b", "a"})), Check.POOL)
    assert [one.subject for one in named] == ["ServiceGroup a", "ServiceGroup b"]


def test_a_kernel_without_marks_is_a_remark() -> None:
    """It works, a little worse."""
    (one,) = found(host(entry(OWN), has_marks=False), Check.KERNEL)
    assert one.severity is NoticeType.NORMAL


def test_a_neighbor_that_is_asked_for_is_nobody_here() -> None:
    """Neither the node's own address nor one of a Service; IPv6 link-local needs no question."""
    asked = questions(host(entry("192.0.2.1/24"), entry(OWN6), entry(LOCAL6)))
    assert asked == (
        RouteQuery(to=parse_ip("192.0.2.2")),
        RouteQuery(to=parse_ip("2001:db8::1")),
        RouteQuery(to=OUT4),
        RouteQuery(to=OUT6),
        RouteQuery(to=OUT4, source=parse_ip("192.0.2.1")),
    )
    assert questions(host(entry("192.0.2.7/32"))) == (
        RouteQuery(to=OUT4),
        RouteQuery(to=OUT4, source=parse_ip("192.0.2.7")),
    )
    assert questions(host()) == ()
