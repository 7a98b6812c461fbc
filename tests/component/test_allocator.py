"""The allocator against the embedded API server: what it writes, and what it never writes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from playground.apiserver.faults import Action, Fault
from playground.apiserver.record import Entry
from tests.component.harness import NAMESPACE, Api, allocator, ingress, scenario

SERVICES = "/api/v1/namespaces/default/services"


def test_a_service_gets_its_address_and_brand_in_one_write() -> None:
    """Address and annotations arrive together, by a single PATCH of services/status."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.service("web")
            assert await api.addresses("web") == ["192.0.2.0"]
            service = await api.get("web")
            await api.until(_settled(api), "the allocator comes to rest")
        written = {entry.resource for entry in _writes(api)}
        assert written == {"services/status", "servicegroups/status", "events"}
        writes = [
            e
            for e in api.server.audit.entries
            if e.client == "allocator" and e.resource.startswith("services")
        ]
        assert [(e.verb, e.resource) for e in writes] == [("patch", "services/status")]
        assert service["metadata"]["annotations"] == {
            "purelb.io/allocated-by": "PureLB",
            "purelb.io/allocated-from": "default",
            "purelb.io/pool-type": "local",
        }
        assert service["status"]["loadBalancer"]["ingress"] == [
            {"ip": "192.0.2.0", "ipMode": "VIP"}
        ]
        assert "finalizers" not in service["metadata"]
        (group,) = await api.items(f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups")
        assert not {"annotations", "finalizers"} & group["metadata"].keys()

    scenario(work)


def test_dual_stack_gets_both_families_in_the_order_asked_for() -> None:
    """`ipFamilies` decides the order of the ingress."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.service("web", ipFamilies=["IPv6", "IPv4"], ipFamilyPolicy="RequireDualStack")
            assert await api.addresses("web", 2) == ["2001:db8::", "192.0.2.0"]

    scenario(work)


def test_a_deleted_service_frees_its_address_for_the_one_that_waits() -> None:
    """A full pool serves the waiting Service as soon as an address is free, without polling."""

    async def work(api: Api) -> None:
        pool = {"pool": "192.0.2.9/32", "subnet": "192.0.2.0/24"}
        await api.group(local={"v4pool": pool})
        async with allocator(api):
            await api.service("first")
            await api.addresses("first")
            await api.service("second")
            event = await api.warning("second")
            assert event["reason"] == "AllocationFailed"
            await api.until(lambda: _pending(api, "second"), "the Service says why")
            await api.send("DELETE", f"{SERVICES}/first")
            assert await api.addresses("second") == ["192.0.2.9"]
            assert await _pending(api, "second") == []

    scenario(work)


def test_the_group_status_counts_what_is_held() -> None:
    """Server-side apply keeps the numbers exact, and the group says that it is ready."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.service("web")
            await api.addresses("web")

            async def status() -> dict[str, Any] | None:
                groups = await api.items(f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups")
                found: dict[str, Any] = groups[0].get("status", {})
                return found if found.get("allocatedIPv4") == 1 else None

            found = await api.until(status, "the group counts one address")
        conditions = {one["type"]: one["status"] for one in found.pop("conditions")}
        assert conditions == {
            "Exhausted": "False",
            "Guarded": "False",
            "Invalid": "False",
            "Overlapping": "False",
            "Ready": "True",
        }
        assert found == {
            "announce": "Local",
            "ipam": "Cluster",
            "addresses": ["192.0.2.0/30", "2001:db8::/64"],
            "allocatedIPv4": 1,
            "allocatedIPv6": 0,
            "availableIPv4": 3,
            "availableIPv6": 2**63 - 1,
        }

    scenario(work)


BAD = [
    pytest.param({"purelb.io/service-group": "nope"}, ['unknown pool "nope"'], id="unknown-group"),
    pytest.param(
        {"purelb.io/addresses": "203.0.113.7"},
        ["203.0.113.7", "does not belong to any group"],
        id="outside-every-pool",
    ),
    pytest.param(
        {"purelb.io/addresses": "192.0.2.0"},
        ["192.0.2.0", "already in use", "default/holder"],
        id="already-held",
    ),
    pytest.param(
        {"purelb.io/addresses": "300.1.2.3"},
        ["invalid user-specified address", "300.1.2.3"],
        id="malformed-annotation",
    ),
    pytest.param(
        {"purelb.io/service-group": "small"}, ["small", "exhausted", "no available"], id="exhausted"
    ),
]


@pytest.mark.parametrize(("annotations", "words"), BAD)
def test_bad_input_says_why_on_the_service_and_stops_nobody_else(
    annotations: dict[str, str], words: list[str]
) -> None:
    """The Service stays pending and unbranded with one Warning; the next one is served."""

    async def work(api: Api) -> None:
        await api.group()
        pool = {"pool": "192.0.2.9/32", "subnet": "192.0.2.0/24"}
        await api.group("small", local={"v4pool": pool})
        async with allocator(api):
            await api.service("holder")
            await api.service("filler", {"purelb.io/service-group": "small"})
            await api.addresses("holder")
            await api.addresses("filler")
            await api.service("bad", annotations)
            event = await api.warning("bad")
            await api.service("good")
            await api.addresses("good")
            bad = await api.get("bad")
            events = await api.items("/api/v1/namespaces/default/events")
        assert event["reason"] == "AllocationFailed"
        assert all(word in event["message"] for word in (*words, "default/bad")), event["message"]
        assert ingress(bad) == []
        assert bad["metadata"].get("annotations", {}) == annotations
        about_bad = [e for e in events if e["involvedObject"]["name"] == "bad"]
        assert [(e["type"], e["count"]) for e in about_bad] == [("Warning", 1)]

    scenario(work)


def test_held_addresses_are_adopted_before_any_is_given_out() -> None:
    """Services that waited while the allocator was away do not get what others hold."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            for name in ("a", "b", "c"):
                await api.service(name)
                await api.addresses(name)
        held = {name: ingress(await api.get(name)) for name in ("a", "b", "c")}
        await api.send("DELETE", f"{SERVICES}/a")
        await api.service("fresh")
        async with allocator(api):
            assert await api.addresses("fresh") == held["a"]
        assert {name: ingress(await api.get(name)) for name in ("b", "c")} == {
            name: held[name] for name in ("b", "c")
        }

    scenario(work)


def test_a_restart_writes_nothing() -> None:
    """With everything allocated, a new allocator sends no write at all."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            for name in ("a", "b"):
                await api.service(name)
                await api.addresses(name)
            await api.until(_settled(api), "the first allocator comes to rest")
        written = len(_writes(api))
        async with allocator(api) as second:
            await api.until(lambda: _true(second.term is not None), "adoption")
            await api.until(_settled(api), "the second allocator comes to rest")
        assert len(_writes(api)) == written

    scenario(work)


def test_a_server_that_drops_the_annotations_gets_them_by_a_second_write() -> None:
    """The reply of the status write is checked."""

    async def work(api: Api) -> None:
        await api.group()
        api.server.faults.add(Fault(action=Action.DROP_METADATA))
        async with allocator(api):
            await api.service("web")

            async def branded() -> bool:
                service = await api.get("web")
                keys = service["metadata"].get("annotations", {})
                return bool(ingress(service)) and keys.get("purelb.io/allocated-by") == "PureLB"

            await api.until(branded, "the brand")

    scenario(work)


def test_without_the_right_to_patch_whole_objects_are_replaced() -> None:
    """PureLB's own RBAC grants `update` only."""

    async def work(api: Api) -> None:
        await api.group()
        api.server.faults.add(
            Fault(
                action=Action.FORBID,
                verbs=frozenset({"patch"}),
                resources=frozenset({"services", "services/status"}),
            )
        )
        async with allocator(api):
            await api.service("web")
            assert await api.addresses("web") == ["192.0.2.0"]
            service = await api.get("web")
        assert service["metadata"]["annotations"]["purelb.io/allocated-by"] == "PureLB"

    scenario(work)


def test_a_foreign_class_is_never_touched() -> None:
    """Neither address nor Event nor annotation."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.service("theirs", loadBalancerClass="example.com/other")
            await api.service("ours", loadBalancerClass="purelb.io/purelb")
            await api.service("old", loadBalancerClass="purelb.io/purelbv2")
            await api.addresses("ours")
            await api.addresses("old")
            theirs = await api.get("theirs")
        assert ingress(theirs) == []
        assert "annotations" not in theirs["metadata"]

    scenario(work)


def test_a_service_that_leaves_the_type_gives_everything_back() -> None:
    """Address and annotations go, and the address is free for the next."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.service("web")
            await api.addresses("web")
            await api.send(
                "PATCH",
                f"{SERVICES}/web",
                {"spec": {"type": "ClusterIP"}},
                kind="application/merge-patch+json",
            )

            async def clean() -> bool:
                keys = (await api.get("web"))["metadata"].get("annotations", {})
                return not any(key.startswith("purelb.io/") for key in keys)

            await api.until(clean, "the annotations go")
            await api.service("next")
            assert await api.addresses("next") == ["192.0.2.0"]

    scenario(work)


FAULTS = [
    pytest.param(Fault(action=Action.FAIL, code=500, rate=0.3), id="a-third-of-requests-fail"),
    pytest.param(Fault(action=Action.FAIL, code=429, rate=0.3), id="throttled"),
    pytest.param(Fault(action=Action.REFUSE, verbs=frozenset({"patch"})), id="writes-refused"),
    pytest.param(Fault(action=Action.DELAY, seconds=0.05), id="slow"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_server_delay_but_never_double_an_address(fault: Fault) -> None:
    """After the fault every Service has exactly one address, none twice."""

    async def work(api: Api) -> None:
        await api.group(local={"v4pool": {"pool": "10.0.0.0/16", "subnet": "10.0.0.0/16"}})
        names = [f"s{number}" for number in range(40)]
        async with allocator(api) as running:
            await api.until(lambda: _true(running.term is not None), "adoption")
            for name in names:
                await api.service(name)
            api.server.faults.add(fault, "trouble")
            await asyncio.sleep(0.5)  # the trouble itself; nothing is awaited here
            api.server.faults.remove("trouble")
            found = [await api.addresses(name) for name in names]
        assert all(len(addresses) == 1 for addresses in found)
        assert len({addresses[0] for addresses in found}) == len(names)

    scenario(work)


async def _true(value: bool) -> bool:
    return value


async def _pending(api: Api, name: str) -> list[str]:
    """Return why a Service says it waits."""
    status = (await api.get(name))["status"]
    return [one["message"] for one in status.get("conditions") or ()]


def _writes(api: Api) -> list[Entry]:
    """Return all writes of the allocator but those on the Lease of the leader."""
    return [
        entry
        for entry in api.server.audit.entries
        if entry.client == "allocator" and entry.resource != "leases"
    ]


def _settled(api: Api) -> Callable[[], Awaitable[bool]]:
    """Return a check that the allocator has written nothing for a while."""
    seen: list[int] = []

    async def check() -> bool:
        await asyncio.sleep(0.1)
        seen.append(len(_writes(api)))
        return len(seen) > 15 and len(set(seen[-15:])) == 1

    return check


def test_addresses_of_nodes_are_given_to_nobody_and_the_group_says_so() -> None:
    """Known before the first address is given, and learned while it runs."""

    async def node(api: Api, name: str, address: str) -> None:
        meta = {"metadata": {"name": name}}
        await api.send("POST", "/api/v1/nodes", meta)
        status = {"status": {"addresses": [{"type": "InternalIP", "address": address}]}}
        kind = "application/merge-patch+json"
        await api.send("PATCH", f"/api/v1/nodes/{name}/status", status, kind=kind)

    async def work(api: Api) -> None:
        await api.group()
        await node(api, "a", "192.0.2.0")
        async with allocator(api):
            await api.service("first")
            assert await api.addresses("first") == ["192.0.2.1"]
            await node(api, "b", "192.0.2.2")
            await api.until(lambda: _guarded(api, "192.0.2.2 (Node b)"), "the new node is known")
            await api.service("second")
            assert await api.addresses("second") == ["192.0.2.3"]

    scenario(work)


async def _guarded(api: Api, words: str) -> bool:
    (group,) = await api.items(f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups")
    conditions = group.get("status", {}).get("conditions") or ()
    return any(words in one["message"] for one in conditions if one["type"] == "Guarded")


def test_the_gateways_that_agents_see_are_given_to_nobody_and_the_group_says_so() -> None:
    """They are on the Leases of the nodes."""

    async def work(api: Api) -> None:
        await api.group()
        shown = {"purelb.io/gateways": "192.0.2.0,2001:db8::1"}
        metadata = {"name": "purelb-node-a", "annotations": shown}
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        await api.send("POST", path, {"metadata": metadata, "spec": {"holderIdentity": "a"}})
        async with allocator(api):
            await api.until(lambda: _guarded(api, "192.0.2.0 (the nodes' gateway)"), "it is known")
            await api.service("first")
            assert await api.addresses("first") == ["192.0.2.1"]

    scenario(work)
