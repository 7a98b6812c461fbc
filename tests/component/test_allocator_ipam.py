"""The allocator and an external provider: real processes, killed, hung, slow and lying.

What the provider holds is read from its own records: nothing may be left there that no Service has.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from allocator.shell import provider
from playground.apiserver.faults import Action, Fault
from purelb.core.backoff import Backoff
from purelb.runtime import ipam as protocol
from purelb.runtime import ipam_pb2 as wire
from purelb.runtime.rpc import RpcError
from tests.component.harness import NAMESPACE, Api, Object, allocator, ingress, scenario
from tests.component.sidecars import Process, Script, answer, process, scripted

SERVICES = "/api/v1/namespaces/default/services"
GROUPS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups"
RECORDS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
POOL = "prod=198.51.100.0/29,2001:db8:5::/64"
PROD = {"purelb.io/service-group": "prod"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for pauses that are made for people."""
    monkeypatch.setattr(provider, "OUTAGE", Backoff(first=0.05, longest=0.2))
    monkeypatch.setattr(provider, "SOON", Backoff(first=0.05, longest=0.2))
    monkeypatch.setattr(provider, "LATE", Backoff(first=0.05, longest=0.2))
    monkeypatch.setattr(provider, "STATS_PAUSE", 0.05)


async def group(api: Api, socket: Path, name: str = "prod", announce: str = "local") -> None:
    """Create an external ServiceGroup."""
    spec = {"provider": "book", "socket": str(socket), "announce": announce}
    await api.group(name, external=spec)


async def group_where(api: Api, check: Callable[[Object], bool], name: str = "prod") -> Object:
    """Wait until a group's status is as it should be, and return it."""

    async def found() -> Object | None:
        status = (await api.send("GET", f"{GROUPS}/{name}")).get("status", {})
        return status if check(status) else None

    return await api.until(found, "the status of the group")


async def records(api: Api) -> dict[str, str]:
    """Return the journal's entries."""
    return {
        key: text
        for item in await api.items(RECORDS)
        if item["metadata"].get("labels", {}).get("purelb.io/journal") == "ipam"
        for key, text in (item.get("data") or {}).items()
    }


async def shown(api: Api) -> set[tuple[str, str]]:
    """Return which Service shows which address."""
    services = await api.items(SERVICES)
    return {(f"default/{s['metadata']['name']}", ip) for s in services for ip in ingress(s)}


async def until_nothing_leaks(api: Api, *sidecars: Process) -> None:
    """Wait until the providers hold what Services show, and nothing else is on record."""

    async def is_even() -> bool:
        held = {(service, ip) for one in sidecars for _, service, ip in one.held()}
        services = {service.replace("/", ".") for service, _ in held}
        return held == await shown(api) and set(await records(api)) == services

    await api.until(is_even, "providers hold what Services show")


def test_a_service_gets_what_the_provider_gives_and_it_goes_back_with_it(tmp_path: Path) -> None:
    """Brand, pool and type as for other pools; the group shows the provider's numbers."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar, allocator(api):
            await group(api, sidecar.socket, announce="remote")
            await api.service("web", PROD, ipFamilyPolicy="RequireDualStack",
                              ipFamilies=["IPv4", "IPv6"])  # fmt: skip
            assert await api.addresses("web", 2) == ["198.51.100.0", "2001:db8:5::"]
            annotations = (await api.get("web"))["metadata"]["annotations"]
            assert annotations == {
                **PROD,
                "purelb.io/allocated-by": "PureLB",
                "purelb.io/allocated-from": "prod",
                "purelb.io/pool-type": "remote",
            }
            assert "finalizers" not in (await api.get("web"))["metadata"]
            status = await group_where(api, lambda found: found.get("allocatedIPv4") == 1)
            assert {key: status[key] for key in status if key != "conditions"} == {
                "announce": "Remote",
                "ipam": "book",
                "addresses": [
                    "198.51.100.0-198.51.100.7",
                    "2001:db8:5::-2001:db8:5:0:ffff:ffff:ffff:ffff",
                ],
                "allocatedIPv4": 1,
                "allocatedIPv6": 1,
                "availableIPv4": 7,
                "availableIPv6": 2**63 - 1,
            }
            await until_nothing_leaks(api, sidecar)
            await api.send("DELETE", f"{SERVICES}/web")
            await group_where(api, lambda found: found.get("allocatedIPv4") == 0)
            await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_dropped_family_goes_back_and_one_that_is_added_comes(tmp_path: Path) -> None:
    """The address that stays is the same throughout."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar, allocator(api):
            await group(api, sidecar.socket)
            await api.service("web", PROD, ipFamilies=["IPv4"])
            await api.addresses("web")
            await _families(api, "PreferDualStack", ["IPv4", "IPv6"])
            assert await api.addresses("web", 2) == ["198.51.100.0", "2001:db8:5::"]
            await _families(api, "SingleStack", ["IPv4"])
            await until_nothing_leaks(api, sidecar)
            assert await shown(api) == {("default/web", "198.51.100.0")}

    scenario(work)


async def _families(api: Api, policy: str, families: list[str]) -> None:
    spec = {"ipFamilyPolicy": policy, "ipFamilies": families}
    body = {"spec": spec}
    if len(families) == 1:
        body["spec"] |= {"clusterIPs": (await api.get("web"))["spec"]["clusterIPs"][:1]}
    kind = "application/merge-patch+json"
    await api.send("PATCH", f"{SERVICES}/web", body, kind=kind)


@pytest.mark.parametrize("trouble", ["killed", "hung"])
def test_a_provider_that_is_down_delays_its_own_services_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Another external pool and a local one go on; when it is back, all are served in the end."""
    monkeypatch.setattr(protocol, "CALL_SECONDS", 0.3)

    async def work(api: Api) -> None:
        (tmp_path / "b").mkdir()
        async with (
            process(tmp_path, POOL) as down,
            process(tmp_path / "b", "test=203.0.113.0/29") as fine,
            allocator(api),
        ):
            await api.group()
            await group(api, down.socket)
            await group(api, fine.socket, "test")
            await group_where(api, lambda found: "availableIPv4" in found)
            await (down.kill() if trouble == "killed" else _stop(down))
            for number in range(3):
                await api.service(f"down-{number}", PROD)
            await api.service("local")
            await api.service("other", {"purelb.io/service-group": "test"})
            await api.addresses("local")
            await api.addresses("other")
            assert "does not answer" in (await api.warning("down-2"))["message"]
            ready = await group_where(api, lambda found: _ready(found)[0] == "False")
            assert _ready(ready)[1] == "ProviderUnavailable"
            assert ready["availableIPv4"] == 8
            await (down.start() if trouble == "killed" else _continue(down))
            for number in range(3):
                await api.addresses(f"down-{number}")
            await group_where(api, lambda found: _ready(found)[0] == "True")
            await api.send("DELETE", f"{SERVICES}/local")
            await until_nothing_leaks(api, down, fine)

    scenario(work)


async def _stop(sidecar: Process) -> None:
    sidecar.signal(signal.SIGSTOP)


async def _continue(sidecar: Process) -> None:
    sidecar.signal(signal.SIGCONT)


def _ready(status: Object) -> tuple[str, str]:
    for entry in status.get("conditions", ()):
        if entry["type"] == "Ready":
            return entry["status"], entry["reason"]
    return "", ""


def test_services_deleted_while_the_provider_is_down_are_released_when_it_is_back(
    tmp_path: Path,
) -> None:
    """And while the allocator is restarted besides."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                for name in ("a", "b", "c"):
                    await api.service(name, PROD)
                    await api.addresses(name)
                await sidecar.kill()
                await api.send("DELETE", f"{SERVICES}/a")
                await group_where(api, lambda found: _ready(found)[0] == "False")
            await api.send("DELETE", f"{SERVICES}/b")
            async with allocator(api):
                await sidecar.start()
                await until_nothing_leaks(api, sidecar)
            assert {service for _, service, _ in sidecar.held()} == {"default/c"}

    scenario(work)


def test_an_allocator_that_dies_between_answer_and_write_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    """One of the Services is deleted before the next allocator comes, one gets the same address."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            fault = Fault(
                action=Action.HANG,
                clients=frozenset({"allocator"}),
                resources=frozenset({"services/status"}),
            )
            name = api.server.faults.add(fault)
            async with allocator(api):
                for service in ("gone", "stays"):
                    await api.service(service, PROD)

                async def are_held() -> bool:
                    return len(sidecar.held()) == 2

                await api.until(are_held, "the provider has answered both")
            before = {service: ip for _, service, ip in sidecar.held()}
            api.server.faults.remove(name)
            await api.send("DELETE", f"{SERVICES}/gone")
            async with allocator(api):
                assert await api.addresses("stays") == [before["default/stays"]]
                await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_namesake_begins_anew_with_what_it_asks_for(tmp_path: Path) -> None:
    """Deleted and created again, with another family, while no allocator runs."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                await api.service("web", PROD, ipFamilies=["IPv4"])
                await api.addresses("web")
            await api.send("DELETE", f"{SERVICES}/web")
            await api.service("web", PROD, ipFamilies=["IPv6"])
            async with allocator(api):
                assert await api.addresses("web") == ["2001:db8:5::"]
                await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_what_a_namesake_had_goes_back_before_the_new_service_asks(tmp_path: Path) -> None:
    """Else the provider might answer the new question with the old addresses."""

    async def reply(request: wire.AllocateRequest) -> wire.AllocateResponse:
        return answer("198.51.100.1")

    async def work(api: Api) -> None:
        async with scripted(tmp_path / "x.sock", reply) as script:
            await group(api, tmp_path / "x.sock")
            async with allocator(api):
                await api.service("web", PROD)
                await api.addresses("web")
            await api.send("DELETE", f"{SERVICES}/web")
            await api.service("web", PROD)
            async with allocator(api):
                await api.addresses("web")
            calls = [method for method, _, _ in script.calls if method != "Stats"]
            assert calls == ["Allocate", "Release", "Allocate"]

    scenario(work)


def test_services_of_an_allocator_without_a_record_are_put_on_record(tmp_path: Path) -> None:
    """PureLB keeps none: after the switch of images its Services are released like ours."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                await api.service("web", PROD)
                await api.addresses("web")
                await until_nothing_leaks(api, sidecar)
            for item in await api.items(RECORDS):
                await api.send("DELETE", f"{RECORDS}/{item['metadata']['name']}")
            async with allocator(api):
                await until_nothing_leaks(api, sidecar)
            await api.send("DELETE", f"{SERVICES}/web")
            async with allocator(api):
                await until_nothing_leaks(api, sidecar)
            assert sidecar.held() == set()

    scenario(work)


def test_where_config_maps_are_forbidden_addresses_are_given_and_go_back_all_the_same(
    tmp_path: Path,
) -> None:
    """As under PureLB's own RBAC."""

    async def work(api: Api) -> None:
        fault = Fault(
            action=Action.FORBID,
            clients=frozenset({"allocator"}),
            resources=frozenset({"configmaps"}),
        )
        api.server.faults.add(fault)
        async with process(tmp_path, POOL) as sidecar, allocator(api):
            await group(api, sidecar.socket)
            await api.service("web", PROD)
            await api.addresses("web")
            await api.send("DELETE", f"{SERVICES}/web")
            await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_full_pool_serves_the_one_that_waits_as_soon_as_something_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the next try."""
    monkeypatch.setattr(provider, "SOON", Backoff(first=600.0, longest=600.0))

    async def work(api: Api) -> None:
        async with process(tmp_path, "prod=198.51.100.9/32") as sidecar, allocator(api):
            await group(api, sidecar.socket)
            await api.service("first", PROD)
            await api.addresses("first")
            await api.service("second", PROD)
            assert "exhausted" in (await api.warning("second"))["message"]
            await api.send("DELETE", f"{SERVICES}/first")
            assert await api.addresses("second") == ["198.51.100.9"]
            await until_nothing_leaks(api, sidecar)

    scenario(work)


def test_a_group_that_is_gone_still_has_its_addresses_taken_back(tmp_path: Path) -> None:
    """Its socket is on record, even for an allocator that never saw the group."""

    async def work(api: Api) -> None:
        async with process(tmp_path, POOL) as sidecar:
            await group(api, sidecar.socket)
            async with allocator(api):
                await api.service("web", PROD)
                await api.addresses("web")
            await api.send("DELETE", f"{GROUPS}/prod")
            await api.send("DELETE", f"{SERVICES}/web")
            async with allocator(api):
                await until_nothing_leaks(api, sidecar)

    scenario(work)


def with_script(
    tmp_path: Path,
    reply: Callable[[wire.AllocateRequest], Awaitable[wire.AllocateResponse]],
    work: Callable[[Api, Script], Awaitable[None]],
) -> None:
    """Run a scenario with a scripted provider of group `prod`."""

    async def run(api: Api) -> None:
        async with scripted(tmp_path / "x.sock", reply) as script, allocator(api):
            await group(api, tmp_path / "x.sock")
            await work(api, script)

    scenario(run)


def test_a_lie_is_told_and_asked_again_and_goes_back_with_the_service(tmp_path: Path) -> None:
    """The provider gives everybody the same address: the first one has it, the other is told."""

    async def reply(request: wire.AllocateRequest) -> wire.AllocateResponse:
        return answer("198.51.100.1")

    async def work(api: Api, script: Script) -> None:
        await api.service("first", PROD)
        await api.addresses("first")
        await api.service("second", PROD)
        assert "already in use by Service default/first" in (await api.warning("second"))["message"]
        await api.send("DELETE", f"{SERVICES}/first")
        assert await api.addresses("second") == ["198.51.100.1"]

    with_script(tmp_path, reply, work)


def test_what_was_not_asked_for_is_given_back_piece_by_piece(tmp_path: Path) -> None:
    """The address that is used stays."""

    async def reply(request: wire.AllocateRequest) -> wire.AllocateResponse:
        return answer("198.51.100.1", "198.51.100.2", "2001:db8:5::1", "198.51.100.1")

    async def work(api: Api, script: Script) -> None:
        await api.service("web", PROD)
        assert await api.addresses("web") == ["198.51.100.1"]

        async def are_back() -> bool:
            return {request.ip for request in script.released} == {"198.51.100.2", "2001:db8:5::1"}

        await api.until(are_back, "what was not asked for goes back")
        asked = [call for call in script.calls if call[0] == "Allocate"]
        assert asked == [("Allocate", "prod", "default/web")]

    with_script(tmp_path, reply, work)


def test_a_refusal_is_told_once_however_often_it_is_repeated(tmp_path: Path) -> None:
    """One Event and one condition; then the provider changes its mind."""
    calls = []

    async def reply(request: wire.AllocateRequest) -> wire.AllocateResponse:
        calls.append(request)
        if len(calls) < 5:
            raise RpcError("FAILED_PRECONDITION", "no tenant")
        return answer("198.51.100.1")

    async def work(api: Api, script: Script) -> None:
        await api.service("web", PROD)
        assert await api.addresses("web") == ["198.51.100.1"]
        events = await api.items("/api/v1/namespaces/default/events")
        (failed,) = [event for event in events if event["reason"] == "AllocationFailed"]
        assert 'refuses with FAILED_PRECONDITION: "no tenant"' in failed["message"]
        assert failed.get("count", 1) == 1

    with_script(tmp_path, reply, work)


def test_a_service_that_goes_while_it_is_asked_for_gives_back_what_then_comes(
    tmp_path: Path,
) -> None:
    """A slow provider answers when nobody wants it any more."""
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def reply(request: wire.AllocateRequest) -> wire.AllocateResponse:
        is_asked.set()
        await may_answer.wait()
        return answer("198.51.100.1")

    async def work(api: Api, script: Script) -> None:
        await api.service("web", PROD)
        await is_asked.wait()
        await api.send("DELETE", f"{SERVICES}/web")
        may_answer.set()

        async def is_back() -> bool:
            return [request.all for request in script.released] == [True]

        await api.until(is_back, "the late answer goes back")
        await api.until(lambda: _is_empty(api), "nothing is on record")

    with_script(tmp_path, reply, work)


async def _is_empty(api: Api) -> bool:
    return not await records(api)


def test_a_service_that_never_asked_causes_no_call(tmp_path: Path) -> None:
    """A provider is asked about its own Services only, and only once."""

    async def reply(request: wire.AllocateRequest) -> wire.AllocateResponse:
        return answer("198.51.100.1")

    async def work(api: Api, script: Script) -> None:
        await api.group()
        await api.service("local")
        await api.addresses("local")
        await api.send("DELETE", f"{SERVICES}/local")
        await api.service("web", PROD)
        await api.addresses("web")
        await api.until(lambda: _has_text(api, "198.51.100.1"), "the answer is on record")
        kind = "application/merge-patch+json"
        patch = {"metadata": {"annotations": {"purelb.io/re-evaluate": "true"}}}
        await api.send("PATCH", f"{SERVICES}/web", patch, kind=kind)

        async def is_consumed() -> bool:
            annotations = (await api.get("web"))["metadata"]["annotations"]
            return "purelb.io/re-evaluate" not in annotations

        await api.until(is_consumed, "the Service is looked at again")
        calls = [call for call in script.calls if call[0] != "Stats"]
        assert calls == [("Allocate", "prod", "default/web")]

    with_script(tmp_path, reply, work)


async def _has_text(api: Api, text: str) -> bool:
    return any(text in entry for entry in (await records(api)).values())
