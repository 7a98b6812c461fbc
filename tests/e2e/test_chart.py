"""The chart on a real control plane: installed, upgraded, rolled back, deleted, under load.

The tests are one story, in their order; each leaves the release as it is described.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests.charts import CHART, SETS, Object, one, render
from tests.e2e.install import exposed, show
from tests.e2e.journal import journal
from tests.e2e.outsider import asking
from tests.e2e.release import RELEASE, WAIT, bare, helm, inventory, key, release, uids
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)  # every Pod is replaced several times

LONGEST_GAP = 3.0  # seconds without an answer; a client sends a lost SYN again after one and two
SPACE = ("-n", INSTALL_NAMESPACE)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run scenarios in one cluster that begins without us."""
    with bare() as scenes:
        yield scenes


@pytest.fixture(scope="module")
def before(world: World) -> frozenset[str]:
    """Return what there was before the chart was installed."""
    found: list[frozenset[str]] = []

    async def scenario(cluster: Cluster) -> None:
        found.append(await inventory(cluster))

    world(scenario)
    return found[0]


async def put(cluster: Cluster, name: str, objects: list[Object]) -> str:
    """Write a manifest; returns its path inside."""
    (cluster.paths.scratch / name).write_text(yaml.safe_dump_all(objects))
    return str(Paths(INSIDE).scratch / name)


def test_a_fresh_installation_serves(world: World, before: frozenset[str]) -> None:
    """With definitions, an LBNodeAgent and a ServiceGroup in one command; its test agrees."""
    assert not [line for line in before if "purelb.io" in line]

    async def scenario(cluster: Cluster) -> None:
        await release(cluster)
        async with exposed(cluster, "first", "IPv4", "IPv6") as addresses:
            assert len(addresses) == 2
        said = await helm(cluster, "test", RELEASE)
        assert "Succeeded" in said.stdout
        assert len(await key(cluster)) == 32

    world(scenario)


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_the_api_server_accepts_whatever_values_give(world: World, values: Path) -> None:
    """Objects of every set of values, judged by the API server's own schemas; none is stored.

    But Pods, which nobody admits before their ServiceAccount is stored; the next test has them.
    """

    async def scenario(cluster: Cluster) -> None:
        rendered = render("--values", str(values), has_operator=False)
        objects = [found for found in rendered if found["kind"] != "Pod"]
        manifest = await put(cluster, f"{values.stem}.yaml", objects)
        options = ("--dry-run=server", "--server-side", "--force-conflicts", "--validate=strict")
        done = await cluster.kubectl("apply", *SPACE, *options, "-f", manifest, check=False)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == len(objects)

    world(scenario)


def test_all_pods_but_the_agents_are_admitted_where_pods_are_restricted(world: World) -> None:
    """Kubernetes' strictest Pod Security Standard, enforced by its own admission."""
    space = "restricted"

    async def scenario(cluster: Cluster) -> None:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": space, "labels": label},
        }
        await cluster.api.apply(body)
        await cluster.kubectl("wait", "--for=create", "-n", space, "serviceaccount/default")
        objects = render("--namespace", space)
        owners = [found for found in objects if found["kind"] in ("Deployment", "Job", "Pod")]
        pods = [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"pod-{number}", "namespace": space},
                "spec": {
                    **owner["spec"].get("template", owner)["spec"],
                    "serviceAccountName": "default",
                },
            }
            for number, owner in enumerate(owners)
        ]
        assert len(pods) == 4
        manifest = await put(cluster, "restricted.yaml", list(pods))
        await cluster.kubectl("create", "--dry-run=server", "-f", manifest)
        agent = one(objects, "DaemonSet", "lbnodeagent")["spec"]["template"]["spec"]
        spec = {**agent, "serviceAccountName": "default"}
        manifest = await put(cluster, "agent.yaml", [{**pods[0], "spec": spec}])
        refused = await cluster.kubectl("create", "--dry-run=server", "-f", manifest, check=False)
        assert "hostNetwork" in refused.stderr  # the admission is at work
        await cluster.kubectl("delete", "namespace", space)

    world(scenario)


def test_an_upgrade_and_a_rollback_lose_no_address(world: World) -> None:
    """A client outside asks all the time; every Pod is replaced twice, and the key stays."""

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "kept", "IPv4") as (address,), journal(cluster) as kept:
            await kept.wait_holder(address)
            secret, before = await key(cluster), await uids(cluster)
            async with asking(cluster, address) as outsider:
                await release(cluster, "--set", "image.tag=next,logLevel=debug")
                upgraded = await uids(cluster)
                assert not upgraded & before
                await helm(cluster, "rollback", RELEASE, "1", *WAIT)
                assert not await uids(cluster) & upgraded
                await kept.wait_holder(address)
                await outsider.wait_answer()
            print(
                f"\nupgrade and rollback: {len(kept.spans(address))} stays, on no node for "
                f"{kept.gap(address) * 1000:.0f} ms, no answer for "
                f"{outsider.longest_gap() * 1000:.0f} ms ({outsider.counts})"
            )
            assert await key(cluster) == secret
            assert kept.overlap(address) == 0.0
            assert outsider.longest_gap() < LONGEST_GAP
            service = await show(cluster, "service", "kept")
            assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == address

    world(scenario)


def test_an_upgrade_brings_older_definitions_up_to_date(world: World) -> None:
    """Helm itself would leave them as they are."""
    name = "servicegroups.purelb.io"
    field = "status"

    async def scenario(cluster: Cluster) -> None:
        definition = await show(cluster, "crd", name)
        fields = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        wanted = fields[field]["properties"].pop("conditions")
        meta = {"name": name, "resourceVersion": definition["metadata"]["resourceVersion"]}
        manifest = await put(cluster, "older.yaml", [{**definition, "metadata": meta}])
        await cluster.kubectl("replace", "-f", manifest)
        await release(cluster)
        found = await show(cluster, "crd", name)
        fields = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        assert fields[field]["properties"]["conditions"] == wanted

    world(scenario)


def test_deleting_the_release_leaves_nothing_but_definitions_and_what_services_have(
    world: World, before: frozenset[str]
) -> None:
    """Agents withdraw, clear their slots and give back their Leases; the Service keeps its address.

    A new installation takes the address up again.
    """

    async def scenario(cluster: Cluster) -> None:
        async with exposed(cluster, "stays", "IPv4") as (address,), journal(cluster) as kept:
            await kept.wait_holder(address)
            await helm(cluster, "uninstall", RELEASE, "--wait", "--timeout", "150s")
            assert kept.holders(address) == ()
            service = await show(cluster, "service", "stays")
            assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == address
            assert not [key for key in service["metadata"]["annotations"] if "announcing" in key]
            await release(cluster)
            await kept.wait_holder(address)
        await helm(cluster, "uninstall", RELEASE, "--wait", "--timeout", "150s")
        left = {line for line in await inventory(cluster) - before if "purelb" in line}
        names = [path.stem for path in (CHART / "crds").glob("*.yaml")]
        groups = {name.partition(".")[2] for name in names}
        # The API server's own, as long as definitions are there.
        expected = {f"APIService <none> v{1 if 'bgp' in group else 2}.{group}" for group in groups}
        assert left == expected | {f"CustomResourceDefinition <none> {name}" for name in names}

    world(scenario)
