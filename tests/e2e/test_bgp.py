"""A sidecar on a real API server, with the rights of the manifests: what users see with kubectl."""

import asyncio
import json
from typing import Any

import pytest

from playground.cluster import Cluster
from playground.router import Router
from tests.e2e.audit import FORBIDDEN, calls
from tests.e2e.world import SECONDS, obstacles
from tests.netns.bgpscene import (
    MAKE_LINK,
    ROUTER4,
    Scene,
    configuration,
    frr_config,
    is_up,
    needs_bgp,
    neighbor,
)
from tests.rights import DEPLOY

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "bgp", "namespace": "purelb-system"},
    "stringData": {"tor": "psst"},
}
NEEDED = {
    ("bgp.purelb.io", "configs/status", "patch"),
    ("bgp.purelb.io", "configs", "patch"),
    ("bgp.purelb.io", "bgpnodestatuses", "create"),
    ("bgp.purelb.io", "bgpnodestatuses", "get"),
    ("bgp.purelb.io", "bgpnodestatuses", "list"),
    ("bgp.purelb.io", "bgpnodestatuses", "delete"),
    ("bgp.purelb.io", "bgpnodestatuses/status", "patch"),
    ("", "secrets", "get"),
    ("", "pods", "patch"),
    ("", "events", "create"),
}
Object = dict[str, Any]


async def kubectl(cluster: Cluster, *arguments: str) -> Object:
    """Return what kubectl says, as JSON."""
    found: Object = json.loads((await cluster.kubectl(*arguments, "-o", "json")).stdout)
    return found


async def ready(cluster: Cluster) -> None:
    """Wait until the BGPConfiguration says that all is well."""
    arguments = ("wait", "bgpconfig/default", "-n", "purelb-system", "--for=condition=Ready")
    await cluster.kubectl(*arguments, f"--timeout={SECONDS:g}s")


@needs_bgp
def test_a_user_configures_bgp_with_kubectl_and_sees_how_it_is() -> None:
    """No request is refused, and every right is needed."""
    if reason := obstacles():
        pytest.skip(reason)

    async def scenario() -> None:
        async with Cluster(nodes=1, control_plane="real") as cluster:
            await cluster.kubectl("apply", "--server-side", "-f", str(DEPLOY / "rbac.yaml"))
            router = Router(cluster, "router", frr_config("neighbor nodes password psst"))
            await router.start()
            await cluster.run("node-a", "sh", "-c", MAKE_LINK)
            await tell(Scene(cluster, router))

    asyncio.run(scenario())


async def tell(stage: Scene) -> None:
    """Configure, look, and delete."""
    cluster, ref = stage.cluster, {"authPasswordSecretRef": {"name": "bgp", "key": "tor"}}
    body = configuration(neighbor(config=ref))
    body["metadata"]["finalizers"] = ["bgp.purelb.io/finalizer"]
    await stage.apply(SECRET)
    await stage.apply(body)
    await stage.start()
    await stage.add("node-a", "10.0.0.1/32")
    await stage.routes(lambda found: set(found) == {"10.0.0.1"})
    await stage.status("node-a", lambda s: is_up(s) and s["healthy"])
    await ready(cluster)
    shown = await cluster.kubectl("get", "bgpns")
    assert shown.stdout.split()[:5] == ["NAME", "NODE", "ROUTERID", "HEALTHY", "NEIGHBORS"]
    status = (await kubectl(cluster, "get", "bgpns", "node-a"))["status"]
    assert status["neighbors"][0]["address"] == ROUTER4
    events = await kubectl(cluster, "get", "events", "-n", "purelb-system")
    assert "SessionEstablished" in {one["reason"] for one in events["items"]}
    body["spec"]["global"]["nodeStatus"] = {"enabled": False}
    await cluster.api.patch(
        "/apis/bgp.purelb.io/v1/namespaces/purelb-system/configs/default",
        {"spec": {"global": {"nodeStatus": {"enabled": False}}}},
    )
    await cluster.kubectl("wait", "bgpns/node-a", "--for=delete", f"--timeout={SECONDS:g}s")
    await cluster.kubectl("delete", "bgpconfig", "default", "-n", "purelb-system")
    await stage.routes(lambda found: not found)
    seen = calls(cluster.paths.log("audit"))
    assert not [call for call in seen if call.status == FORBIDDEN]
    used = {grant for call in seen for grant in call.needs}
    assert used >= NEEDED, NEEDED - used
