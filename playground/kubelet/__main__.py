"""Command line of a node's kubelet; see the package. Runs in the node's network namespace."""

import argparse
import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address

import aiohttp

from playground.kubelet import logserver, sandbox
from playground.kubelet.credentials import Issuer
from playground.kubelet.noderecord import NodeFacts, NodeReporter
from playground.kubelet.pods import Pods
from playground.kubelet.sandbox import Sandboxes, Subnet
from playground.kubelet.worker import Host
from playground.state import INSIDE, Paths
from purelb.runtime.credentials import find_access
from purelb.runtime.kube import Kube

PORT = 10250


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says. The first of the node's addresses is IPv4."""

    node: str
    addresses: tuple[str, ...]
    lease_seconds: float
    token_seconds: float


async def run(settings: Settings) -> None:
    """Run the node's Pods until SIGTERM, which leaves them running."""
    access = find_access(os.environ.get("KUBECONFIG", ""), os.environ)
    subnet = Subnet(node=IPv4Address(settings.addresses[0]))
    facts = NodeFacts(name=settings.node, addresses=settings.addresses, port=PORT)
    paths, name = Paths(INSIDE), f"kubelet-{settings.node}"
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await sandbox.prepare(subnet)
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Kube(access, name))
        # A heartbeat that is not answered in time must not delay the next.
        beat = await stack.enter_async_context(
            Kube(access, name, connections=2, seconds=settings.lease_seconds)
        )
        host = Host(
            kube=kube,
            http=await stack.enter_async_context(aiohttp.ClientSession()),
            issuer=Issuer(kube, access, settings.token_seconds),
            sandboxes=Sandboxes(subnet),
            ips=settings.addresses,
            folder=paths.folder / "kubelet" / settings.node,
            logs=paths.logs / "pods",
        )
        pods = Pods(kube, host, settings.node)
        await stack.enter_async_context(logserver.serving(pods.find, access, PORT))
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(pods.run()),
                tasks.create_task(NodeReporter(beat, facts, settings.lease_seconds).run()),
            ]
            await stop.wait()
            for task in running:
                task.cancel()


def main() -> None:
    """Parse the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m playground.kubelet")
    parser.add_argument("--node", required=True)
    parser.add_argument("--address", action="append", required=True)
    parser.add_argument("--lease-seconds", type=float, required=True)
    parser.add_argument("--token-seconds", type=float, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(
        node=arguments.node,
        addresses=tuple(arguments.address),
        lease_seconds=arguments.lease_seconds,
        token_seconds=arguments.token_seconds,
    )
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
