"""What the daemons ask the API server for, as its audit log has it.

That nothing is refused is checked at the end of every module with daemons, too (`conftest`).
"""

import re

from playground.cluster import Cluster
from tests.e2e.audit import DAEMONS, Call, calls, refused
from tests.e2e.user import FAMILIES, Story, User, addresses, group, namespace, ours, service
from tests.e2e.world import World

ALLOCATOR, AGENT = DAEMONS
READS = frozenset({"get", "list", "watch"})
LEASES = "/apis/coordination.k8s.io/v1/namespaces/purelb-system/leases"
EVENTS = r"/api/v1/namespaces/[^/]+/events(/[^/]+)?"
# Where each daemon may write, whatever its verbs.
WRITES = {
    ALLOCATOR: (
        r"/api/v1/namespaces/[^/]+/services/[^/]+(/status)?",
        r"/apis/purelb.io/v2/namespaces/purelb-system/servicegroups/[^/]+/status",
        rf"{LEASES}(/purelb-allocator)?",
        EVENTS,
    ),
    AGENT: (
        r"/api/v1/namespaces/[^/]+/services/[^/]+(/status)?",
        rf"{LEASES}(/purelb-node-node-[abc])?",
        EVENTS,
    ),
}
FORBIDDEN = {
    ALLOCATOR: ("get secrets -A", "create pods -A", "delete services -A", "patch nodes"),
    AGENT: ("get secrets -A", "create pods -A", "delete services -A", "patch servicegroups -A"),
}


async def session(user: User) -> None:
    """Do a little of everything: give, share, pin, refuse, change groups, take back, restart."""
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
    )
    await user.until_served("both", 2)
    for name in ("first", "second", "pinned", "again"):
        await user.until_served(name)
    await user.until_served("bound", namespace="tenant")
    await user.until("again", lambda one: "re-evaluate" not in ours(one))
    await user.event("lost", "AllocationFailed")
    await user.patch("pinned", {"externalTrafficPolicy": "Local"})
    await user.until("pinned", lambda one: one["spec"]["externalTrafficPolicy"] == "Cluster")
    await user.patch("first", {"type": "ClusterIP"})
    await user.until("first", lambda one: not addresses(one) and not ours(one).keys() - key.keys())
    for workload in ("deployment/allocator", "daemonset/lbnodeagent"):
        await user.kubectl("-n", "purelb-system", "rollout", "restart", workload)
        await user.kubectl("-n", "purelb-system", "rollout", "status", workload, "--timeout=60s")
    await user.delete("service", "both")
    await user.apply(service("last"))
    await user.until_served("last")


def writes_elsewhere(seen: tuple[Call, ...]) -> list[Call]:
    """Return the writes that are none of a daemon's business."""
    return [
        call
        for call in seen
        if call.verb not in READS
        and not any(re.fullmatch(place, call.target) for place in WRITES[call.user])
    ]


def test_a_session_needs_no_right_that_the_manifests_lack(story: Story) -> None:
    """Both daemons have worked, nothing was refused, nothing was written where it is not theirs."""

    async def scene(user: User) -> None:
        await session(user)
        log = user.cluster.paths.log("audit")
        seen = calls(log)
        writers = {call.user for call in seen if call.verb not in READS}
        assert writers == set(DAEMONS)
        assert not refused(log)
        assert not writes_elsewhere(seen)

    story(scene)


def test_the_rights_end_where_the_work_ends(story: Story) -> None:
    """The API server's own answer about what a stolen token would be good for."""

    async def scene(user: User) -> None:
        for account, actions in FORBIDDEN.items():
            for action in actions:
                answer = await user.cluster.kubectl(
                    "auth", "can-i", *action.split(), f"--as={account}", check=False
                )
                assert (action, answer.stdout) == (action, "no\n")

    story(scene)


def test_a_request_that_is_refused_is_seen(world: World) -> None:
    """In a cluster without daemons, by a person with the allocator's token."""

    async def scenario(cluster: Cluster) -> None:
        log = cluster.paths.log("audit")
        before = refused(log)
        option = f"--kubeconfig={cluster.kubeconfig('allocator')}"
        await cluster.kubectl("-n", "default", "get", "secrets", option, check=False)
        (call,) = refused(log)[len(before) :]
        assert call == Call(ALLOCATOR, "list", "/api/v1/namespaces/default/secrets", 403)

    world(scenario)
