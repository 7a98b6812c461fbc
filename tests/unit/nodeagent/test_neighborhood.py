"""Which Leases belong to which watch."""

from ipaddress import IPv4Network, ip_network
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.neighborhood import (
    GROUP,
    GROUPS,
    MOST_WATCHES,
    Share,
    followed,
    group_of,
    lease_labels,
    share_of,
    shares,
    subnet_label,
)
from playground.apiserver.selectors import parsed
from purelb.api.addresses import IPNetwork
from purelb.api.identifiers import NodeName
from purelb.api.views import MOST_SUBNETS

Networks: TypeAlias = list[IPv4Network]

ME, OTHER = NodeName("node-a"), NodeName("node-b")
NETWORKS = [IPv4Network(f"10.{number}.0.0/16") for number in range(12)]
networks = st.lists(st.sampled_from(NETWORKS), unique=True)
nodes = st.integers(0, 500).map(lambda number: NodeName(f"node-{number}"))


def shows(share: Share, node: NodeName, labels: dict[str, str]) -> bool:
    """Tell whether the API server would show a Lease with these labels to a node."""
    selector = parsed(share.selector(node), "", {})
    return selector.matches({"metadata": {"labels": labels}})


@given(own=networks, theirs=networks, node=nodes)
def test_each_lease_that_matters_is_in_exactly_one_share(
    own: Networks, theirs: Networks, node: NodeName
) -> None:
    """Those of nodes that share no network are in none, unless the last takes what is left."""
    labels = lease_labels(node, theirs)
    found = [share for share in shares(own) if share.has(labels)]
    assert len(found) <= 1
    if not set(own).isdisjoint(theirs):
        assert found


@given(own=networks, theirs=networks, node=nodes)
def test_a_watch_shows_its_share_and_hardly_more(
    own: Networks, theirs: Networks, node: NodeName
) -> None:
    """What else it shows is of the own group: the pulse."""
    labels = lease_labels(node, theirs)
    for share in shares(own):
        is_shown = shows(share, ME, labels)
        assert is_shown or not share.has(labels)
        assert not is_shown or share.has(labels) or group_of(node) == group_of(ME)


@given(own=networks)
def test_each_watch_shows_the_own_lease(own: Networks) -> None:
    """Whatever networks the node has: without a pulse, silence would say nothing."""
    labels = lease_labels(ME, own)
    assert all(shows(share, ME, labels) for share in shares(own))


def test_leases_without_labels_are_in_the_first_share() -> None:
    """PureLB's agents know nothing of them."""
    plain = {"app.kubernetes.io/component": "lbnodeagent"}
    found = shares(NETWORKS[:2])
    assert [share.has(plain) for share in found] == [True, False, False]
    assert [shows(share, ME, plain) for share in found] == [True, False, False]


def test_a_network_more_leaves_the_shares_before_it_alone() -> None:
    """Watches that run need not be asked for anew."""
    for count in range(len(NETWORKS)):
        before, after = shares(NETWORKS[:count]), shares(NETWORKS[: count + 1])
        assert after[: len(before)] == before


def test_a_node_with_many_networks_has_few_watches() -> None:
    """The last takes whatever the others have not."""
    found = shares(NETWORKS)
    assert len(found) == MOST_WATCHES + 2
    assert found[-1].key == GROUP


def test_a_network_is_known_once_its_share_and_those_before_are() -> None:
    """It is the last of those that may have nodes of it."""
    found = [share_of(NETWORKS, NETWORKS[at]) for at in (0, MOST_WATCHES - 1, MOST_WATCHES, 11)]
    assert found == [1, MOST_WATCHES, MOST_WATCHES + 1, MOST_WATCHES + 1]
    assert share_of(NETWORKS[:1], NETWORKS[1]) is None


@pytest.mark.parametrize("text", ["10.0.0.0/8", "2001:db8::/64"])
def test_labels_are_valid(text: str) -> None:
    """A key has a prefix and up to 63 letters or digits."""
    (key,) = lease_labels(OTHER, [ip_network(text)]).keys() - {GROUP}
    prefix, _, name = key.partition("/")
    assert (key, prefix) == (subnet_label(ip_network(text)), "subnet.purelb.io")
    assert 0 < len(name) <= 63
    assert name.isalnum()


def test_nodes_are_dealt_evenly() -> None:
    """All groups are used, none by a tenth of the nodes."""
    found = [group_of(NodeName(f"node-{number}")) for number in range(1000)]
    assert set(found) == set(GROUPS)
    assert max(found.count(group) for group in GROUPS) < 100


def test_a_node_whose_network_changes_for_ever_goes_on_to_show_the_present_one() -> None:
    """What a Lease has room for goes to present networks first, and to those with a watch."""
    fixed = IPv4Network("192.0.2.0/24")
    known: tuple[IPNetwork, ...] = ()
    for number in range(2 * MOST_SUBNETS):
        prefix = IPv4Network((0x0A000000 + (number << 8), 24))
        known = followed(known, [fixed, prefix])
        assert {fixed, prefix} <= set(known)
        assert len(known) <= MOST_SUBNETS
    assert known[0] == fixed
    assert shares(known)[1 : MOST_WATCHES + 1] == shares(followed((), known[:MOST_WATCHES]))[1:]
