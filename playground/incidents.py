"""What can happen to a running cluster for a while: processes, machines, cables, the API server.

Each kind begins on a node, or on nothing in particular, and ends when it is told to. Belongs here:
the kinds, and what each may do to addresses. Does not: which happens when (`chaos`), what was seen
meanwhile (`observations`).
"""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playground.api import Api
from playground.cluster import Cluster
from playground.http import Reply

Act = Callable[[Cluster, str], Awaitable[None]]
Switch = Mapping[str, Any]  # of the embedded API server
HEARD = "purelb_lbnodeagent_heartbeat_peers"
REFUSED: tuple[Switch, ...] = ({"action": "refuse"},)
HANGING: tuple[Switch, ...] = ({"action": "hang"}, {"action": "stall"})
FAILING: tuple[Switch, ...] = ({"action": "fail", "code": 503}, {"action": "stall"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A kind. `concerns_node`: it happens to one node, else to the API server.

    `explains_silence`: addresses may be with nobody until another node has taken them over.
    `splits`: machines that cannot see each other may answer for one address at a time.
    `uses_wires`: it is a partition, of which the playground mends all at once.
    """

    name: str
    begin: Act
    end: Act
    concerns_node: bool = True
    explains_silence: bool = True
    splits: bool = False
    uses_wires: bool = False


def agent_of(node: str) -> str:
    """Return the name of a node's agent among the processes."""
    return f"nodeagent-{node}"


async def wait_heard(cluster: Cluster, nodes: int | None = None, seconds: float = 60.0) -> None:
    """Wait until each agent hears all others; raises TimeoutError."""
    peers = float((len(cluster.nodes) if nodes is None else nodes) - 1)

    def is_heard(metrics: Reply) -> bool:
        return f"{HEARD} {peers}".encode() in metrics.body

    for machine in cluster.topology.nodes:
        url = f"http://{machine.main.v4.ip}:7472/metrics"
        await cluster.wait_answer(url, machine=machine.name, accept=is_heard, seconds=seconds)


async def break_api(cluster: Cluster, *switches: Switch, clients: tuple[str, ...] = ()) -> None:
    """Turn switches on for the daemons, or for some of them, and off all others.

    Watches that are open end, unless they are to stay silent.
    """
    daemons = ("allocator", *map(agent_of, cluster.nodes))
    faults = {
        f"f{number}": {**switch, "clients": list(clients or daemons)}
        for number, switch in enumerate(switches)
    }
    async with Api(cluster.paths.faults) as control:
        await control.put("/faults", {"faults": faults})
        if switches and not any(switch["action"] == "stall" for switch in switches):
            for client in clients or daemons:
                await control.post(f"/drop-watches?client={client}", {})


def _broken(*switches: Switch) -> Act:
    async def act(cluster: Cluster, node: str) -> None:
        await break_api(cluster, *switches, clients=(agent_of(node),) if node else ())

    return act


def _signalled(number: signal.Signals) -> Act:
    async def act(cluster: Cluster, node: str) -> None:
        await cluster.signal(agent_of(node), number)

    return act


def _server_signalled(number: signal.Signals) -> Act:
    async def act(cluster: Cluster, _: str) -> None:
        await cluster.signal("apiserver", number)

    return act


async def _kill(cluster: Cluster, node: str) -> None:
    await cluster.kill(agent_of(node))


async def _stop(cluster: Cluster, node: str) -> None:
    await cluster.stop(agent_of(node))


async def _restart(cluster: Cluster, node: str) -> None:
    await cluster.restart(agent_of(node))


async def _power_off(cluster: Cluster, node: str) -> None:
    await cluster.power_off(node)


async def _power_on(cluster: Cluster, node: str) -> None:
    await cluster.power_on(node)


async def _unplug(cluster: Cluster, node: str) -> None:
    await cluster.set_carrier(node, is_up=False)


async def _plug(cluster: Cluster, node: str) -> None:
    await cluster.set_carrier(node, is_up=True)


async def _isolate(cluster: Cluster, node: str) -> None:
    names = [machine.name for machine in cluster.topology.machines if machine.name != node]
    await cluster.partition([node], names)


async def _isolate_from_api(cluster: Cluster, node: str) -> None:
    await cluster.partition([node], [cluster.topology.control.name])


async def _isolate_from_peers(cluster: Cluster, node: str) -> None:
    await cluster.partition([node], [name for name in cluster.nodes if name != node])


async def _heal(cluster: Cluster, _: str) -> None:
    await cluster.heal()


KILLED = Incident(name="killed", begin=_kill, end=_restart)
STOPPED = Incident(name="stopped", begin=_stop, end=_restart)
HUNG = Incident(name="hung", begin=_signalled(signal.SIGSTOP), end=_signalled(signal.SIGCONT))
WITHOUT_POWER = Incident(name="without power", begin=_power_off, end=_power_on)
UNPLUGGED = Incident(name="unplugged", begin=_unplug, end=_plug)
ISOLATED = Incident(name="isolated", begin=_isolate, end=_heal, uses_wires=True)
WITHOUT_PEERS = Incident(
    name="without peers", begin=_isolate_from_peers, end=_heal, uses_wires=True, splits=True
)
WITHOUT_API = Incident(name="without the API", begin=_isolate_from_api, end=_heal, uses_wires=True)


def _outage(name: str, begin: Act, end: Act) -> Incident:
    return Incident(name=name, begin=begin, end=end, concerns_node=False, explains_silence=False)


API_REFUSED = _outage("API refused", _broken(*REFUSED), _broken())
API_HANGING = _outage("API hanging", _broken(*HANGING), _broken())
API_FAILING = _outage("API failing", _broken(*FAILING), _broken())
API_FROZEN = _outage(
    "API frozen", _server_signalled(signal.SIGSTOP), _server_signalled(signal.SIGCONT)
)
INCIDENTS = (
    KILLED,
    STOPPED,
    HUNG,
    WITHOUT_POWER,
    UNPLUGGED,
    ISOLATED,
    WITHOUT_PEERS,
    WITHOUT_API,
    API_REFUSED,
    API_HANGING,
    API_FAILING,
    API_FROZEN,
)
