"""What tests of external providers share: groups, the record, and what may not leak."""

from collections.abc import Callable
from pathlib import Path

import pytest

from allocator.shell import provider
from purelb.core.backoff import Backoff
from tests.component.harness import NAMESPACE, Api, Object, ingress
from tests.component.sidecars import Process

SERVICES = "/api/v1/namespaces/default/services"
GROUPS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups"
RECORDS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
POOL = "prod=198.51.100.0/29,2001:db8:5::/64"
PROD = {"purelb.io/service-group": "prod"}


def shorten_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
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
