"""The reference sidecar and the client, over a real socket and a real file."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from purelb.api.addresses import Family
from purelb.api.ipam import PoolStats
from purelb.runtime import ipam as protocol
from purelb.runtime.ipam import IpamClient
from purelb.runtime.rpc import RpcError
from tests.component.sidecars import Process, process

V4, V6 = Family.IPV4, Family.IPV6
POOL = "prod=192.0.2.0/30,2001:db8::/64"


def with_client(folder: Path, work: Callable[[IpamClient, Process], Awaitable[None]]) -> None:
    """Run a coroutine function with the sidecar and a client of it."""

    async def run() -> None:
        async with process(folder, POOL) as sidecar:
            client = IpamClient(str(sidecar.socket))
            try:
                await work(client, sidecar)
            finally:
                client.close()

    asyncio.run(run())


def test_the_same_question_gets_the_same_answer_even_after_a_kill(tmp_path: Path) -> None:
    """Records are on disk before they are told, and the client connects again by itself."""

    async def work(client: IpamClient, sidecar: Process) -> None:
        first = await client.allocate_families("prod", "shop/web", "", (V4, V6))
        await sidecar.kill()
        await sidecar.start()
        assert await client.allocate_families("prod", "shop/web", "", (V4, V6)) == first
        assert first == ("192.0.2.0", "2001:db8::")

    with_client(tmp_path, work)


def test_what_is_released_is_given_again_and_unknown_services_are_released_too(
    tmp_path: Path,
) -> None:
    """Release never fails for what is gone already."""

    async def work(client: IpamClient, sidecar: Process) -> None:
        await client.allocate_families("prod", "shop/web", "", (V4, V6))
        await client.release("prod", "shop/web", "2001:db8::")
        assert sidecar.held() == {("prod", "shop/web", "192.0.2.0")}
        await client.release("prod", "shop/web")
        await client.release("prod", "shop/web")
        assert sidecar.held() == set()
        assert await client.allocate_families("prod", "shop/api", "", (V4,)) == ("192.0.2.0",)

    with_client(tmp_path, work)


def test_exact_addresses_and_shared_ones_are_given(tmp_path: Path) -> None:
    """A sharing key lets others join."""

    async def work(client: IpamClient, sidecar: Process) -> None:
        given = await client.allocate_explicit("prod", "shop/a", "k", ["192.0.2.3"])
        assert given == ("192.0.2.3",)
        assert await client.allocate_families("prod", "shop/b", "k", (V4,)) == ("192.0.2.3",)
        with pytest.raises(RpcError, match="belongs to another") as caught:
            await client.allocate_explicit("prod", "shop/c", "", ["192.0.2.3"])
        assert caught.value.status == "FAILED_PRECONDITION"

    with_client(tmp_path, work)


def test_without_a_wish_the_provider_chooses_one_address(tmp_path: Path) -> None:
    """API servers that fill no ipFamilies leave it to the provider."""

    async def work(client: IpamClient, sidecar: Process) -> None:
        assert await client.allocate_families("prod", "shop/web", "", ()) == ("192.0.2.0",)

    with_client(tmp_path, work)


def test_statistics_count_both_families(tmp_path: Path) -> None:
    """They are what the status of the group shows."""

    async def work(client: IpamClient, sidecar: Process) -> None:
        await client.allocate_families("prod", "shop/web", "", (V4,))
        assert await client.stats("prod") == PoolStats(
            in_use=(1, 0),
            size=(4, 2**64 - 1),
            shown=("192.0.2.0-192.0.2.3", "2001:db8::-2001:db8::ffff:ffff:ffff:ffff"),
        )

    with_client(tmp_path, work)


def test_a_full_pool_and_an_unknown_one_are_told_apart(tmp_path: Path) -> None:
    """The status says whether waiting helps."""

    async def work(client: IpamClient, sidecar: Process) -> None:
        for name in "abcd":
            await client.allocate_families("prod", f"shop/{name}", "", (V4,))
        with pytest.raises(RpcError) as full:
            await client.allocate_families("prod", "shop/e", "", (V4, V6))
        with pytest.raises(RpcError) as unknown:
            await client.allocate_families("test", "shop/e", "", (V4,))
        assert (full.value.status, unknown.value.status) == ("RESOURCE_EXHAUSTED", "NOT_FOUND")
        assert len(sidecar.held()) == 4

    with_client(tmp_path, work)


def test_no_answer_and_nobody_there_are_errors_with_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process accepts and never answers; a killed one refuses."""
    monkeypatch.setattr(protocol, "CALL_SECONDS", 0.2)

    async def work(client: IpamClient, sidecar: Process) -> None:
        sidecar.signal(signal.SIGSTOP)
        with pytest.raises(RpcError) as hung:
            await client.stats("prod")
        sidecar.signal(signal.SIGCONT)
        await sidecar.kill()
        with pytest.raises(RpcError) as dead:
            await client.stats("prod")
        assert (hung.value.status, dead.value.status) == ("DEADLINE_EXCEEDED", "UNAVAILABLE")

    with_client(tmp_path, work)


def test_a_peer_that_speaks_no_grpc_is_an_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever listens on the socket, a call ends."""
    monkeypatch.setattr(protocol, "CALL_SECONDS", 0.5)

    async def run() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read(100)
            writer.close()

        server = await asyncio.start_unix_server(babble, tmp_path / "x.sock")
        client = IpamClient(str(tmp_path / "x.sock"))
        try:
            with pytest.raises(RpcError):
                await client.stats("prod")
        finally:
            client.close()
            server.close()
            await server.wait_closed()

    asyncio.run(run())
