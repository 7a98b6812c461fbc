"""`evacuate` and `move`: who gets an address, and what cannot be done; and the one Service."""

from dataclasses import replace

import pytest

from plugin.core.evacuation import evacuation_of
from plugin.core.moving import move_of, named_by, way_back_of
from plugin.core.one import one_of
from plugin.core.placing import needs_endpoints
from plugin.core.problem import PluginError
from plugin.core.snapshot import Gap, Snapshot
from purelb.api.addresses import IPAddress, parse_ip
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.unit.plugin.worlds import world

ADDRESS = parse_ip("192.0.2.20")
SLOT = "node-b,eth0,192.0.2.20"


def cluster(*objects: Object, **annotations: str) -> Snapshot:
    """Return a cluster in which node-b announces an address of shop/near, and could lose it."""
    keys = {key.replace("_", "-"): value for key, value in annotations.items()}
    near = scenes.service("shop/near", "192.0.2.20", slots=(SLOT,), annotations=keys)
    return world([*scenes.healthy(), scenes.lease("node-d", scenes.FRONT), near, *objects])


def heir(found: Snapshot) -> str:
    """Return who gets the address if node-b is evacuated."""
    rows = evacuation_of(found, "node-b").addresses
    return next(row.heir for row in rows if row.ip == "192.0.2.20")


def test_an_heir_is_near_to_endpoints_if_the_service_wants_that() -> None:
    """Else the formula alone decides; endpoints that say no node prefer nobody."""
    plain = heir(cluster())
    other = {"node-a": "node-d", "node-d": "node-a"}[plain]
    near = cluster(scenes.endpoints("shop/near", other), node_affinity="service-endpoints")
    assert heir(near) == other
    assert heir(cluster(scenes.endpoints("shop/near", other))) == plain
    anywhere = scenes.endpoints("shop/near", "")
    assert heir(cluster(anywhere, node_affinity="service-endpoints")) == plain
    assert needs_endpoints(near.services)
    assert not needs_endpoints(cluster().services)


def test_the_wish_of_a_service_is_heeded() -> None:
    """As the agents do."""
    assert heir(cluster(announce_node="node-d")) == "node-d"
    assert heir(cluster(announce_node="node-a")) == "node-a"


def test_an_address_without_another_candidate_is_stranded() -> None:
    """It is counted once, whatever Services share it."""
    far = scenes.service("shop/far", "198.51.100.9", slots=("node-c,eth0,198.51.100.9",))
    report = evacuation_of(cluster(far), "node-c")
    assert (report.stranded, report.addresses[0].warning) == (1, "NO CANDIDATES")
    with pytest.raises(PluginError, match="no Node"):
        evacuation_of(cluster(), "node-z")


def test_a_move_names_the_first_service_and_its_addresses() -> None:
    """Only those that the node can have."""
    report = move_of(cluster(), ADDRESS, "node-a")
    assert report.services == ("shop/near",)
    assert [(one.ip, one.holder, one.heir) for one in report.addresses] == [
        ("192.0.2.20", "node-b", "node-a")
    ]


@pytest.mark.parametrize(
    ("address", "node", "why"),
    [
        ("203.0.113.0", "node-a", "is remote"),
        ("192.0.2.99", "node-a", "no Service has"),
        ("192.0.2.20", "node-c", "cannot announce 192.0.2.20 .*candidates: node-a, node-b, node-d"),
    ],
)
def test_what_cannot_be_moved_is_told(address: str, node: str, why: str) -> None:
    """With the reason."""
    with pytest.raises(PluginError, match=why):
        move_of(cluster(), parse_ip(address), node)


def test_a_move_is_refused_beside_an_agent_that_knows_none() -> None:
    """Two nodes would announce the address."""
    old = scenes.lease("node-e", scenes.FRONT)
    del old["metadata"]["annotations"]["purelb.io/announces"]
    with pytest.raises(PluginError, match=r"node-e may announce 192\.0\.2\.20, too"):
        move_of(cluster(old), ADDRESS, "node-a")


def test_the_way_back_is_what_the_election_gives_without_the_wish() -> None:
    """Near to endpoints as well; without a wish there is nothing to change."""

    def back(found: Snapshot, address: IPAddress = ADDRESS) -> list[str]:
        return [one.heir for one in way_back_of(found, address).addresses]

    assert back(cluster()) == []
    (formula,) = back(cluster(announce_node="node-d"))
    other = next(name for name in ("node-a", "node-b", "node-d") if name != formula)
    near = cluster(
        scenes.endpoints("shop/near", other),
        announce_node="node-d",
        node_affinity="service-endpoints",
    )
    assert back(near) == [other]
    assert [one.key for one in named_by(near, ADDRESS)] == ["shop/near"]


def test_the_one_service_is_of_any_type() -> None:
    """Known already, asked for, broken, or not there."""
    found = cluster()
    assert one_of(found, "shop/near")[1].key == "shop/near"
    plain = world([scenes.service("shop/plain", type="ClusterIP")]).services
    more, one = one_of(replace(found, asked=plain), "shop/plain")
    assert one in more.services
    gap = Gap(what="services shop/odd", why="no object")
    with pytest.raises(PluginError, match="shop/odd is not understood: no object"):
        one_of(replace(found, gaps=(Gap(what="pods", why="x"), gap)), "shop/odd")
    with pytest.raises(PluginError, match="there is no Service shop/none"):
        one_of(found, "shop/none")
