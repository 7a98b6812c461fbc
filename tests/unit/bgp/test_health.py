"""The conditions of a node: what is wrong, each apart, with its reason."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from bgp.core import health
from bgp.core.desired import Absent
from bgp.core.exports import Exported
from bgp.core.findings import Finding, remark
from bgp.core.health import Judgment, is_healthy, judge
from bgp.core.model import STOPPED, AfiSafi, PeerName, Policies, Statement
from tests.unit.bgp.builders import Body, peer, routes
from tests.unit.bgp.nodestates import DOWN, ENGINE, KEY, LEARNED, NAME, state


def judgment(type_: str, **parts: object) -> Judgment:
    """Return one condition."""
    return next(one for one in judge(state(**parts)) if one.type == type_)


def test_all_is_well() -> None:
    """Every condition is true."""
    assert all(one.is_true for one in judge(state()))
    assert judge(state())[0].reason == health.ALL_HEALTHY


def test_without_a_configuration_nothing_is_wrong() -> None:
    """It is said all the same."""
    empty = {"is_configured": False, "wanted": STOPPED, "actual": STOPPED, "entries": {}}
    assert judgment(health.CONFIGURED, **empty).reason == health.NOT_CONFIGURED
    assert is_healthy(state(**empty))


def test_a_bad_configuration_names_its_fields() -> None:
    """And says that the one before it stays, if there is one."""
    bad = (Finding("spec.global.asn", "is wrong"), remark("spec.global.families", "no effect"))
    found = judgment(health.CONFIGURED, findings=bad)
    assert (found.is_true, found.reason) == (False, health.INVALID)
    assert found.message == "spec.global.asn: is wrong (the one before it stays)"
    never = judgment(health.CONFIGURED, findings=bad, is_configured=False)
    assert never.message == "spec.global.asn: is wrong"
    assert not is_healthy(state(findings=bad, is_configured=False))
    told = judgment(health.CONFIGURED, findings=bad[1:])
    assert (told.is_true, told.message) == (True, "spec.global.families: no effect")


def test_an_engine_that_is_down_or_refuses_is_told() -> None:
    """With its own words."""
    down = judgment(health.CONFIGURED, is_engine_up=False, engine_failure="it ended with 2")
    assert (down.reason, down.message) == (health.ENGINE_DOWN, "it ended with 2")
    refused = judgment(health.CONFIGURED, refusals=("listening: address already in use",))
    assert refused.reason == health.ENGINE_REFUSES
    assert "address already in use" in refused.message


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"sessions": (DOWN,)}, "192.0.2.1: no connection"),
        ({"sessions": ()}, "192.0.2.1: no connection"),
        ({"sessions": (DOWN,), "errors": {NAME: "cease"}}, "192.0.2.1: cease"),
        ({"sessions": (replace(DOWN, is_over_limit=True),)}, "more prefixes than its limit"),
        ({"absent": (Absent(NAME, "X", "a Secret lacks"),)}, "192.0.2.1: a Secret lacks"),
        ({"entries": {}, "wanted": replace(ENGINE, peers={})}, "no neighbor selects this node"),
    ],
    ids=["tried", "unknown", "error", "limit", "absent", "none"],
)
def test_a_session_that_is_down_has_its_reason(parts: Body, text: str) -> None:
    """Nobody need look into logs."""
    found = judgment(health.SESSIONS, **parts)
    assert not found.is_true
    assert text in found.message


def test_a_session_that_is_to_be_down_is_no_failure() -> None:
    """Its status says why it is."""
    wanted = replace(ENGINE, peers={NAME: replace(peer(), is_down=True)})
    assert judgment(health.SESSIONS, wanted=wanted, sessions=(DOWN,)).is_true


def test_a_prefix_that_is_not_in_the_table_or_sent_to_nobody_is_told() -> None:
    """Once somebody could have it."""
    lacking = judgment(health.PREFIXES, actual=replace(ENGINE, routes=frozenset()))
    assert lacking.message == "not in the table: 10.0.0.1/32"
    mute = judgment(health.PREFIXES, sent={NAME: frozenset()})
    assert mute.message.endswith("next hop: 10.0.0.1/32")
    fresh = judgment(health.PREFIXES, sent={NAME: frozenset()}, sent_of=frozenset())
    assert fresh.is_true, "it came after neighbors were looked at"
    assert judgment(health.PREFIXES, sent={}).is_true
    assert judgment(health.PREFIXES, sent={NAME: frozenset()}, sessions=(DOWN,)).is_true


def test_a_missing_next_hop_is_told_where_ipv6_is_to_be_sent() -> None:
    """Elsewhere it is nobody's business."""
    closed = Statement(name="purelb-hop-192.0.2.1", family=AfiSafi.IPV6, accepts=False)
    v6 = replace(ENGINE, routes=routes("2001:db8::1/128"), policies=Policies(exports=(closed,)))
    found = judgment(health.NEXT_HOPS, wanted=v6, actual=v6, hops={NAME: None})
    assert (found.is_true, found.reason) == (False, health.HOP_MISSING)
    assert judgment(health.NEXT_HOPS, hops={NAME: None}).is_true
    there = {NAME: IPv6Address("2001:db8::9")}
    assert judgment(health.NEXT_HOPS, wanted=v6, hops=there).is_true


def test_routes_that_the_kernel_lacks_are_told() -> None:
    """Because of their next hop, or for a reason of the kernel's."""
    lost = Exported(key=KEY, route=None, reason="its next hop cannot be reached: 203.0.113.9")
    found = judgment(health.NEXT_HOPS, exported=(lost,))
    assert "203.0.113.9" in found.message
    there = Exported(key=KEY, route=LEARNED)
    assert not judgment(health.NEXT_HOPS, exported=(there,)).is_true
    assert judgment(health.NEXT_HOPS, exported=(there,), installed=frozenset({KEY})).is_true


def test_many_are_told_in_one_short_text() -> None:
    """The rest is counted."""
    absent = tuple(Absent(PeerName(f"192.0.2.{n}"), "X", "lacks") for n in range(9))
    assert judgment(health.SESSIONS, absent=absent).message.endswith("; and 4 more")


def test_a_sidecar_that_stops_is_not_healthy() -> None:
    """With the reason that tools know."""
    first = judge(state(is_leaving=True))[0]
    assert (first.is_true, first.reason) == (False, health.SHUTDOWN)


def test_a_vrf_that_the_kernel_lacks_is_a_condition_of_its_own() -> None:
    """Which there is only where routes are to be in one."""
    assert health.VRFS not in [one.type for one in judge(state())]
    assert judgment(health.VRFS, lacking_vrfs=()).is_true
    lacking = (remark("spec.vrfs[0].netlinkExport.linuxVrf", "no VRF 'red'"),)
    found = judgment(health.VRFS, lacking_vrfs=lacking)
    assert (found.is_true, found.reason) == (False, health.VRF_MISSING)
    assert found.message == "spec.vrfs[0].netlinkExport.linuxVrf: no VRF 'red'"
    assert not is_healthy(state(lacking_vrfs=lacking))
