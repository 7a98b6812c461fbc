"""The demo: everything the product promises, done once, measured, and judged.

Belongs here: the steps, as a user would do them. Does not: how they look (`demoview`), how the
world is made (`cluster`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from playground import demobgp
from playground.addresswatch import AddressWatch
from playground.api import ApiError, Object, path_of
from playground.cluster import Cluster
from playground.demoview import DemoView, Outcome
from playground.pods import SELECTOR

MANIFESTS = Path(__file__).parent / "manifests"
NAMESPACE = "default"
SOON = 30.0  # seconds: longer than anything healthy takes
LEASE_SECONDS = 5.0  # shorter than the product's 10 s, so that nobody waits long for a dead node
Step = Callable[["Demo"], Awaitable[Outcome]]


def ingress(service: Object) -> list[str]:
    """Return the addresses a Service shows."""
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return [entry["ip"] for entry in entries]


class Demo:
    """One run; `addresses` maps the Services that have addresses to them."""

    def __init__(self, cluster: Cluster, watch: AddressWatch, view: DemoView) -> None:
        self.cluster, self.watch, self.view = cluster, watch, view
        self.addresses: dict[str, list[str]] = {}

    async def service(self, name: str, families: list[str], **annotations: str) -> None:
        """Create a Service of type LoadBalancer in front of the echo pods."""
        keys = {f"purelb.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        spec = {
            "type": "LoadBalancer",
            "selector": dict(SELECTOR),
            "ipFamilies": families,
            "ipFamilyPolicy": "RequireDualStack" if len(families) == 2 else "SingleStack",
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        }
        metadata = {"name": name, "namespace": NAMESPACE, "annotations": keys}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        await self.cluster.api.create(body)

    async def until(self, path: str, claim: Callable[[Object], bool], **query: str) -> Object:
        """Wait for an object of a collection of which a claim holds, and return it."""
        async with asyncio.timeout(SOON):
            async for type_, found in self.cluster.api.watch(path, **query):
                if type_ != "DELETED" and claim(found):
                    return found
        raise TimeoutError(f"the API server closed the watch of {path}")

    async def until_addressed(self, name: str, count: int) -> list[str]:
        """Wait until a Service has that many addresses."""
        path, only = path_of("Service", NAMESPACE), f"metadata.name={name}"
        found = await self.until(path, lambda s: len(ingress(s)) >= count, fieldSelector=only)
        return ingress(found)

    @property
    def vips(self) -> list[str]:
        """All addresses given so far."""
        return [address for found in self.addresses.values() for address in found]

    def all_held_once(self) -> bool:
        """Whether every address is on exactly one node."""
        return all(len(self.watch.nodes_with(address)) == 1 for address in self.vips)

    async def reach(self, address: str) -> str:
        """Fetch a page through an address from outside; returns the node whose pod answered."""
        host = f"[{address}]" if ":" in address else address
        reply = await self.cluster.fetch(f"http://{host}/")
        return str(reply.json()["node"])


async def start(demo: Demo) -> Outcome:
    """Start the daemons and apply a ServiceGroup and an LBNodeAgent."""
    begun = time.monotonic()
    await demo.cluster.api.apply_file(MANIFESTS / "default.yaml")
    await demo.cluster.start_workload()
    await demo.cluster.start_daemons(lease_seconds=LEASE_SECONDS)
    leases: set[str] = set()

    def are_all_there(lease: Object) -> bool:
        leases.add(lease["metadata"]["name"])
        return {f"purelb-node-{node}" for node in demo.cluster.nodes} <= leases

    await demo.until(path_of("Lease", "purelb-system"), are_all_there)
    return Outcome(True, f"every node has its Lease after {time.monotonic() - begun:.1f} s")


async def allocate(demo: Demo) -> Outcome:
    """Create an IPv4, an IPv6 and a dual-stack Service."""
    parts = []
    for name, families in (("web-v4", ["IPv4"]), ("web-v6", ["IPv6"]), ("web", ["IPv4", "IPv6"])):
        begun = time.time()
        await demo.service(name, families, service_group="default")
        demo.addresses[name] = await demo.until_addressed(name, len(families))
        held = await demo.watch.wait(demo.all_held_once, SOON)
        if not held:
            return Outcome(False, f"{demo.addresses[name]} did not come to exactly one node")
        last = max(max(demo.watch.holders[address].values()) for address in demo.addresses[name])
        where = ", ".join(
            f"{address} on {demo.watch.nodes_with(address)[0]}" for address in demo.addresses[name]
        )
        parts.append(f"{name}: {where} after {(last - begun) * 1000:.0f} ms")
    return Outcome(True, "; ".join(parts))


async def reach(demo: Demo) -> Outcome:
    """Fetch a page through every address from a client outside the cluster."""
    answers = []
    for address in demo.vips:
        async with asyncio.timeout(SOON):
            answers.append(f"{address} → pod on {await _retried(demo, address)}")
    return Outcome(True, "; ".join(answers))


async def _retried(demo: Demo, address: str) -> str:
    while True:
        try:
            return await demo.reach(address)
        except OSError:  # the service proxy may be some milliseconds behind
            await asyncio.sleep(0.05)


async def wipe(demo: Demo) -> Outcome:
    """Remove every address from its node by hand; each must come back by itself."""
    waits = []
    for address in demo.vips:
        (node,) = demo.watch.nodes_with(address)
        length = "128" if ":" in address else "32"
        await demo.cluster.run(node, "ip", "address", "del", f"{address}/{length}", "dev", "eth0")
        gone = (node, address)
        await demo.watch.wait(lambda gone=gone: gone in demo.watch.lost, SOON)  # type: ignore[misc]
        if not await demo.watch.wait(demo.all_held_once, SOON):
            return Outcome(False, f"{address} did not come back to {node}")
        waits.append(demo.watch.holders[address][node] - demo.watch.lost.pop(gone))
    text = ", ".join(f"{wait * 1000:.1f}" for wait in waits)
    return Outcome(max(waits) < 1.0, f"back after {text} ms")


async def flush(demo: Demo) -> Outcome:
    """Do to a node what a network manager's restart does: all addresses away, then its own back."""
    node = next(node for node in demo.cluster.nodes if _held_by(demo, node))
    mine = _held_by(demo, node)
    nic = demo.cluster.topology.node(node).main
    script = (
        "v4=$(ip -4 route show default); v6=$(ip -6 route show default | sed 's/ pref .*//'); "
        "ip address flush dev eth0 scope global; sleep 0.02; "
        f"ip address add {nic.v4} dev eth0; ip -6 address add {nic.v6} dev eth0 nodad; "
        "ip route replace $v4; ip -6 route replace $v6"
    )
    begun = time.time()
    await demo.cluster.run(node, "sh", "-c", script)
    held = await demo.watch.wait(demo.all_held_once, SOON)
    listed = await demo.cluster.run(node, "ip", "-4", "-o", "address", "show", "dev", "eth0")
    is_first = str(nic.v4.ip) in listed.stdout.splitlines()[0]
    back = max((max(demo.watch.holders[a].values()) for a in mine), default=begun) - begun
    return Outcome(
        held and is_first,
        f"{len(mine)} address(es) of {node} are back after {back * 1000:.0f} ms, "
        f"{'behind' if is_first else 'BEFORE'} the node's own",
    )


def _held_by(demo: Demo, node: str) -> list[str]:
    return [address for address in demo.vips if node in demo.watch.nodes_with(address)]


async def refuse(demo: Demo) -> Outcome:
    """Ask for what cannot be given: the Service itself must say why."""
    await demo.service("typo", ["IPv4"], service_group="defualt")
    event = await demo.until(
        path_of("Event", NAMESPACE),
        lambda event: (
            event["involvedObject"]["name"] == "typo" and event["reason"] == "AllocationFailed"
        ),
    )
    found = await demo.cluster.api.get(path_of("Service", NAMESPACE, "typo"))
    return Outcome(not ingress(found), f"{event['type']} Event: {event['message']}")


async def route(demo: Demo) -> Outcome:
    """Let a router learn an address by BGP from every node."""
    return await demobgp.route(demo.cluster)


async def drain(demo: Demo) -> Outcome:
    """Stop an agent in the ordinary way; its addresses move before it is gone."""
    node = next(node for node in demo.cluster.nodes if _held_by(demo, node))
    mine = _held_by(demo, node)
    begun = time.time()
    code = await demo.cluster.stop(f"nodeagent-{node}")
    held = await demo.watch.wait(lambda: demo.all_held_once() and not _held_by(demo, node), SOON)
    gap = max(
        (max(demo.watch.holders[a].values()) - demo.watch.lost[node, a] for a in mine), default=0.0
    )
    return Outcome(
        held and code == 0,
        f"{len(mine)} address(es) left {node}, on no node for at most {gap * 1000:.0f} ms; "
        f"all moved {time.time() - begun:.1f} s after SIGTERM",
    )


async def power_off(demo: Demo) -> Outcome:
    """Take the power from a node; its addresses must move, and answer again."""
    busy = [node for node in demo.cluster.nodes if _held_by(demo, node)]
    node = busy[-1]
    mine = _held_by(demo, node)
    begun = time.time()
    await demo.cluster.power_off(node)
    demo.watch.forget(node)
    demo.view.darken(node)
    held = await demo.watch.wait(demo.all_held_once, SOON)
    moved = max((max(demo.watch.holders[a].values()) for a in mine), default=begun) - begun
    for address in mine:
        async with asyncio.timeout(SOON):
            await _retried(demo, address)
    return Outcome(
        held,
        f"{len(mine)} address(es) of {node} moved after {moved:.1f} s "
        f"(a Lease of {LEASE_SECONDS:g} s) and answer",
    )


async def delete(demo: Demo) -> Outcome:
    """Delete the Services; no node may keep an address."""
    begun = time.monotonic()
    routed = () if demobgp.obstacle() else (demobgp.NAME,)
    for name in (*demo.addresses, "typo", *routed):
        await demo.cluster.api.delete(path_of("Service", NAMESPACE, name))
    gone = await demo.watch.wait(
        lambda: not any(demo.watch.nodes_with(address) for address in demo.vips), SOON
    )
    return Outcome(gone, f"no node carries any after {(time.monotonic() - begun) * 1000:.0f} ms")


STEPS: tuple[tuple[str, Step], ...] = (
    ("Start allocator and node agents, apply ServiceGroup and LBNodeAgent", start),
    ("Create three Services: IPv4, IPv6 and dual stack", allocate),
    ("Fetch a page through each address from a client outside the cluster", reach),
    ("Wipe each address from its node by hand", wipe),
    ("Restart a node's network manager: flush, then only its own address returns", flush),
    ("Ask for a ServiceGroup that does not exist", refuse),
    ("Let a router learn an address by BGP, and spread connections over all nodes", route),
    ("Stop one node agent in the ordinary way", drain),
    ("Fetch a page through each address again", reach),
    ("Take the power from another node", power_off),
    ("Delete the Services", delete),
)


async def run(nodes: int) -> bool:
    """Run the demo in a world of its own; tells whether everything held."""
    begun = time.monotonic()
    async with Cluster(nodes=nodes) as cluster, AddressWatch(cluster) as watch:
        view = DemoView(cluster.nodes, lambda: {})
        demo = Demo(cluster, watch, view)
        view = demo.view = DemoView(
            cluster.nodes, lambda: {a: watch.nodes_with(a) for a in demo.vips}
        )
        view.say(f"{nodes} nodes, a router and a client are up after {_since(begun)}")
        held = True
        async with view.drawing():
            for title, step in STEPS:
                held &= await _take(demo, title, step)
                if not held:
                    break
    verdict = "everything held" if held else "SOMETHING DID NOT HOLD"
    view.say(f"{verdict}; {len(view.lines)} steps in {_since(begun)}; nothing is left behind")
    return held


async def _take(demo: Demo, title: str, step: Step) -> bool:
    demo.view.begin(title)
    try:
        outcome = await step(demo)
    except (OSError, TimeoutError, ApiError, KeyError, ValueError) as error:
        outcome = Outcome(False, f"{type(error).__name__}: {error}")
    demo.view.end(outcome)
    return outcome.held


def _since(begun: float) -> str:
    return f"{time.monotonic() - begun:.1f} s"
