"""A stand-in for PureLB's node agent: as much of it as a cluster shows that is being migrated.

    python -m tests.e2e.former      in a Pod of the host's network

It renews its Lease, elects as PureLB does, puts addresses on the node's NIC with the NIC's own
mask, writes the slot, and on SIGTERM stays for two seconds before it withdraws. Unlike ours it
clears no slot and hands nothing over.
"""

import asyncio
import datetime
import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from purelb.runtime.credentials import find_access
from purelb.runtime.errors import ConflictError, NotFoundError, PurelbError
from purelb.runtime.kube import Kube

NIC, NETWORK, LENGTH = "eth0", "192.0.2.0/24", 24
DURATION = 10
ROUND_SECONDS = 0.5
LINGER_SECONDS = 2.0
PREFIX = "purelb-node-"

Object = dict[str, Any]


class Former:
    """One node's agent."""

    def __init__(self, kube: Kube, node: str, namespace: str, uid: str) -> None:
        self._kube, self._node, self._uid = kube, node, uid
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._own = f"{self._leases}/{PREFIX}{node}"
        self._held: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until asked to stop, then leave as PureLB does."""
        while not stop.is_set():
            try:
                await self._round()
            except PurelbError as error:
                print(error, flush=True)
            await asyncio.sleep(ROUND_SECONDS)
        await asyncio.sleep(LINGER_SECONDS)
        lease = json.loads(await self._kube.get(self._own))
        if lease["metadata"]["annotations"]["purelb.io/instance"] == self._uid:
            await self._kube.delete(self._own)
        for address in sorted(self._held):
            ip("addr", "del", f"{address}/{LENGTH}", "dev", NIC)

    async def _round(self) -> None:
        await self._renew()
        leases = json.loads(await self._kube.get(self._leases))["items"]
        members = [node for lease in leases for node in live(lease)]
        services = json.loads(await self._kube.get("/api/v1/services"))["items"]
        wanted = set()
        for service in services:
            for address in addresses(service):
                if winner(address, members) == self._node:
                    wanted.add(address)
                    await self._announce(service, address)
        for address in self._held - wanted:
            ip("addr", "del", f"{address}/{LENGTH}", "dev", NIC)
        self._held = wanted

    async def _renew(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        meta = {
            "name": f"{PREFIX}{self._node}",
            "annotations": {"purelb.io/subnets": NETWORK, "purelb.io/instance": self._uid},
        }
        spec = {
            "holderIdentity": self._node,
            "leaseDurationSeconds": DURATION,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        try:
            found = json.loads(await self._kube.get(self._own))
        except NotFoundError:
            await self._kube.post(self._leases, {"metadata": meta, "spec": spec})
            return
        await self._kube.put(
            self._own, {**found, "metadata": found["metadata"] | meta, "spec": spec}
        )

    async def _announce(self, service: Object, address: str) -> None:
        lifetimes = ("valid_lft", "300", "preferred_lft", "300", "noprefixroute")
        ip("addr", "replace", f"{address}/{LENGTH}", "dev", NIC, *lifetimes)
        meta = service["metadata"]
        slot = {"purelb.io/announcing-IPv4": f"{self._node},{NIC},{address}"}
        if meta["annotations"].items() >= slot.items():
            return
        path = f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}"
        body = {**service, "metadata": meta | {"annotations": meta["annotations"] | slot}}
        try:
            await self._kube.put(path, body)
        except ConflictError:
            return  # the next round looks again


def live(lease: Object) -> Iterator[str]:
    """Yield the node of a Lease that is not over, and serves the network."""
    name, spec = lease["metadata"]["name"], lease["spec"]
    if not name.startswith(PREFIX) or "renewTime" not in spec:
        return
    renewed = datetime.datetime.fromisoformat(spec["renewTime"])
    age = datetime.datetime.now(datetime.UTC) - renewed
    subnets = lease["metadata"].get("annotations", {}).get("purelb.io/subnets", "")
    if age.total_seconds() < spec["leaseDurationSeconds"] and NETWORK in subnets.split(","):
        yield name.removeprefix(PREFIX)


def addresses(service: Object) -> Iterator[str]:
    """Yield the addresses in the network of a Service that PureLB serves."""
    if service["metadata"].get("annotations", {}).get("purelb.io/allocated-by") == "PureLB":
        for entry in service["status"].get("loadBalancer", {}).get("ingress", ()):
            if ip_address(entry["ip"]) in ip_network(NETWORK):
                yield entry["ip"]


def winner(address: str, members: list[str]) -> str | None:
    """Return the member with the smallest digest."""
    return min(
        members,
        key=lambda node: hashlib.sha256(f"{node}#{address}".encode()).digest(),
        default=None,
    )


def ip(*arguments: str) -> None:
    """Run `ip`; what it refuses is of no interest."""
    subprocess.run(("ip", *arguments), check=False, capture_output=True)


async def main() -> None:
    """Run until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    env = os.environ
    async with Kube(find_access(env.get("KUBECONFIG", ""), env), "former") as kube:
        agent = Former(
            kube, env["PURELB_NODE_NAME"], env["PURELB_NAMESPACE"], env["PURELB_POD_UID"]
        )
        await agent.run(stop)


if __name__ == "__main__":
    asyncio.run(main())
