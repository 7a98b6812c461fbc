"""Users of a small cluster, and an observer who sees every version of every Service.

What they see is judged by `tests.invariants` alone, which shares no code with the allocator.
"""

import random
from typing import Any

from tests.component.harness import NAMESPACE, Api
from tests.invariants import History, doubles, misbranded, miscounted, shown, starving

SERVICES = "/api/v1/namespaces/default/services"
GROUPS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups"
NAMES = 40

Object = dict[str, Any]

FAMILIES: tuple[Object, ...] = (
    {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"},
    {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"},
    {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"},
    {"ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "PreferDualStack"},
)
WISHES: tuple[dict[str, str], ...] = (
    {},
    {},
    {},
    {},
    {"purelb.io/service-group": "other"},
    {"purelb.io/service-group": "missing"},
    {"purelb.io/service-group": "other", "purelb.io/fallback-groups": "missing, default"},
    {"purelb.io/allow-shared-ip": "key"},
    {"purelb.io/allow-shared-ip": "key"},
    {"purelb.io/addresses": "192.0.2.3"},
)


class Town:
    """Users who create, edit and delete Services at random, and what was seen of it."""

    def __init__(self, api: Api, dice: random.Random) -> None:
        self._api, self._dice = api, dice
        self._services: dict[str, Object] = {}  # by uid
        self._history, self._doubles = History(), dict[str, None]()
        self._left: list[str] = []  # what was not as it must be when looked at last

    async def found(self) -> None:
        """Create ServiceGroups with little room: somebody always waits."""
        v4 = {"pool": "192.0.2.0/29", "subnet": "192.0.2.0/24"}
        v6 = {"pool": "2001:db8::/125", "subnet": "2001:db8::/64"}
        await self._api.group(local={"v4pool": v4, "v6pool": v6})
        other = {"pool": "198.51.100.0/31", "subnet": "198.51.100.0/24"}
        await self._api.group("other", remote={"v4pools": [other]})

    async def observe(self) -> None:
        """Watch until cancelled."""
        async for kind, service in self._api.watch(SERVICES):
            if kind == "DELETED":
                self._services.pop(service["metadata"]["uid"])
            else:
                self._services[service["metadata"]["uid"]] = service
                self._history.note(service)
            self._doubles.update(dict.fromkeys(doubles(self._services.values())))

    @property
    def faults(self) -> list[str]:
        """What must never be and was, even for a moment."""
        return [*self._doubles, *self._history.faults]

    async def act(self) -> None:
        """Do what some user does."""
        have = {one["metadata"]["name"]: one for one in await self._api.items(SERVICES)}
        name = f"s{self._dice.randrange(NAMES)}"
        if name not in have:
            # Each has a port of its own: who has the key may share the address.
            ports = [{"port": 1000 + int(name[1:])}]
            families = self._dice.choice(FAMILIES)
            await self._api.service(name, self._dice.choice(WISHES), ports=ports, **families)
        elif self._dice.random() < 0.6:
            await self._api.send("DELETE", f"{SERVICES}/{name}")
        else:
            spec = self._dice.choice((_retyped, _restacked))(have[name]["spec"])
            kind = "application/merge-patch+json"
            await self._api.send("PATCH", f"{SERVICES}/{name}", {"spec": spec}, kind=kind)

    async def make_room(self) -> None:
        """Delete every other Service that has an address: those who wait get their turn."""
        served = [one for one in await self._api.items(SERVICES) if shown(one)]
        for one in served[::2]:
            await self._api.send("DELETE", f"{SERVICES}/{one['metadata']['name']}")

    async def wait_rest(self) -> None:
        """Wait until all is as it must be once there is nothing left to do."""
        try:
            await self._api.until(self._rests, "rest")
        except AssertionError as error:
            raise AssertionError("\n".join(self._left)) from error

    async def _rests(self) -> bool:
        services, groups = await self._api.items(SERVICES), await self._api.items(GROUPS)
        self._left = [
            *starving(services, groups),
            *misbranded(services, groups),
            *miscounted(services, groups),
        ]
        return not self._left


def _retyped(spec: Object) -> Object:
    return {"type": "ClusterIP" if spec["type"] == "LoadBalancer" else "LoadBalancer"}


def _restacked(spec: Object) -> Object:
    """Add the second family, or drop it; the first one may not change."""
    first, *rest = spec["ipFamilies"]
    if rest:
        return {"ipFamilies": [first], "ipFamilyPolicy": "SingleStack"}
    second = "IPv6" if first == "IPv4" else "IPv4"
    return {"ipFamilies": [first, second], "ipFamilyPolicy": "RequireDualStack"}
