"""What `up` puts into a fresh world, so that it is a cluster to play with.

Echo pods and service proxies, allocator and node agents, a ServiceGroup and an LBNodeAgent. The
demo, tests and benchmarks install their own, step by step (`cluster`).
"""

from dataclasses import asdict
from pathlib import Path

from playground import daemons
from playground.api import Api
from playground.instance import Instance
from playground.planes import Choice
from playground.topology import topology

MANIFEST = Path(__file__).parent / "manifests/default.yaml"


async def install(instance: Instance, choice: Choice, nodes: int) -> None:
    """Install everything; returns when all of it is started."""
    world = topology(nodes)
    plane = choice.plane(world)

    def kubeconfig(client: str) -> Path:
        return plane.kubeconfig(instance.paths, client)

    workload = plane.workload(kubeconfig, pods_per_node=1, grace_seconds=1.0)
    own = daemons.daemons(world, kubeconfig, lease_seconds=10.0)
    async with Api(instance.paths.api) as api:
        await api.apply_file(MANIFEST)
        for spec in (*workload.processes, *own):
            await instance.ask("start", spec=asdict(spec))
        for body in workload.objects:
            await api.apply(body)
