"""Services for tests, benchmarks and chaos: made, and awaited until they have their addresses."""

import asyncio

from playground.api import path_of
from playground.cluster import Cluster

SOON = 60.0  # seconds, far longer than it takes
DUAL_STACK = {
    "type": "LoadBalancer",
    "ports": [{"port": 80}],
    "ipFamilies": ["IPv4", "IPv6"],
    "ipFamilyPolicy": "RequireDualStack",
}


async def create(cluster: Cluster, count: int) -> list[str]:
    """Create dual-stack Services, and return their addresses, two for each in turn."""
    found: dict[str, list[str]] = {}
    for number in range(count):
        metadata = {"name": f"web-{number:03}", "namespace": "default"}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": DUAL_STACK}
        await cluster.api.create(body)
    async with asyncio.timeout(SOON):
        async for _, service in cluster.api.watch(path_of("Service", "default")):
            ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
            if len(ingress) == 2:
                found[service["metadata"]["name"]] = [entry["ip"] for entry in ingress]
            if len(found) == count:
                break
    return [address for name in sorted(found) for address in found[name]]
