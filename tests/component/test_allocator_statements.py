"""What a witness says on its node's Lease becomes a condition of the Service."""

import asyncio

from purelb.api.conditions import NodeCondition, encode_conditions
from purelb.api.problems import NoticeType
from purelb.runtime.clock import wall_clock
from tests.component.harness import NAMESPACE, Api, Object, allocator, scenario

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
DURATION = 3  # seconds


async def lease(api: Api, node: str, text: str) -> None:
    """Let a node have a Lease that says this."""
    metadata = {"name": f"purelb-node-{node}", "annotations": {"purelb.io/conditions": text}}
    spec = {"holderIdentity": node, "leaseDurationSeconds": DURATION, "renewTime": wall_clock()}
    await api.send("POST", LEASES, {"metadata": metadata, "spec": spec})


async def renew(api: Api, node: str, text: str) -> None:
    """Renew a Lease, which says this from now on."""
    change = {
        "metadata": {"annotations": {"purelb.io/conditions": text}},
        "spec": {"renewTime": wall_clock()},
    }
    path = f"{LEASES}/purelb-node-{node}"
    await api.send("PATCH", path, change, kind="application/merge-patch+json")


def wrong(address: str) -> str:
    """Return what a witness writes of an address."""
    one = NodeCondition(
        type="SeveralAnswers",
        subject=address,
        severity=NoticeType.WARNING,
        message="node b has it, and host 02:00:00:00:00:09 answers, too",
        since="2026-01-01T00:00:00Z",
    )
    return encode_conditions([one])


async def condition(api: Api) -> Object | None:
    """Return the condition of the Service, if it has it."""
    found = (await api.get("web")).get("status", {}).get("conditions") or ()
    return next((one for one in found if one["type"] == "purelb.io/WrongAnswers"), None)


def test_a_service_says_what_the_witness_says_until_it_says_so_no_more() -> None:
    """One write for each change, none for renewals."""

    async def work(api: Api) -> None:
        await api.group()
        await lease(api, "a", "")
        async with allocator(api):
            await api.service("web")
            (address,) = await api.addresses("web")
            await renew(api, "a", wrong(address))
            found = await api.until(lambda: condition(api), "the Service says it")
            assert (found["status"], found["reason"]) == ("True", "SeveralAnswers")
            assert found["message"].startswith(f"{address}: node b has it, and host 02:00:00")
            version = (await api.get("web"))["metadata"]["resourceVersion"]
            await renew(api, "a", wrong(address))
            await api.service("other")
            await api.addresses("other")
            assert (await api.get("web"))["metadata"]["resourceVersion"] == version
            await renew(api, "a", "")
            await api.until(lambda: _is_over(api), "the Service says it no more")

    scenario(work)


def test_what_a_dead_witness_has_said_ends_with_its_lease() -> None:
    """Another node's Lease is renewed, so none of its own can have been missed."""

    async def work(api: Api) -> None:
        await api.group()
        await lease(api, "a", "")
        await lease(api, "b", "")
        async with allocator(api):
            await api.service("web")
            (address,) = await api.addresses("web")
            await renew(api, "a", wrong(address))
            await api.until(lambda: condition(api), "the Service says it")

            async def is_over() -> bool:
                await renew(api, "b", "")
                await asyncio.sleep(0.1)
                return await _is_over(api)

            await api.until(is_over, "the Service says it no more")

    scenario(work)


def test_what_is_left_of_long_ago_goes_when_the_leases_are_known() -> None:
    """The allocator was away when the witness changed its mind."""

    async def work(api: Api) -> None:
        await api.group()
        await lease(api, "a", "")
        async with allocator(api):
            await api.service("web")
            (address,) = await api.addresses("web")
            await renew(api, "a", wrong(address))
            await api.until(lambda: condition(api), "the Service says it")
        await renew(api, "a", "")
        async with allocator(api):
            await renew(api, "a", "")
            await api.until(lambda: _is_over(api), "the Service says it no more")

    scenario(work)


async def _is_over(api: Api) -> bool:
    return await condition(api) is None
