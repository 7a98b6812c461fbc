"""What a running allocator writes on ServiceGroups and shows about them, and when it cannot."""

import asyncio
import logging
from pathlib import Path

import pytest

from allocator.app import Allocator
from playground.apiserver import Action, Fault
from tests.component.harness import NAMESPACE, Api, Object, allocator, scenario
from tests.component.sidecars import process
from tests.component.test_allocator_health import series

GROUPS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups"
STATUS = frozenset({"servicegroups/status"})
WRITES = "purelb_allocator_sg_status_writes_total"
IN_USE = "purelb_address_pool_addresses_in_use"
FAILURES = [
    pytest.param(Fault(action=Action.FAIL, code=409, resources=STATUS), "conflict", id="conflict"),
    pytest.param(Fault(action=Action.FORBID, resources=STATUS), "forbidden", id="forbidden"),
    pytest.param(Fault(action=Action.FAIL, code=500, resources=STATUS), "other", id="failing"),
    # A CRD without the subresource answers so.
    pytest.param(Fault(action=Action.FAIL, code=404, resources=STATUS), "other", id="no-status"),
]


async def _counts(api: Api, number: int) -> bool:
    (group,) = await api.items(GROUPS)
    return bool(group.get("status", {}).get("allocatedIPv4") == number)


@pytest.mark.parametrize(("fault", "outcome"), FAILURES)
def test_a_status_that_cannot_be_written_delays_nobody_and_is_written_later(
    fault: Fault, outcome: str
) -> None:
    """Each failure is counted; nothing is ever written past the subresource."""

    async def work(api: Api) -> None:
        api.server.faults.add(fault, "trouble")
        await api.group()
        async with allocator(api) as one:
            await api.service("web")
            await api.addresses("web")

            async def is_counted() -> bool:
                return series(one, WRITES).get(f'{{outcome="{outcome}"}}', 0) > 0

            await api.until(is_counted, f"a failure counts as {outcome}")
            assert (await api.items(GROUPS))[0].get("status") is None
            api.server.faults.remove("trouble")
            await api.until(lambda: _counts(api, 1), "the status is written after all")
            assert series(one, WRITES)['{outcome="success"}'] >= 1
        written = {entry.resource for entry in api.server.audit if entry.client == "allocator"}
        assert "servicegroups" not in written

    scenario(work)


def test_a_group_that_is_created_again_at_once_has_its_status() -> None:
    """What was written is remembered by uid, not by name."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.service("web")
            await api.addresses("web")
            await api.until(lambda: _counts(api, 1), "the group counts one address")
            await api.send("DELETE", f"{GROUPS}/default")
            await api.group()
            await api.until(lambda: _counts(api, 1), "and so does its namesake")

    scenario(work)


def test_the_series_of_a_pool_go_with_its_group_and_a_group_elsewhere_is_counted() -> None:
    """The Services keep what they have."""

    async def work(api: Api) -> None:
        await api.group()
        body: Object = (await api.items(GROUPS))[0]
        elsewhere = {"metadata": {"name": "lost"}, "spec": body["spec"]}
        elsewhere |= {"apiVersion": "purelb.io/v2", "kind": "ServiceGroup"}
        path = GROUPS.replace(NAMESPACE, "default")
        await api.send("POST", path, elsewhere)
        lost = {'{name="lost",namespace="default",type="local"}': 1.0}
        async with allocator(api) as one:
            await api.service("web")
            assert await api.addresses("web") == ["192.0.2.0"]
            assert series(one, IN_USE) == {'{pool="default"}': 1.0}
            assert series(one, "purelb_servicegroups_out_of_scope") == lost
            await api.send("DELETE", f"{path}/lost")
            await api.until(lambda: _is_empty(one, "purelb_servicegroups_out_of_scope"), "no lost")
            await api.send("DELETE", f"{GROUPS}/default")
            await api.until(lambda: _is_empty(one, IN_USE), "no series of the pool")
            assert series(one, "purelb_address_pool_size") == {}
            assert await api.addresses("web") == ["192.0.2.0"]

    async def _is_empty(one: Allocator, name: str) -> bool:
        return not series(one, name)

    scenario(work)


def test_what_becomes_of_each_group_is_logged_in_the_words_that_tools_search_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Groups that are used only because all are elsewhere, and then out of scope, among them."""
    caplog.set_level(logging.INFO)

    def logged(event: str, name: str) -> list[str]:
        return [
            record.levelname
            for record in caplog.records
            if vars(record).get("event") == event and name in vars(record)["outcome"]
        ]

    async def work(api: Api) -> None:
        body = {"apiVersion": "purelb.io/v2", "kind": "ServiceGroup", "metadata": {"name": "far"}}
        pool = {"pool": "198.51.100.0/30", "subnet": "198.51.100.0/24"}
        body |= {"spec": {"local": {"v4pool": pool}}}
        await api.send("POST", GROUPS.replace(NAMESPACE, "default"), body)
        async with allocator(api) as one:

            async def is_told(event: str, name: str) -> bool:
                return bool(logged(event, name))

            await api.until(lambda: is_told("parsed", "default/far"), "it counts")
            assert logged("configurationWarning", "namespace default") == ["WARNING"]
            await api.group()
            await api.until(lambda: is_told("parsed", "/default "), "the group at the right place")
            assert logged("serviceGroupOutOfScope", "default/far") == ["WARNING"]
            assert set(one.store.pools.pools) == {"default"}

    scenario(work)


def test_calls_to_a_provider_are_counted_and_timed_by_socket_method_and_code(
    tmp_path: Path,
) -> None:
    """Spelled as PureLB spells them."""

    async def work(api: Api) -> None:
        async with process(tmp_path, "prod=198.51.100.0/30") as sidecar, allocator(api) as one:
            socket = str(sidecar.socket)
            external = {"provider": "book", "announce": "local", "socket": socket}
            await api.group("prod", external=external)
            await api.service("web", {"purelb.io/service-group": "prod"})
            await api.addresses("web")
            await sidecar.kill()
            await api.service("late", {"purelb.io/service-group": "prod"})
            method = f'method="/purelb.ipam.v1.IPAM/Allocate",socket="{socket}"'

            async def is_counted() -> bool:
                counts = series(one, "purelb_allocator_sidecar_rpc_total")
                return counts.get(f'{{code="Unavailable",{method}}}', 0) > 0

            await api.until(is_counted, "a call without an answer is counted")
            counts = series(one, "purelb_allocator_sidecar_rpc_total")
            assert counts[f'{{code="OK",{method}}}'] == 1
            times = series(one, "purelb_allocator_sidecar_rpc_duration_seconds_count")
            assert times[f"{{{method}}}"] >= 2

    scenario(work)


def test_a_lone_allocation_sends_the_groups_status_with_the_services() -> None:
    """Who sees the address finds the group counting it: nothing waits in between."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api):
            await api.until(lambda: _counts(api, 0), "the first status")
            await asyncio.sleep(1.5)  # a burst is over after a second
            await api.service("web")
            await api.addresses("web")
            await api.until(lambda: _counts(api, 1), "the group counts")
        statuses = [e.resource for e in api.server.audit if e.resource.endswith("/status")]
        assert statuses[-2:] == ["servicegroups/status", "services/status"]

    scenario(work)
