"""Which links are selected, what they prove, and where an address belongs."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from nodeagent.core.config import NodeConfig, SelectorState, Unconfigured
from nodeagent.core.links import Ambiguous, Home, Observed, Presence, Selection
from nodeagent.core.selection import CARRIER_GRACE, GRACE, may_tear, select
from purelb.api.addresses import Family, IPAddress, parse_ip
from purelb.api.identifiers import LinkName
from purelb.api.links import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_TENTATIVE,
    OUR_MARK,
    DefaultRoute,
    Link,
    LinkAddress,
)
from purelb.api.patterns import parse_pattern
from tests.unit.nodeagent.builders import ETH0, LOCAL6, OWN, OWN6, VIP, VIP6, entry, link, route

ETH1, ETH2, DUMMY, LO = 3, 4, 5, 1
LINKS = (
    link(LO, "lo", is_loopback=True, mac=b""),
    link(),
    link(ETH1, "eth1"),
    link(ETH2, "eth2"),
    link(DUMMY, "kube-lb0"),
)
DEFAULT = NodeConfig(source="ns/default")
REGEX = NodeConfig(source="ns/default", pattern=parse_pattern("."))


def chosen(
    *addresses: LinkAddress,
    config: NodeConfig | Unconfigured = DEFAULT,
    routes: tuple[DefaultRoute, ...] = (route(),),
    links: tuple[Link, ...] = LINKS,
    vips: frozenset[IPAddress] = frozenset(),
    presence: Presence | None = None,
) -> Selection:
    """Select on a host with several links."""
    observed = Observed(links=links, addresses=addresses, routes=routes)
    return select(observed, config, vips, presence=presence or {}, now=100.0)


def home(selection: Selection, address: IPAddress = VIP) -> str | None:
    """Return the name of the link to which an address belongs."""
    found = selection.home_of(address)
    return found.nic.link.name if isinstance(found, Home) else None


def subnets(selection: Selection) -> list[str]:
    """Return what the Lease shows."""
    return [str(network) for network in selection.subnets]


def test_by_default_the_link_of_the_default_route_counts() -> None:
    """Another link with the network does not."""
    selection = chosen(entry(OWN, ETH0), entry("198.51.100.7/24", ETH1))
    assert home(selection) == "eth0"
    assert home(selection, parse_ip("198.51.100.9")) is None
    assert subnets(selection) == ["192.0.2.0/24"]


def test_the_default_route_with_the_lowest_metric_wins_per_family() -> None:
    """IPv4 and IPv6 may leave by different links."""
    routes = (route(ETH0, metric=200), route(ETH1, metric=100), route(ETH0, Family.IPV6))
    texts = ((OWN, ETH0), ("192.0.2.8/24", ETH1), (OWN6, ETH0), ("2001:db8::8/64", ETH1))
    selection = chosen(*(entry(text, index) for text, index in texts), routes=routes)
    assert home(selection) == "eth1"
    assert home(selection, VIP6) == "eth0"


def test_a_family_without_a_default_route_uses_the_others_link() -> None:
    """Its network is advertised in any case, so the node may be elected."""
    selection = chosen(entry(OWN), entry(OWN6))
    assert home(selection, VIP6) == "eth0"
    assert subnets(selection) == ["192.0.2.0/24", "2001:db8::/64"]


def test_without_any_default_route_nothing_is_selected() -> None:
    """Neither subnets nor a home."""
    selection = chosen(entry(OWN), routes=())
    assert (home(selection), selection.subnets, selection.nics) == (None, (), ())


def test_of_several_equal_default_routes_the_one_with_the_network_counts() -> None:
    """As with a multipath route; two next hops over one link are one link."""
    routes = (route(ETH0), route(ETH1), route(ETH1))
    selection = chosen(entry("198.51.100.7/24", ETH0), entry(OWN, ETH1), routes=routes)
    assert home(selection) == "eth1"
    assert subnets(selection) == ["192.0.2.0/24", "198.51.100.0/24"]


def test_two_links_of_equal_default_routes_in_one_network_are_ambiguous() -> None:
    """Nobody guesses; naming one of them in `interfaces` settles it."""
    places = (entry(OWN, ETH0), entry("192.0.2.8/24", ETH1))
    routes = (route(ETH0), route(ETH1))
    found = chosen(*places, routes=routes).home_of(VIP)
    assert isinstance(found, Ambiguous)
    assert found.links == ("eth0", "eth1")
    assert found.routes == ("default dev eth0 metric 0", "default dev eth1 metric 0")
    settled = replace(DEFAULT, extra=(LinkName("eth1"),))
    assert home(chosen(*places, routes=routes, config=settled)) == "eth1"


@pytest.mark.parametrize(
    ("config", "routes", "expected"),
    [
        (DEFAULT, (route(ETH0), route(ETH1)), True),
        (DEFAULT, (route(ETH0), route(ETH2)), False),
        (DEFAULT, (route(ETH0), route(ETH1, metric=5)), False),
        (REGEX, (route(ETH0), route(ETH1)), False),
        (Unconfigured(state=SelectorState.DEFAULT), (route(ETH0), route(ETH1)), False),
    ],
    ids=["one-network", "two-networks", "two-metrics", "by-name", "unconfigured"],
)
def test_default_routes_tear_addresses_only_between_links_of_one_network(
    config: NodeConfig | Unconfigured, routes: tuple[DefaultRoute, ...], expected: bool
) -> None:
    """Link-local networks are everywhere and nobody's."""
    places = (
        entry(OWN, ETH0),
        entry("192.0.2.8/24", ETH1),
        entry("198.51.100.7/24", ETH2),
        *(entry(LOCAL6, index) for index in (ETH0, ETH1, ETH2)),
    )
    assert may_tear(Observed(links=LINKS, addresses=places, routes=routes), config) is expected


def test_extra_interfaces_come_after_the_default_one_in_their_order() -> None:
    """Missing ones are skipped."""
    config = replace(DEFAULT, extra=(LinkName("none"), LinkName("eth2"), LinkName("eth1")))
    places = (entry("198.51.100.7/24", ETH1), entry("198.51.100.8/24", ETH2), entry(OWN))
    selection = chosen(*places, config=config)
    assert home(selection) == "eth0"
    assert home(selection, parse_ip("198.51.100.9")) == "eth2"
    assert [nic.link.name for nic in selection.nics] == ["eth0", "eth2", "eth1"]


def test_an_expression_selects_by_name_in_order_without_loopback_and_dummy() -> None:
    """The first link with the network wins; default routes do not matter."""
    places = [entry(OWN, index) for index in (LO, DUMMY, ETH2, ETH1)]
    selection = chosen(*places, config=REGEX, routes=())
    assert home(selection) == "eth1"
    assert [nic.link.name for nic in selection.nics] == ["eth0", "eth1", "eth2"]


def test_the_dummy_is_not_local_even_if_the_default_route_leaves_by_it() -> None:
    """Its addresses prove no network."""
    assert chosen(entry(OWN, DUMMY), routes=(route(DUMMY),)).nics == ()


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (SelectorState.DEFAULT, ["192.0.2.0/24"]),
        (SelectorState.DESELECTED, []),
        (SelectorState.INVALID, []),
    ],
)
def test_without_configuration_only_the_default_state_shows_subnets(
    state: SelectorState, shown: list[str]
) -> None:
    """Users read them."""
    assert subnets(chosen(entry(OWN), config=Unconfigured(state=state))) == shown


def test_our_own_addresses_prove_no_network() -> None:
    """By mark, by record, or because a Service of ours has them."""
    marked = entry(f"{VIP}/24", mark=OUR_MARK)
    assert chosen(marked).subnets == ()
    assert chosen(entry(f"{VIP}/24"), vips=frozenset({VIP})).subnets == ()
    assert chosen(entry(f"{VIP}/24")).subnets != ()


def test_host_and_link_local_addresses_of_ipv4_count_as_networks() -> None:
    """A node's own /32 does; IPv6 link-local ones are not shown."""
    places = [entry(text) for text in ("192.0.2.7/32", "169.254.1.1/16", LOCAL6, OWN6)]
    assert subnets(chosen(*places)) == ["169.254.0.0/16", "192.0.2.7/32", "2001:db8::/64"]


def test_subnets_are_sorted_as_texts_and_named_once() -> None:
    """As PureLB writes them."""
    places = [entry(text) for text in ("9.0.0.1/8", "10.0.0.1/8", "10.0.0.2/8")]
    assert subnets(chosen(*places)) == ["10.0.0.0/8", "9.0.0.0/8"]


@pytest.mark.parametrize("flag", [IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE])
def test_unusable_ipv6_addresses_prove_nothing(flag: int) -> None:
    """IPv4 has no such flags."""
    selection = chosen(entry(OWN6, flags=flag), entry(OWN, flags=flag))
    assert subnets(selection) == ["192.0.2.0/24"]


@pytest.mark.parametrize("broken", [link(is_up=False), link(has_carrier=False)])
def test_a_link_that_is_down_proves_nothing(broken: Link) -> None:
    """It remains selected."""
    selection = chosen(entry(OWN), links=(broken,))
    assert (selection.subnets, len(selection.nics)) == ((), 1)


def again(
    presence: Presence, now: float, *addresses: LinkAddress, links: tuple[Link, ...] = LINKS
) -> Selection:
    """Select once more after some time, without routes: network managers take them, too."""
    observed = Observed(links=links, addresses=addresses, routes=())
    return select(observed, DEFAULT, frozenset(), presence=presence, now=now)


def test_a_network_that_vanishes_counts_a_little_longer() -> None:
    """A restart of a network manager must not move addresses to another node."""
    before = chosen(entry(OWN)).presence
    gone = again(before, 300.0)
    found = gone.home_of(VIP)
    assert isinstance(found, Home)
    assert (found.nic.link.name, found.is_steady) == ("eth0", False)
    assert (subnets(gone), gone.expires_at) == (["192.0.2.0/24"], 300.0 + GRACE)
    late = again(gone.presence, 300.0 + GRACE)
    assert (late.home_of(VIP), late.subnets, late.expires_at) == (None, (), None)


@pytest.mark.parametrize(
    "links",
    [
        pytest.param((link(has_carrier=False),), id="no-carrier"),
        pytest.param((link(is_up=False),), id="down"),
        pytest.param((), id="deleted"),
    ],
)
def test_without_a_link_that_works_a_network_counts_for_less_than_a_second(
    links: tuple[Link, ...],
) -> None:
    """Nobody is served, whatever addresses are left; another node shall take over."""
    gone = again(chosen(entry(OWN)).presence, 300.0, entry(OWN), links=links)
    assert (subnets(gone), gone.expires_at) == (["192.0.2.0/24"], 300.0 + CARRIER_GRACE)
    assert again(gone.presence, 301.0, entry(OWN), links=links).subnets == ()


def test_a_renamed_link_is_followed_by_its_index() -> None:
    """Its routes and IPv6 addresses go when it is switched off for that."""
    before = chosen(entry(OWN), entry(OWN6)).presence
    renamed = link(name="lan0")
    gone = again(before, 300.0, entry(OWN), links=(replace(renamed, is_up=False),))
    found = gone.home_of(VIP)
    assert isinstance(found, Home)
    assert (found.nic.link.name, found.is_steady) == ("lan0", False)
    back = chosen(entry(OWN), entry(OWN6), links=(renamed,), presence=gone.presence)
    assert home(back) == "lan0"
    assert back.expires_at is None


def test_a_link_that_is_made_anew_is_followed_by_its_name() -> None:
    """With another index; while its address is not back, it is the home all the same."""
    before = chosen(entry(OWN)).presence
    gone = again(before, 300.0, links=(link(9, "eth0"),))
    found = gone.home_of(VIP)
    assert isinstance(found, Home)
    assert (found.nic.link.index, found.is_steady) == (9, False)


@pytest.mark.parametrize(
    ("links", "flags", "counts"),
    [
        pytest.param(LINKS, IFA_F_TENTATIVE, True, id="detecting"),
        pytest.param(LINKS, IFA_F_TENTATIVE | IFA_F_DADFAILED, False, id="duplicate"),
        pytest.param((link(has_carrier=False),), IFA_F_TENTATIVE, False, id="no-carrier"),
    ],
)
def test_a_network_counts_as_long_as_its_address_is_in_detection(
    links: tuple[Link, ...], flags: int, *, counts: bool
) -> None:
    """Detection takes up to two seconds from the return of the address on."""
    presence = chosen(entry(OWN6)).presence
    seen = Observed(links=links, addresses=(entry(OWN6, flags=flags),), routes=(route(),))
    for now in (300.0, 300.0 + GRACE - 0.1, 300.0 + GRACE + 0.1):
        found = select(seen, DEFAULT, frozenset(), presence=presence, now=now)
        presence = found.presence
    assert (subnets(found) == ["2001:db8::/64"]) is counts


def test_a_link_that_vanishes_has_no_home_but_its_network_still_counts() -> None:
    """It may come back under its name."""
    gone = again(chosen(entry(OWN)).presence, 300.0, links=())
    assert (gone.home_of(VIP), subnets(gone)) == (None, ["192.0.2.0/24"])


def test_a_selected_link_knows_its_usable_link_local_address() -> None:
    """Advertisements come from there."""
    places = (entry(OWN6), entry("fe80::8/64", flags=IFA_F_TENTATIVE), entry(LOCAL6))
    assert chosen(*places).nics[0].link_local == parse_ip("fe80::7")
    assert chosen(*places[:2]).nics[0].link_local is None


def test_a_strangers_address_on_a_selected_link_is_known() -> None:
    """It must not be announced as a VIP."""
    selection = chosen(entry(OWN6), config=replace(DEFAULT, extra=(LinkName("eth1"),)))
    assert selection.holder_of(parse_ip("192.0.2.7")) is None
    selection = chosen(entry(OWN))
    assert selection.holder_of(parse_ip("192.0.2.7")) == "eth0"
    assert selection.holder_of(VIP) is None


def test_a_network_is_found_among_several() -> None:
    """The first that contains the address is named."""
    found = chosen(entry("10.0.0.1/8"), entry(OWN)).home_of(VIP)
    assert isinstance(found, Home)
    assert found.network == ip_network("192.0.2.0/24")
