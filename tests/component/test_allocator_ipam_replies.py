"""The allocator and a provider whose every reply is scripted: lies, refusals, late answers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from purelb.runtime import ipam_pb2 as wire
from purelb.runtime.rpc import RpcError
from tests.component.harness import Api, allocator, scenario
from tests.component.ipamscene import PROD, SERVICES, group, records, shorten_pauses
from tests.component.sidecars import Script, answer, scripted


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_pauses(monkeypatch)


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
