"""Which node has an address when nodes leave, die, come back and are told to give it up."""

import signal
import time

from playground.api import path_of
from tests.netns.agentscene import LEASE, SECONDS, Scene, knows_all, play


def test_a_graceful_stop_moves_the_addresses_before_the_lease_goes() -> None:
    """Never on two nodes; the stopped agent's Lease is deleted and nothing of ours stays."""

    async def work(stage: Scene) -> None:
        v4, v6 = await stage.service("web", "IPv4", "IPv6")
        node = await stage.placed(v4)
        assert await stage.cluster.stop(f"nodeagent-{node}") == 0
        leases = await stage.cluster.api.items("Lease", "purelb-system")
        assert f"purelb-node-{node}" not in [lease["metadata"]["name"] for lease in leases]
        assert await stage.placed(v4) != node
        assert await stage.placed(v6) != node
        gone, came = stage.watch.lost[node, v4], max(stage.watch.holders[v4].values())
        assert gone <= came, "two nodes had it"

    play(work)


def test_an_evacuated_node_gives_its_addresses_away_and_gets_them_back() -> None:
    """By an annotation on the Node, one holder at any instant, in both directions."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)

        async def evacuate(value: str | None) -> None:
            change = {"metadata": {"annotations": {"purelb.io/evacuate": value}}}
            await stage.cluster.api.patch(path_of("Node", name=node), change)

        await evacuate("true")
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) not in ((), (node,)), SECONDS
        )
        heir = await stage.placed(address)
        assert stage.watch.lost[node, address] <= stage.watch.holders[address][heir]
        await stage.until_slot("web", "IPv4", f"{heir},eth0,{address}")
        await evacuate(None)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "it does not get it back"
        assert stage.watch.lost[heir, address] <= stage.watch.holders[address][node]

    play(work)


def test_an_address_moves_to_the_node_that_its_service_names() -> None:
    """One holder at any instant; when the Service names none, it goes back."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        first = await stage.placed(address)
        named = next(node for node in stage.cluster.nodes if node != first)
        await stage.until_slot("web", "IPv4", f"{first},eth0,{address}")

        async def move(wish: str | None, giver: str, taker: str) -> None:
            change = {"metadata": {"annotations": {"purelb.io/announce-node": wish}}}
            await stage.cluster.api.patch(path_of("Service", "default", "web"), change)
            assert await stage.watch.wait(
                lambda: stage.watch.nodes_with(address) == (taker,), SECONDS
            ), f"{taker} does not get it"
            assert stage.watch.lost[giver, address] <= stage.watch.holders[address][taker]
            await stage.until_slot("web", "IPv4", f"{taker},eth0,{address}")

        await move(named, first, named)
        await move(None, named, first)

    play(work)


def test_an_address_stays_on_its_heir_if_the_lbnodeagent_wants_it() -> None:
    """The former holder returns and is a candidate; it gets the address when it may."""

    async def work(stage: Scene) -> None:
        async def stay(*, stays: bool) -> None:
            change = {"spec": {"local": {"nonRevertive": stays}}}
            await stage.cluster.api.patch(
                path_of("LBNodeAgent", "purelb-system", "default"), change
            )

        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stay(stays=True)
        assert await stage.cluster.stop(f"nodeagent-{node}") == 0
        heir = await stage.placed(address)
        await stage.until_slot("web", "IPv4", f"{heir},eth0,{address}")
        await stage.cluster.restart(f"nodeagent-{node}")
        for machine in stage.cluster.topology.nodes:
            url = f"http://{machine.main.v4.ip}:7472/metrics"
            await stage.cluster.wait_answer(url, machine=machine.name, accept=knows_all)
        assert (heir, address) not in stage.watch.lost
        await stay(stays=False)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "the winner does not get it back"
        assert stage.watch.lost[heir, address] <= stage.watch.holders[address][node]

    play(work)


def test_a_dead_node_is_replaced_and_a_returning_one_takes_over_in_order() -> None:
    """Power off: another node takes the address. Power on: the winner gets it back, one holder."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        await stage.cluster.power_off(node)
        stage.watch.forget(node)
        heir = await stage.placed(address)
        assert heir != node
        await stage.cluster.power_on(node)
        await stage.watch.watch(node)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "the winner does not get it back"
        assert stage.watch.lost[heir, address] <= stage.watch.holders[address][node]

    play(work)


def test_the_kernel_drops_the_addresses_of_a_hung_agent_before_another_node_takes_them() -> None:
    """SIGSTOP: lifetimes run out first, then the Lease expires for the others."""

    async def work(stage: Scene) -> None:
        (address,) = await stage.service("web")
        node = await stage.placed(address)
        begun = time.time()
        await stage.cluster.signal(f"nodeagent-{node}", signal.SIGSTOP)
        assert await stage.watch.wait(lambda: (node, address) in stage.watch.lost, SECONDS)
        heir = await stage.placed(address)
        assert heir != node
        gone, came = stage.watch.lost[node, address], stage.watch.holders[address][heir]
        assert gone < came, "two nodes had it"
        assert came - begun < LEASE + 3.0
        await stage.cluster.signal(f"nodeagent-{node}", signal.SIGCONT)
        assert await stage.watch.wait(
            lambda: stage.watch.nodes_with(address) == (node,), SECONDS
        ), "the winner does not get it back"

    play(work)
