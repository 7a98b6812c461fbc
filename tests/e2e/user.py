"""A person at a terminal: manifests and kubectl on one side, the wire on the other.

Belongs here: the manifests people write, reading with kubectl, asking nodes with `ip`, the outside
client's browser. Does not: what should be seen (the tests). Everything that is awaited is watched,
with a deadline that is far longer than anything takes.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests.e2e.world import SECONDS

Object: TypeAlias = dict[str, Any]
Scene: TypeAlias = Callable[["User"], Awaitable[None]]
Story: TypeAlias = Callable[[Scene], None]

PREFIX = "purelb.io/"
FAMILIES = ("IPv4", "IPv6")
POLL_SECONDS = 0.05  # between two looks at what cannot be watched


class User:
    """What a person does with a cluster; remembers what it made and can remove it all."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._made: dict[tuple[str, str, str], None] = {}  # (namespace, kind, name), oldest first
        self._files = 0

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl and return what it said; raises CalledProcessError."""
        return (await self.cluster.kubectl(*arguments)).stdout

    async def apply(self, *bodies: Mapping[str, Any]) -> None:
        """Apply manifests, in order, with one call of kubectl."""
        self._files += 1
        name = f"manifest-{id(self)}-{self._files}.json"
        items = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
        (self.cluster.paths.scratch / name).write_text(json.dumps(items))
        for body in bodies:
            meta = body["metadata"]
            self._made[meta.get("namespace", ""), body["kind"], meta["name"]] = None
        await self.kubectl("apply", "-f", str(Paths(INSIDE).scratch / name))

    async def patch(self, name: str, spec: Mapping[str, Any], kind: str = "Service") -> None:
        """Change the spec of an object by a merge patch."""
        text = json.dumps({"spec": spec})
        space = INSTALL_NAMESPACE if kind == "ServiceGroup" else "default"
        await self.kubectl("-n", space, "patch", kind, name, "--type=merge", "-p", text)

    async def annotate(self, name: str, *settings: str) -> None:
        """Set (`KEY=VALUE`) or remove (`KEY-`) annotations of a Service."""
        await self.kubectl("annotate", "--overwrite", "service", name, *settings)

    async def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object and wait until it is gone."""
        await self.kubectl("-n", namespace, "delete", kind, name)
        self._made.pop((namespace, kind, name), None)

    async def get(self, name: str, namespace: str = "default") -> Object:
        """Return a Service as it is now."""
        shown = await self.kubectl("-n", namespace, "get", "service", name, "-o", "json")
        found: Object = json.loads(shown)
        return found

    async def tidy(self) -> None:
        """Remove what is left of all that was applied, the youngest first."""
        for namespace, kind, name in reversed(self._made):
            where = ("-n", namespace) if namespace else ("--wait=false",)
            await self.kubectl(*where, "delete", "--ignore-not-found", kind, name)
        self._made.clear()

    async def until(
        self, name: str, claim: Callable[[Object], bool], namespace: str = "default"
    ) -> Object:
        """Wait until a claim about a Service holds, and return the Service."""
        return await self._first(
            claim, "-n", namespace, "get", "services", f"--field-selector=metadata.name={name}"
        )

    async def until_served(
        self, name: str, count: int = 1, namespace: str = "default"
    ) -> tuple[str, ...]:
        """Wait until a Service has so many addresses and nodes announce all; returns them."""
        found = await self.until(
            name,
            lambda one: len(addresses(one)) == count and set(slots(one)) == set(addresses(one)),
            namespace,
        )
        return addresses(found)

    async def event(self, name: str, reason: str, text: str = "", count: int = 1) -> Object:
        """Wait for an Event about an object, seen so often, whose message contains a text."""
        return await self._first(
            lambda one: text in one["message"] and one["count"] >= count,
            *("get", "events", "--all-namespaces"),
            f"--field-selector=involvedObject.name={name},reason={reason}",
        )

    async def warnings(self, name: str) -> list[tuple[str, int]]:
        """Return (message, count) of the allocator's Warnings about an object until now."""
        only = f"involvedObject.name={name},type=Warning,source=purelb-allocator"
        shown = await self.kubectl("get", "events", "-A", f"--field-selector={only}", "-o", "json")
        return [(one["message"], one["count"]) for one in json.loads(shown)["items"]]

    async def page(self, address: str, port: int = 80) -> Object:
        """Load the page at an address from the client outside, with patience."""
        host = f"[{address}]" if ":" in address else address
        reply = await self.cluster.wait_answer(f"http://{host}:{port}/", seconds=SECONDS)
        found: Object = reply.json()
        return found

    async def holders(self, address: str) -> list[tuple[str, str]]:
        """Return (node, link) of every link in the cluster that has an address."""
        found = []
        for node in self.cluster.nodes:
            shown = await self.cluster.run(node, "ip", "-json", "addr", "show", "to", address)
            found += [(node, link["ifname"]) for link in json.loads(shown.stdout) if link]
        return found

    async def wait_holders(self, address: str, *wanted: tuple[str, str]) -> None:
        """Wait until exactly these (node, link) have an address."""
        async with asyncio.timeout(SECONDS):
            while True:
                if sorted(await self.holders(address)) == sorted(wanted):
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def wait_withdrawn(self, *gone: str) -> None:
        """Wait until no node has any of these addresses."""
        async with asyncio.timeout(SECONDS):
            while True:
                if not [address for address in gone if await self.holders(address)]:
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def _first(self, claim: Callable[[Object], bool], *arguments: str) -> Object:
        """Watch objects until a claim holds for one; says on failure what was seen last."""
        last: Object = {}
        try:
            async with asyncio.timeout(SECONDS), aclosing(self._watch(*arguments)) as seen:
                async for found in seen:
                    last = found
                    if claim(found):
                        return found
        except TimeoutError as error:
            error.add_note(f"{' '.join(arguments)}; last seen: {json.dumps(last, indent=1)}")
            raise
        raise AssertionError(f"kubectl {' '.join(arguments)} ended")

    async def _watch(self, *arguments: str) -> AsyncGenerator[Object, None]:
        """Yield what there is and what changes, as kubectl prints it."""
        command = (*arguments, "--watch", "--output-watch-events", "-o", "json")
        words = self.cluster.instance.kubectl(command)
        async with self.cluster.running("control", *words) as output:
            while line := await output.readline():  # with types of events: one document a line
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    yield event["object"]


def service(
    name: str,
    *,
    families: Sequence[str] = ("IPv4",),
    namespace: str = "default",
    port: int = 80,
    settings: Mapping[str, str] | None = None,
) -> Object:
    """Return a Service for the echo pods; `settings` are our annotations without their prefix."""
    annotations = {f"{PREFIX}{key}": value for key, value in (settings or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "echo"},
            "ipFamilies": list(families),
            "ipFamilyPolicy": "RequireDualStack" if len(families) > 1 else "SingleStack",
            "ports": [{"port": port, "targetPort": "http"}],
        },
    }


def group(
    name: str,
    *ranges: str,
    namespaces: Mapping[str, Any] | None = None,
    **local: bool,
) -> Object:
    """Return a ServiceGroup with ranges of the nodes' IPv4 network.

    `namespaces` are the fields beside `local` that bind the group, `local` its flags.
    """
    pools = v4pools(*ranges)
    return {
        "apiVersion": "purelb.io/v2",
        "kind": "ServiceGroup",
        "metadata": {"name": name, "namespace": INSTALL_NAMESPACE},
        "spec": {"local": {"v4pools": pools, **local}, **(namespaces or {})},
    }


def v4pools(*ranges: str) -> list[dict[str, str]]:
    """Return the entries of a group's `v4pools`."""
    return [{"pool": text, "subnet": "192.0.2.0/24"} for text in ranges]


def namespace(name: str) -> Object:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def addresses(one: Object) -> tuple[str, ...]:
    """Return the addresses a Service shows."""
    return tuple(entry["ip"] for entry in one["status"]["loadBalancer"].get("ingress", ()))


def ours(one: Object) -> dict[str, str]:
    """Return the annotations of a Service that have our prefix, without it."""
    found = one["metadata"].get("annotations", {})
    return {
        key.removeprefix(PREFIX): value for key, value in found.items() if key.startswith(PREFIX)
    }


def slots(one: Object) -> dict[str, tuple[str, str]]:
    """Return (node, link) by address, as the announcing annotations of a Service say."""
    found = {}
    for family in FAMILIES:
        for entry in ours(one).get(f"announcing-{family}", "").split():
            node, link, address = entry.split(",")
            found[address] = (node, link)
    return found
