"""An API server that asks to be spared for an hour, as a proxy on the way may, gets seconds."""

from dataclasses import replace

import pytest

from allocator.app import Allocator
from playground.apiserver import Action, Fault
from purelb.runtime.credentials import Access
from purelb.runtime.errors import TransientError
from purelb.runtime.kube import LONGEST_SPARED_SECONDS, Kube
from tests.component.harness import SETTINGS, Api, allocator, scenario

CLIENT = frozenset({"allocator"})
LEASES = frozenset({"leases"})
TRIES = 4  # that fit into the right; at the pace asked for they would take half a minute


def spared(resource: str, verb: str = "patch") -> Fault:
    """Answer a client's requests for a resource with 429 and Retry-After: 3600."""
    return Fault(
        action=Action.FAIL,
        code=429,
        retry_after_seconds=3600,
        clients=CLIENT,
        verbs=frozenset({verb}),
        resources=frozenset({resource}),
    )


def refused(api: Api, resource: str) -> int:
    """Return how many requests were answered so."""
    return sum(1 for e in api.server.audit if e.code == 429 and e.resource == resource)


async def lead(api: Api, one: Allocator) -> None:
    """Wait until an allocator serves."""

    async def serves() -> bool:
        return one.term is not None

    await api.until(serves, "it serves")


def test_what_is_asked_for_is_bounded() -> None:
    """Whoever retries may rely on it."""

    async def work(api: Api) -> None:
        api.server.faults.add(spared("services", "list"))
        async with Kube(Access(server=api.server.url, token_text="allocator"), "test") as kube:
            with pytest.raises(TransientError) as caught:
                await kube.get("/api/v1/services")
        assert caught.value.retry_after == LONGEST_SPARED_SECONDS

    scenario(work)


def test_a_service_whose_write_was_refused_so_is_written_within_seconds() -> None:
    """Its queue goes on as well."""

    async def work(api: Api) -> None:
        await api.group()
        async with allocator(api) as one:
            await lead(api, one)
            api.server.faults.add(spared("services/status"), "spared")
            await api.service("web")

            async def is_refused() -> bool:
                return refused(api, "services/status") > 0

            await api.until(is_refused, "the write is refused")
            api.server.faults.remove("spared")
            assert await api.addresses("web") == ["192.0.2.0"]

    scenario(work)


def test_a_leader_tries_again_while_its_right_lasts() -> None:
    """Else it loses the right to write, and the Lease if there is another replica."""

    async def work(api: Api) -> None:
        async with allocator(api, replace(SETTINGS, lease_seconds=6.0)) as one:
            await lead(api, one)
            api.server.faults.add(spared("leases"), "spared")

            async def has_tried() -> bool:
                return refused(api, "leases") >= TRIES

            await api.until(has_tried, "several tries")
            api.server.faults.remove("spared")

            async def may_write() -> bool:
                return one.leadership.right() > 0

            await api.until(may_write, "it has the right again")
            assert one.leadership.terms == 1

    scenario(work)
