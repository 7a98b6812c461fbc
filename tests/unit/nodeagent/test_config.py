"""Which LBNodeAgent is effective, and what its texts mean."""

from dataclasses import replace

import pytest

from nodeagent.core.config import (
    Garp,
    Lifetimes,
    NodeConfig,
    SelectorState,
    Unconfigured,
    choose,
    is_eligible,
)
from purelb.api.identifiers import LinkName, NodeName
from purelb.api.links import FOREVER
from purelb.api.resources import (
    AddressConfig,
    AddressConfigs,
    GarpConfig,
    LabelSelector,
    LocalSpec,
    Meta,
    NodeAgent,
    NodeAgentSpec,
    SelectorRequirement,
)
from purelb.api.views import NodeView

NODE = NodeView(name=NodeName("node-a"), labels={"zone": "a"})
ZONE_A = LabelSelector(match_labels={"zone": "a"})
ZONE_B = LabelSelector(match_labels={"zone": "b"})
SAYS_NOTHING = LocalSpec()
BROKEN = LabelSelector(match_expressions=(SelectorRequirement(key="zone", operator="Gt"),))


def nodeagent(
    name: str, selector: LabelSelector | None = None, local: LocalSpec | None = SAYS_NOTHING
) -> NodeAgent:
    """Build an LBNodeAgent."""
    spec = NodeAgentSpec(node_selector=selector, local=local)
    return NodeAgent(metadata=Meta(namespace="purelb-system", name=name), spec=spec)


def configured(local: LocalSpec) -> NodeConfig:
    """Return the configuration that one LBNodeAgent gives."""
    config = choose([nodeagent("default", local=local)], NODE)
    assert isinstance(config, NodeConfig)
    return config


def named(config: NodeConfig) -> list[str]:
    """Return the fields that something is wrong with."""
    return [finding.subject for finding in config.findings]


@pytest.mark.parametrize(
    ("agents", "source"),
    [
        ([nodeagent("z"), nodeagent("a")], "purelb-system/a"),
        ([nodeagent("a"), nodeagent("z", ZONE_A)], "purelb-system/z"),
        ([nodeagent("z", ZONE_A), nodeagent("y", ZONE_A)], "purelb-system/y"),
        ([nodeagent("a", ZONE_A, local=None), nodeagent("z")], "purelb-system/z"),
        ([nodeagent("a", ZONE_B), nodeagent("z", LabelSelector())], "purelb-system/z"),
        ([nodeagent("a", BROKEN), nodeagent("z")], "purelb-system/z"),
    ],
)
def test_the_first_specific_one_with_local_is_effective_then_catch_alls(
    agents: list[NodeAgent], source: str
) -> None:
    """Their order on the wire does not matter."""
    for ordered in (agents, agents[::-1]):
        config = choose(ordered, NODE)
        assert isinstance(config, NodeConfig)
        assert (config.source, config.state) == (source, SelectorState.CONFIGURED)


@pytest.mark.parametrize(
    ("agents", "state"),
    [
        ([], SelectorState.DEFAULT),
        ([nodeagent("a", local=None)], SelectorState.DEFAULT),
        ([nodeagent("a", ZONE_B)], SelectorState.DESELECTED),
        ([nodeagent("a", BROKEN)], SelectorState.DESELECTED),
        ([nodeagent("a", ZONE_B), nodeagent("b", ZONE_A, local=None)], SelectorState.DEFAULT),
        ([nodeagent("a", local=LocalSpec(local_interface="["))], SelectorState.INVALID),
    ],
)
def test_without_an_effective_one_the_state_says_why(
    agents: list[NodeAgent], state: SelectorState
) -> None:
    """Each of these nodes announces nothing."""
    found = choose(agents, NODE)
    assert isinstance(found, Unconfigured)
    assert found.state is state


def test_others_that_match_are_told_who_takes_precedence() -> None:
    """One that does not match is not concerned."""
    agents = [nodeagent("a", ZONE_A), nodeagent("b", ZONE_B), nodeagent("c")]
    notices = choose(agents, NODE).notices
    assert [(n.key, n.reason, n.severity) for n in notices] == [
        ("purelb-system/c", "ConfigIgnored", "Warning")
    ]
    assert "purelb-system/a" in notices[0].message
    assert "node-a" in notices[0].message


def test_a_node_is_a_candidate_if_it_is_configured_and_not_evacuated() -> None:
    """Without a Node nothing says that it is."""
    config = configured(LocalSpec())
    assert is_eligible(config, NODE)
    assert is_eligible(config, None)
    assert not is_eligible(config, replace(NODE, is_evacuated=True))
    assert not is_eligible(choose([], NODE), NODE)
    assert not is_eligible(None, NODE)


def test_addresses_of_a_node_stay_there_if_its_lbnodeagent_wants_it() -> None:
    """Not by default."""
    assert configured(LocalSpec(non_revertive=True)).is_non_revertive
    assert not configured(LocalSpec()).is_non_revertive


def test_nobody_is_ignored_if_nobody_is_effective() -> None:
    """Two that configure nothing do not compete."""
    agents = [nodeagent("a", local=None), nodeagent("b", local=None)]
    assert choose(agents, NODE).notices == ()


def test_a_selector_that_does_not_convert_is_named() -> None:
    """It matches no node; nothing else suffers."""
    found = choose([nodeagent("a", BROKEN), nodeagent("b")], NODE).findings
    assert [(f.key, f.reason, f.subject) for f in found] == [
        ("purelb-system/a", "InvalidNodeSelector", "spec.nodeSelector")
    ]
    assert found[0].line().fields["event"] == "invalidNodeSelector"  # what tools search for


def test_a_bad_expression_names_the_node_and_what_it_does_now() -> None:
    """RE2's syntax counts, not Python's."""
    found = choose([nodeagent("a", local=LocalSpec(local_interface="(?=eth)"))], NODE)
    (finding,) = found.findings
    (notice,) = finding.notices(NODE.name)
    assert (notice.reason, notice.key) == ("ConfigError", "purelb-system/a")
    assert "node-a" in notice.message
    assert "announcing nothing" in notice.message


@pytest.mark.parametrize("text", ["default", ""])
def test_default_and_empty_mean_the_default_route(text: str) -> None:
    """There is no expression then."""
    assert configured(LocalSpec(local_interface=text)).pattern is None


def test_an_expression_is_not_anchored() -> None:
    """As Go's MatchString."""
    pattern = configured(LocalSpec(local_interface="th[0-9]$")).pattern
    assert pattern is not None
    assert pattern.found_in("eth0")


def test_extra_interfaces_keep_their_order_without_empty_names_and_the_dummy() -> None:
    """The dummy is never a local interface."""
    local = LocalSpec(interfaces=("eth2", "", "kube-lb0", "eth1"))
    assert configured(local).extra == (LinkName("eth2"), LinkName("eth1"))


@pytest.mark.parametrize("text", ["kube lb0", "a/b", "a:b", "..", "sixteen-letters!", "\u00e9" * 8])
def test_what_the_kernel_takes_for_no_name_is_named_and_has_a_default(text: str) -> None:
    """The field, and what is used instead."""
    config = configured(LocalSpec(dummy_interface=text, interfaces=("eth1", text)))
    assert (config.dummy, config.extra) == ("kube-lb0", ("eth1",))
    assert named(config) == ["spec.local.dummyInterface", "spec.local.interfaces[1]"]


@pytest.mark.parametrize(("text", "name"), [("lb1", "lb1"), ("", "kube-lb0")])
def test_an_empty_dummy_name_means_the_default(text: str, name: str) -> None:
    """Any text passes admission."""
    assert configured(LocalSpec(dummy_interface=text)).dummy == name


@pytest.mark.parametrize(
    ("garp", "expected", "fields"),
    [
        (None, Garp(), []),
        (GarpConfig(enabled=False), None, []),
        (GarpConfig(), Garp(initial_delay=0.1), []),
        (
            GarpConfig(
                initial_delay="0",
                interval="1s",
                count=5,
                verify_before_send=False,
                refresh_interval="0s",
            ),
            Garp(initial_delay=0.0, interval=1.0, count=5, verifies=False, refresh_every=0.0),
            [],
        ),
        (
            GarpConfig(initial_delay="7", interval="-1s", refresh_interval="soon"),
            Garp(initial_delay=0.1),
            ["initialDelay", "interval", "refreshInterval"],
        ),
        (GarpConfig(count=99), Garp(initial_delay=0.1, count=10), ["count"]),
        (GarpConfig(count=0), Garp(initial_delay=0.1, count=1), ["count"]),
    ],
)
def test_announcements_are_on_unless_switched_off(
    garp: GarpConfig | None, expected: Garp | None, fields: list[str]
) -> None:
    """What does not parse has a default, and the field is named."""
    config = configured(LocalSpec(garp_config=garp))
    assert config.garp == expected
    assert named(config) == [f"spec.local.garpConfig.{field}" for field in fields]


@pytest.mark.parametrize(
    ("given", "valid", "preferred", "has_route"),
    [
        (None, 300, 300, False),
        (AddressConfig(valid_lifetime=0, preferred_lifetime=5), FOREVER, FOREVER, False),
        (AddressConfig(valid_lifetime=1), 60, 60, False),
        (AddressConfig(valid_lifetime=600), 600, 600, False),
        (AddressConfig(valid_lifetime=600, preferred_lifetime=0), 600, 0, False),
        (AddressConfig(preferred_lifetime=900), 300, 300, False),
        (AddressConfig(no_prefix_route=False), 300, 300, True),
    ],
)
def test_lifetimes_of_local_addresses(
    given: AddressConfig | None, valid: int, preferred: int, *, has_route: bool
) -> None:
    """Too short a lifetime is raised, preferred is clamped, 0 has no end."""
    config = configured(LocalSpec(address_config=AddressConfigs(local_interface=given)))
    expected = Lifetimes(valid=valid, preferred=preferred, has_prefix_route=has_route)
    assert config.local == expected


@pytest.mark.parametrize(
    ("given", "expected", "fields"),
    [
        (AddressConfig(valid_lifetime=59), (60, 60), ["validLifetime"]),
        (AddressConfig(valid_lifetime=-1), (300, 300), ["validLifetime"]),
        (AddressConfig(valid_lifetime=2**32 - 2), (2**32 - 2, 2**32 - 2), []),
        (AddressConfig(valid_lifetime=2**32 - 1), (300, 300), ["validLifetime"]),
        (AddressConfig(preferred_lifetime=301), (300, 300), ["preferredLifetime"]),
        (AddressConfig(preferred_lifetime=-1), (300, 300), ["preferredLifetime"]),
        (AddressConfig(preferred_lifetime=10), (300, 10), []),
    ],
)
def test_lifetimes_that_cannot_be_used_are_named(
    given: AddressConfig, expected: tuple[int, int], fields: list[str]
) -> None:
    """The message says what is used instead; the kernel's are 32 bits wide."""
    config = configured(LocalSpec(address_config=AddressConfigs(local_interface=given)))
    assert (config.local.valid, config.local.preferred) == expected
    assert named(config) == [f"spec.local.addressConfig.localInterface.{name}" for name in fields]
    used = {str(value) for value in expected}
    assert all(used & set(one.message.split()) for one in config.findings)


def test_addresses_on_the_dummy_have_no_end_and_a_route_by_default() -> None:
    """Unless the user says otherwise."""
    given = AddressConfigs(dummy_interface=AddressConfig(valid_lifetime=90, no_prefix_route=True))
    configs = [configured(LocalSpec()), configured(LocalSpec(address_config=given))]
    assert [config.remote for config in configs] == [
        Lifetimes(valid=FOREVER, preferred=FOREVER, has_prefix_route=True),
        Lifetimes(valid=90, preferred=90, has_prefix_route=False),
    ]
