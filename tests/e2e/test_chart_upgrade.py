"""From the chart before this one to this one, and back: no Service notices.

`charts/` has that chart as `helm package` wrote it. Its images are those of this commit: what is
tested is the release, and definitions that grow under objects which are there.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.cluster import Cluster
from tests.apiserver import Start
from tests.charts import CHART
from tests.e2e.install import exposed, show
from tests.e2e.journal import Journal, journal
from tests.e2e.outsider import asking
from tests.e2e.release import RELEASE, WAIT, bare, helm, inventory, key, release, uids
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)  # every Pod is replaced twice

(BEFORE,) = (Path(__file__).parent / "charts").glob("purelb-*.tgz")
OURS = re.compile("purelb|^BGP")
# Helm takes rights that the chart before did not have before the Pods that had them.
ROLLBACKS: list[Start] = []
LONGEST_GAP = 3.0  # seconds without an answer; a client sends a lost SYN again after one and two


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run scenarios in one cluster that begins without us."""
    with bare(starts=ROLLBACKS) as scenes:
        yield scenes


async def definitions(cluster: Cluster) -> dict[str, set[str]]:
    """Return the fields of every definition of ours that the cluster has, by its name."""
    found = (await show(cluster, "crds"))["items"]
    return {
        one["metadata"]["name"]: {
            f"{part}.{field}"
            for version in one["spec"]["versions"]
            for part, schema in version["schema"]["openAPIV3Schema"]["properties"].items()
            for field in schema.get("properties", ())
        }
        for one in found
        if one["spec"]["group"].endswith("purelb.io")
    }


async def assert_served(cluster: Cluster, kept: Journal, address: str, secret: bytes) -> None:
    """The address is on one node and is the Service's, and agents have the key they had."""
    await kept.wait_holder(address)
    service = await show(cluster, "service", "kept")
    assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == address
    assert await key(cluster) == secret


def test_no_address_is_lost_from_the_chart_before_to_this_one_and_back(world: World) -> None:
    """Asked from outside all the time; then the release goes, and nothing of it stays."""

    async def scenario(cluster: Cluster) -> None:
        empty = await inventory(cluster)
        await release(cluster, chart=BEFORE)
        old, secret, pods = await definitions(cluster), await key(cluster), await uids(cluster)
        async with exposed(cluster, "kept", "IPv4") as (address,), journal(cluster) as kept:
            await kept.wait_holder(address)
            async with asking(cluster, address) as outsider:
                await release(cluster)
                upgraded = await uids(cluster)
                assert not upgraded & pods
                await assert_served(cluster, kept, address, secret)
                new = await definitions(cluster)
                begun = time.time()
                await helm(cluster, "rollback", RELEASE, "1", *WAIT)
                ROLLBACKS.append(Start(begun=begun, ready=time.time()))
                assert not await uids(cluster) & upgraded
                await assert_served(cluster, kept, address, secret)
            print(
                f"\nfrom {BEFORE.stem} and back: {len(kept.spans(address))} stays, on no node for "
                f"{kept.gap(address) * 1000:.0f} ms, no answer for "
                f"{outsider.longest_gap() * 1000:.0f} ms ({outsider.counts})"
            )
            assert kept.overlap(address) == 0.0
            assert outsider.longest_gap() < LONGEST_GAP
        assert new.keys() == {path.stem for path in (CHART / "crds").glob("*.yaml")}
        assert all(new[name] >= fields for name, fields in old.items())
        assert new != old  # otherwise the chart before is too much like this one
        assert await definitions(cluster) == new  # a rollback takes no field away
        await release(cluster)
        await helm(cluster, "uninstall", RELEASE, "--wait", "--timeout", "150s")
        left = {line.split()[0] for line in await inventory(cluster) - empty if OURS.search(line)}
        assert left == {"CustomResourceDefinition", "APIService"}

    world(scenario)
