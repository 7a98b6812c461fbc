"""What the daemons ask the API server for, as its audit log has it.

That they want no more than they may is asked of every cluster at its end, too (`install`).
"""

import asyncio
import re
from pathlib import Path

from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests import rights
from tests.component.sidecars import process
from tests.e2e.audit import ACCOUNT, FORBIDDEN, Call, calls, excesses, unused
from tests.e2e.install import TIMEOUT, agent, evict, first, show, wait_rolled_out
from tests.e2e.user import (
    FAMILIES,
    POLL_SECONDS,
    Story,
    User,
    addresses,
    group,
    namespace,
    ours,
    service,
)
from tests.e2e.world import SECONDS, World

ALLOCATOR, AGENT = rights.DAEMONS
READS = frozenset({"get", "list", "watch"})
LEASES = "/apis/coordination.k8s.io/v1/namespaces/purelb-system/leases"
EVENTS = r"/api/v1/namespaces/[^/]+/events(/[^/]+)?"
# Where each daemon may write, whatever its verbs.
WRITES = {
    ALLOCATOR: (
        r"/api/v1/namespaces/[^/]+/services/[^/]+(/status)?",
        r"/apis/purelb.io/v2/namespaces/purelb-system/servicegroups/[^/]+/status",
        rf"{LEASES}(/purelb-allocator)?",
        r"/api/v1/namespaces/purelb-system/configmaps(/purelb-ipam-[0-9a-f]{12}-[0-3])?",
        EVENTS,
    ),
    AGENT: (
        r"/api/v1/namespaces/[^/]+/services/[^/]+(/status)?",
        rf"{LEASES}(/purelb-node-node-[abc])?",
        EVENTS,
    ),
}
DENIED = {
    ALLOCATOR: ("get secrets -A", "create pods -A", "delete services -A", "patch nodes"),
    AGENT: ("get secrets -A", "create pods -A", "delete services -A", "patch servicegroups -A"),
}


async def session(user: User, folder: Path) -> None:
    """Do a little of everything: give, share, pin, refuse, change, take back, repeat, restart."""
    key = {"allow-shared-ip": "key"}
    await user.apply(
        namespace("tenant"),
        group("tenants", "192.0.2.100-192.0.2.104", namespaces={"namespaces": ["tenant"]}),
        service("both", families=FAMILIES),
        service("first", settings=key),
        service("second", port=8081, settings=key),
        service("pinned", settings={"addresses": "192.0.2.230"}),
        service("bound", namespace="tenant"),
        service("lost", settings={"service-group": "nowhere"}),
        service("again", settings={"re-evaluate": "true"}),
        service("near", settings={"node-affinity": "service-endpoints"}),
    )
    await user.until_served("both", 2)
    for name in ("first", "second", "pinned", "again", "near"):
        await user.until_served(name)
    await user.until_served("bound", namespace="tenant")
    await user.until("again", lambda one: "re-evaluate" not in ours(one))
    await user.event("lost", "AllocationFailed")
    await user.patch("pinned", {"externalTrafficPolicy": "Local"})
    await user.until("pinned", lambda one: one["spec"]["externalTrafficPolicy"] == "Cluster")
    await user.patch("first", {"type": "ClusterIP"})
    await user.until("first", lambda one: not addresses(one) and not ours(one).keys() - key.keys())
    await repeat(user, "again")
    await interfere(user.cluster, "node-a")
    await ask_provider(user, folder)
    for workload in ("deployment/allocator", "daemonset/lbnodeagent"):
        await user.kubectl("-n", INSTALL_NAMESPACE, "rollout", "restart", workload)
        await wait_rolled_out(user.cluster, workload)
    await user.delete("service", "both")
    await user.apply(service("last"))
    await user.until_served("last")


async def repeat(user: User, name: str) -> None:
    """Take a Service's address and give it back: each Event about it is then seen twice."""
    (address,) = addresses(await user.get(name))
    await user.patch(name, {"type": "ClusterIP"})
    await user.until(name, lambda one: not ours(one))
    await user.patch(name, {"type": "LoadBalancer"})
    assert await user.until_served(name) == (address,)
    for reason in ("AddressAssigned", "AnnouncingLocal"):
        await user.event(name, reason, address, count=2)


async def ask_provider(user: User, folder: Path) -> None:
    """Have a Service served by an external provider, and take it away again.

    The sidecar runs outside of the cluster, with its records in the folder and its socket inside.
    """
    external = {
        "provider": "book",
        "socket": str(Paths(INSIDE).scratch / "ipam.sock"),
        "announce": "local",
    }
    socket = user.cluster.paths.scratch / "ipam.sock"
    async with process(folder, "outside=192.0.2.188/31", socket=socket) as sidecar:
        sidecar.socket.chmod(0o777)  # daemons do not run as root
        await user.apply(
            {
                "apiVersion": "purelb.io/v2",
                "kind": "ServiceGroup",
                "metadata": {"name": "outside", "namespace": INSTALL_NAMESPACE},
                "spec": {"external": external},
            },
            service("outside", settings={"service-group": "outside"}),
        )
        assert await user.until_served("outside") == ("192.0.2.188",)
        await user.delete("service", "outside")
        async with asyncio.timeout(SECONDS):
            while sidecar.held():  # noqa: ASYNC110  # a file, which nobody can watch
                await asyncio.sleep(POLL_SECONDS)


async def interfere(cluster: Cluster, node: str) -> None:
    """Write to an agent's Lease between its last renewal and its end; returns when that is over."""
    name = f"purelb-node-{node}"
    pod = (await agent(cluster, node))["metadata"]["name"]
    before = await show(cluster, "lease", name, "-n", INSTALL_NAMESPACE)
    await first(
        cluster,
        path_of("Lease", INSTALL_NAMESPACE),
        lambda one: one["spec"]["renewTime"] != before["spec"]["renewTime"],
        fieldSelector=f"metadata.name={name}",
    )
    await cluster.kubectl("-n", INSTALL_NAMESPACE, "annotate", "lease", name, "by=somebody")
    await evict(cluster, pod)
    await cluster.kubectl("-n", INSTALL_NAMESPACE, "wait", "--for=delete", f"pod/{pod}", TIMEOUT)


def writes_elsewhere(seen: tuple[Call, ...]) -> list[Call]:
    """Return the writes that are none of a daemon's business."""
    return [
        call
        for call in seen
        if call.verb not in READS
        and not any(re.fullmatch(place, call.target) for place in WRITES[call.daemon])
    ]


def test_the_daemons_ask_for_exactly_what_the_manifests_grant(story: Story, tmp_path: Path) -> None:
    """Of all they did in this cluster, here and in other tests, and no right was for nothing."""

    async def scene(user: User) -> None:
        await session(user, tmp_path)
        seen = calls(user.cluster.paths.log("audit"))
        assert not excesses(seen)
        assert not unused(seen)
        assert not writes_elsewhere(seen)

    story(scene)


def test_the_rights_end_where_the_work_ends(story: Story) -> None:
    """The API server's own answer about what a stolen token would be good for."""

    async def scene(user: User) -> None:
        for daemon, actions in DENIED.items():
            for action in actions:
                answer = await user.cluster.kubectl(
                    "auth", "can-i", *action.split(), f"--as={ACCOUNT}:{daemon}", check=False
                )
                assert (action, answer.stdout) == (action, "no\n")

    story(scene)


def test_a_request_beyond_the_rights_is_an_excess(world: World) -> None:
    """In a cluster without daemons, by a person with the allocator's token."""

    async def scenario(cluster: Cluster) -> None:
        log = cluster.paths.log("audit")
        option = f"--kubeconfig={cluster.kubeconfig('allocator')}"
        before = excesses(calls(log))
        await cluster.kubectl("-n", "default", "get", "secrets", option, check=False)
        seen = calls(log)
        path, needs = "/api/v1/namespaces/default/secrets", (("", "secrets", "list"),)
        assert excesses(seen) - before == {
            Call(ALLOCATOR, "list", path, FORBIDDEN, needs, at=0.0): 1
        }
        assert (ALLOCATOR, ("", "services", "list")) in unused(seen)

    world(scenario)
