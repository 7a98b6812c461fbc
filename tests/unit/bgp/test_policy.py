"""How policies of single neighbors become one chain for all."""

from ipaddress import IPv6Address

from bgp.core.desired import desire
from bgp.core.model import (
    NO_POLICIES,
    AfiSafi,
    Change,
    DefinedSet,
    Match,
    Policies,
    PrefixMatch,
    SetKind,
    Statement,
)
from tests.unit.bgp.builders import Body, body, group, neighbor, spec_of, world

V6 = [{"family": "ipv6-unicast", "enabled": True}]
OWN = Statement(name="purelb-own", is_own=True, accepts=True)
ONLY = (SetKind.NEIGHBOR, Match.ANY, "purelb-192.0.2.1")
NEIGHBOR = DefinedSet(kind=SetKind.NEIGHBOR, name="purelb-192.0.2.1", texts=("192.0.2.1/32",))


def policies_of(content: Body, **facts: object) -> Policies:
    """Return what node-a's engine gets."""
    return desire(spec_of(content), world(**facts)).engine.policies


def policy(name: str, *statements: Body) -> Body:
    """Return a policy definition."""
    return {"name": name, "statements": list(statements)}


def statement(name: str = "s", action: str = "accept", **parts: object) -> Body:
    """Return a statement; parts are its conditions."""
    return {"name": name, "conditions": parts, "actions": {"routeAction": action}}


def test_without_policies_there_are_none() -> None:
    """Everything is accepted, as by the engine itself."""
    assert policies_of(body()) == NO_POLICIES


def test_a_policy_for_all_is_the_chain_and_spares_our_own_routes_on_import() -> None:
    """The engine runs what we originate through import policies, too (measured)."""
    refs = {"policies": ["p"], "defaultAction": "reject"}
    overall = {"asn": 64512, "applyPolicy": {"importPolicy": refs, "exportPolicy": refs}}
    found = policies_of(body(**{"global": overall}, policyDefinitions=[policy("p", statement())]))
    assert found == Policies(
        imports=(OWN, Statement(name="purelb-in-p-s", accepts=True)),
        exports=(Statement(name="purelb-out-p-s", accepts=True),),
        accepts_imports=False,
        accepts_exports=False,
    )


def test_a_neighbors_policy_is_for_it_alone_and_ends_with_its_default() -> None:
    """What it does not decide does not fall through to the policy for all."""
    mine = neighbor(applyPolicy={"exportPolicy": {"policies": ["p"], "defaultAction": "reject"}})
    overall = {"asn": 64512, "applyPolicy": {"exportPolicy": {"policies": ["q"]}}}
    content = body(
        **{"global": overall},
        neighbors=[mine],
        policyDefinitions=[policy("p", statement()), policy("q", statement(action="reject"))],
    )
    assert policies_of(content) == Policies(
        sets=(NEIGHBOR,),
        exports=(
            Statement(name="purelb-out-192.0.2.1-p-s", sets=(ONLY,), accepts=True),
            Statement(name="purelb-out-192.0.2.1", sets=(ONLY,), accepts=False),
            Statement(name="purelb-out-q-s", accepts=False),
        ),
    )


def test_a_group_s_policy_counts_for_members_without_their_own() -> None:
    """In each direction by itself."""
    shared = {"importPolicy": {"defaultAction": "reject"}, "exportPolicy": {"policies": ["p"]}}
    mine = neighbor(
        config={"peerGroup": "tor"}, applyPolicy={"exportPolicy": {"defaultAction": "accept"}}
    )
    content = body(
        neighbors=[mine],
        peerGroups=[group(applyPolicy=shared)],
        policyDefinitions=[policy("p", statement())],
    )
    assert policies_of(content) == Policies(
        sets=(NEIGHBOR,),
        imports=(OWN, Statement(name="purelb-in-192.0.2.1", sets=(ONLY,), accepts=False)),
        exports=(Statement(name="purelb-out-192.0.2.1", sets=(ONLY,), accepts=True),),
    )


def test_a_range_has_its_group_s_policy() -> None:
    """Its members are known by its prefix."""
    content = body(
        neighbors=[],
        peerGroups=[group(applyPolicy={"importPolicy": {"defaultAction": "reject"}})],
        dynamicNeighbors=[{"prefix": "198.51.100.0/24", "peerGroup": "tor"}],
    )
    found = policies_of(content)
    assert [one.texts for one in found.sets] == [("198.51.100.0/24",)]
    assert [one.accepts for one in found.imports] == [True, False]


def test_a_condition_on_neighbors_is_decided_beforehand_in_a_neighbors_policy() -> None:
    """A statement has room for one such condition."""
    near = {"type": "neighbor", "name": "near", "list": ["192.0.2.0/24", "2001:db8::/64"]}
    far = {"type": "neighbor", "name": "far", "list": ["198.51.100.1"]}
    chosen = policy(
        "p",
        statement("one", neighborSet={"name": "near", "match": "any"}),
        statement("two", neighborSet={"name": "far", "match": "any"}),
        statement("three", neighborSet={"name": "near", "match": "invert"}),
        statement("four", neighborSet={"name": "far", "match": "invert"}),
    )
    content = body(
        neighbors=[neighbor(applyPolicy={"importPolicy": {"policies": ["p"]}})],
        definedSets=[near, far],
        policyDefinitions=[chosen],
    )
    found = policies_of(content)
    names = [one.name for one in found.imports]
    assert names == [
        "purelb-own",
        "purelb-in-192.0.2.1-p-one",
        "purelb-in-192.0.2.1-p-four",
        "purelb-in-192.0.2.1",
    ]
    assert found.sets == (NEIGHBOR,)


FULL = {
    "name": "s",
    "conditions": {
        "prefixSet": {"name": "ps", "match": "invert"},
        "neighborSet": {"name": "ns"},
        "asPathSet": {"name": "as", "match": "all"},
        "communitySet": {"name": "cs", "match": "any"},
        "rpkiResult": "valid",
    },
    "actions": {
        "routeAction": "reject",
        "community": {"type": "replace", "communities": ["64512:1"]},
        "med": {"type": "mod", "value": -5},
        "asPrepend": {"asn": 64512, "repeat": 3},
        "localPref": 0,
    },
}
SETS: list[Body] = [
    {
        "type": "prefix",
        "name": "ps",
        "prefixes": [
            {"ipPrefix": "10.0.0.1/8"},
            {"ipPrefix": "10.0.0.0/8", "maskLengthMin": 24},
            {"ipPrefix": "10.0.0.0/8", "maskLengthMin": 0, "maskLengthMax": 24},
        ],
    },
    {"type": "neighbor", "name": "ns", "list": ["192.0.2.1"]},
    {"type": "as-path", "name": "as", "list": ["^64513_"]},
    {"type": "community", "name": "cs", "list": ["64512:1"]},
    {"type": "community", "name": "unused", "list": ["64512:2"]},
]


def test_every_condition_and_action_is_taken_over() -> None:
    """With the sets they name, and no others."""
    content = body(
        **{"global": {"asn": 64512, "applyPolicy": {"exportPolicy": {"policies": ["p"]}}}},
        policyDefinitions=[policy("p", FULL)],
        definedSets=SETS,
    )
    found = policies_of(content)
    assert found.sets == (
        DefinedSet(kind=SetKind.AS_PATH, name="as", texts=("^64513_",)),
        DefinedSet(kind=SetKind.COMMUNITY, name="cs", texts=("64512:1",)),
        DefinedSet(kind=SetKind.NEIGHBOR, name="ns", texts=("192.0.2.1",)),
        DefinedSet(
            kind=SetKind.PREFIX,
            name="ps",
            prefixes=(
                PrefixMatch("10.0.0.0/8", 8, 8),
                PrefixMatch("10.0.0.0/8", 24, 32),
                PrefixMatch("10.0.0.0/8", 8, 24),
            ),
        ),
    )
    assert found.exports == (
        Statement(
            name="purelb-out-p-s",
            sets=(
                (SetKind.PREFIX, Match.INVERT, "ps"),
                (SetKind.NEIGHBOR, Match.ANY, "ns"),
                (SetKind.AS_PATH, Match.ALL, "as"),
                (SetKind.COMMUNITY, Match.ANY, "cs"),
            ),
            rpki="valid",
            accepts=False,
            communities=(Change.REPLACE, ("64512:1",)),
            med=(True, -5),
            prepend=(64512, 3),
            local_pref=0,
        ),
    )


def test_ipv6_over_an_ipv4_session_gets_the_nodes_own_next_hop() -> None:
    """Before any other statement, and whatever that one decides."""
    hop = IPv6Address("2001:db8::11")
    found = policies_of(body(neighbors=[neighbor(afiSafis=V6)]), next_hops={"192.0.2.1": hop})
    expected = Statement(
        name="purelb-hop-192.0.2.1", sets=(ONLY,), family=AfiSafi.IPV6, next_hop=hop
    )
    assert found.exports == (expected,)


def test_without_a_next_hop_ipv6_is_not_sent() -> None:
    """A router could not use it."""
    found = policies_of(body(neighbors=[neighbor(afiSafis=V6)]))
    expected = Statement(
        name="purelb-hop-192.0.2.1", sets=(ONLY,), family=AfiSafi.IPV6, accepts=False
    )
    assert found.exports == (expected,)
