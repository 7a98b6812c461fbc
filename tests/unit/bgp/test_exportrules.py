"""Which routes go where on this node, as the configuration and the kernel's VRFs have it."""

from dataclasses import replace

import pytest

from bgp.core.exportrules import OFF, Device, Policy, Rule, Source, export_policy, plain
from purelb.api.identifiers import LinkName
from purelb.api.links import Link
from purelb.api.routes import MAIN_TABLE
from tests.unit.bgp.builders import Body, body, spec_of

RED = Link(
    index=30,
    name=LinkName("red"),
    mac=b"",
    is_up=True,
    has_carrier=True,
    kind="vrf",
    table=100,
)
ETH0 = replace(RED, index=2, name=LinkName("eth0"), kind="veth", table=0)
SOURCE = Source(name="red", distinguisher="64512:1", targets=frozenset({"64512:1", "64512:2"}))
RULE = Rule(name="vrf:red", table=100, metric=20, source=SOURCE, device=Device(index=30, table=100))
RULES = "spec.netlinkExport.rules[0]"
VRF = "spec.vrfs[0].netlinkExport"


def policy(*links: Link, **parts: object) -> Policy:
    """Return the policy of a configuration on a node with these links."""
    return export_policy(spec_of(body(**parts)), links)


def vrf(**export: object) -> list[Body]:
    """Return a VRF whose routes are exported."""
    parts: Body = {"enabled": True, **export}
    targets = ["64512:1", "064512:02"]
    return [{"name": "red", "rd": "64512:1", "importRt": targets, "netlinkExport": parts}]


def rules(*entries: Body, **parts: object) -> Body:
    """Return spec.netlinkExport."""
    return {"enabled": True, "rules": list(entries), **parts}


def told(found: Policy) -> list[tuple[str, str]]:
    """Return what is lacking, then the remarks."""
    return [(one.path, one.message) for one in (*(found.lacking or ()), *found.remarks)]


def test_the_policy_is_that_of_the_configuration() -> None:
    """Table 0 is the main table."""
    entries = [
        {"name": "all", "communityList": ["1:1"], "validateNexthop": False},
        {"name": "other", "tableId": 100, "metric": 7, "largeCommunityList": ["1:1:1"]},
    ]
    section = rules(*entries, dampeningInterval=50, routeProtocol=99)
    first = Rule(
        name="all",
        table=MAIN_TABLE,
        metric=20,
        communities=frozenset({"1:1"}),
        checks_next_hop=False,
    )
    second = Rule(name="other", table=100, metric=7, large_communities=frozenset({"1:1:1"}))
    assert policy(RED, netlinkExport=section) == Policy(
        protocol=99, rules=(first, second), dampening=0.05
    )


def test_without_a_configuration_nothing_is_exported() -> None:
    """Nor without a word about it."""
    assert export_policy(None, (RED,)) == OFF
    assert policy(RED) == OFF
    assert policy(RED, vrfs=[{"name": "red", "rd": "64512:1"}]) == OFF


def test_an_export_without_rules_is_on_all_the_same() -> None:
    """Its protocol is told."""
    assert policy(netlinkExport={"enabled": True, "routeProtocol": 99}) == Policy(protocol=99)


def test_routes_of_a_vrf_go_to_the_kernels_of_the_same_name() -> None:
    """Into its table, with the usual metric and protocol, also where nothing else is exported."""
    expected = Policy(protocol=186, rules=(RULE,), lacking=())
    assert policy(ETH0, RED, vrfs=vrf()) == expected
    off = rules(enabled=False)
    assert policy(RED, vrfs=vrf(), netlinkExport=off) == expected


def test_a_vrf_names_another_of_the_kernel_and_what_it_takes() -> None:
    """With a metric and communities of its own."""
    blue = replace(RED, index=31, name=LinkName("blue"), table=200)
    parts = {
        "linuxVrf": "blue",
        "metric": 7,
        "communityList": ["1:1"],
        "largeCommunityList": ["1:1:1"],
        "validateNexthop": False,
    }
    found = policy(RED, blue, vrfs=vrf(**parts), netlinkExport=rules(routeProtocol=99))
    rule = replace(
        RULE,
        table=200,
        device=Device(index=31, table=200),
        metric=7,
        communities=frozenset({"1:1"}),
        large_communities=frozenset({"1:1:1"}),
        checks_next_hop=False,
    )
    assert found == Policy(protocol=99, rules=(rule,), lacking=())


def test_a_rule_names_the_vrf_that_its_routes_go_to() -> None:
    """They are from outside of VRFs all the same."""
    found = policy(RED, netlinkExport=rules({"name": "shared", "vrf": "red"}))
    assert found.rules == (replace(RULE, name="shared", source=None),)


@pytest.mark.parametrize(
    ("parts", "path", "remedy"),
    [
        ({"vrfs": vrf()}, f"{VRF}.linuxVrf", "or set linuxTableId"),
        ({"netlinkExport": rules({"name": "x", "vrf": "red"})}, f"{RULES}.vrf", "or set tableId"),
    ],
    ids=["of a VRF", "of a rule"],
)
def test_a_vrf_that_the_kernel_lacks_is_named_and_gets_nothing(
    parts: Body, path: str, remedy: str
) -> None:
    """With what would change it; a link of that name that is no VRF is none."""
    found = policy(replace(ETH0, name=LinkName("red")), **parts)
    assert found.rules == ()
    note = "no VRF 'red': nothing is exported to it; make one (ip link add red type vrf table N), "
    assert told(found) == [(path, f"this node's kernel has {note}{remedy}")]


def test_a_table_by_number_is_filled_without_a_vrf_and_that_is_told() -> None:
    """Other programs, or policy rules, may look there; no other kind of link counts as a VRF."""
    found = policy(replace(ETH0, name=LinkName("red")), vrfs=vrf(linuxTableId=300))
    assert found.rules == (replace(RULE, table=300, device=None),)
    assert found.lacking == ()
    note = "table 300 is filled, with next hops as the host itself reaches them"
    assert told(found) == [(f"{VRF}.linuxVrf", f"this node's kernel has no VRF 'red': {note}")]


def test_a_table_that_is_not_the_vrfs_is_filled_and_told() -> None:
    """The right one needs no word."""
    found = policy(RED, vrfs=vrf(linuxTableId=300))
    assert found.rules == (replace(RULE, table=300),)
    assert told(found) == [(f"{VRF}.linuxTableId", "300 is not the table of VRF red, which is 100")]
    assert told(policy(RED, vrfs=vrf(linuxTableId=100))) == []


def test_what_is_switched_off_is_still_a_place_of_ours_and_no_vrf_is_missed() -> None:
    """Routes of before are found there."""
    found = policy(RED, vrfs=vrf(enabled=False))
    off = replace(RULE, is_on=False)
    assert found == Policy(protocol=186, rules=(off,), is_on=False)
    assert policy(vrfs=vrf(enabled=False)).lacking is None
    mixed = policy(RED, vrfs=vrf(), netlinkExport=rules({"name": "all"}, enabled=False))
    assert [(rule.name, rule.is_on) for rule in mixed.rules] == [("all", False), ("vrf:red", True)]


@pytest.mark.parametrize(
    ("text", "found"),
    [("0064512:01", "64512:1"), ("192.0.2.1:007", "192.0.2.1:7"), ("4200000000:1", "4200000000:1")],
)
def test_texts_are_compared_as_the_engine_writes_them(text: str, found: str) -> None:
    """Without leading zeros."""
    assert plain(text) == found
