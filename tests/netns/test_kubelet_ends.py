"""Pods, kubelets and nodes that end: what ends with them, and what is found again."""

from collections.abc import Iterator

import pytest

from tests.netns.kubeletscene import (
    NODE,
    SECONDS,
    Scene,
    World,
    container,
    has_restarted,
    in_world_of_its_own,
    is_ready,
    needs_playground,
    world_of_a_module,
)

# Says that it was asked to end, and does not.
STUBBORN = (
    "import signal, time; signal.signal(15, lambda *_: print('asked', flush=True)); "
    "print('up', flush=True); time.sleep(1000)\nwhile True: time.sleep(1000)"
)
# Says that it was asked to end, and ends.
POLITE = "trap 'echo asked; exit' TERM; echo up; sleep 1000 & wait"
pytestmark = needs_playground


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run scenarios in one world for this module; each has Pods of its own."""
    yield from world_of_a_module()


def test_a_deleted_pod_is_asked_to_end_and_killed_after_its_grace_period(world: World) -> None:
    """First SIGTERM, which this one only prints."""

    async def scenario(scene: Scene) -> None:
        command = ("python", "-c", STUBBORN)
        pod = await scene.running("stubborn", *command, terminationGracePeriodSeconds=1)
        await scene.wait_said(pod, "up")
        await scene.delete("stubborn")
        await scene.wait_gone(scene.pid(pod))
        assert "asked" in scene.log(pod).read_text()

    world(scenario)


def test_a_deleted_pod_without_grace_period_is_killed_at_once(world: World) -> None:
    """As a node's loss would: nobody is asked."""

    async def scenario(scene: Scene) -> None:
        command = ("python", "-c", STUBBORN)
        pod = await scene.running("gone", *command, terminationGracePeriodSeconds=0)
        await scene.wait_said(pod, "up")
        await scene.delete("gone")
        await scene.wait_gone(scene.pid(pod))
        assert scene.log(pod).read_text() == "up\n"

    world(scenario)


def test_what_a_container_started_ends_with_it(world: World) -> None:
    """As the end of a PID namespace does."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.running("parent", "sh", "-c", "sleep 1000 & echo $!; wait")
        child = (await scene.wait_said(pod, "\n")).strip()
        await scene.signal("KILL", scene.pid(pod))
        await scene.wait_gone(child)

    world(scenario)


def test_containers_outlive_their_kubelet_and_are_found_again(world: World) -> None:
    """The same process, no restart; and the new kubelet notices when it ends."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.running("stays", "sleep", "1000")
        await scene.cluster.kill(f"kubelet-{NODE}")
        await scene.cluster.restart(f"kubelet-{NODE}")
        before = await scene.running("later", "sleep", "1000")  # the new kubelet is at work
        stays = await scene.until("stays", is_ready)
        await scene.signal("KILL", scene.pid(pod))
        ended = await scene.until("stays", has_restarted(1))
        assert container(before)["restartCount"] == 0
        assert container(stays)["restartCount"] == 0
        assert container(ended)["lastState"]["terminated"]["exitCode"] == 137

    world(scenario)


def test_a_new_kubelet_knows_how_the_run_before_ended(world: World) -> None:
    """Its status is as complete as the old one's."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.running("scarred", "sleep", "1000")
        await scene.signal("TERM", scene.pid(pod))
        old = await scene.until("scarred", has_restarted(1))
        await scene.cluster.kill(f"kubelet-{NODE}")
        await scene.cluster.restart(f"kubelet-{NODE}")
        await scene.running("news", "sleep", "1000")  # the new kubelet is at work
        new = await scene.until("scarred", is_ready)
        assert container(old)["lastState"]["terminated"]["exitCode"] == 143
        assert container(new) == container(old)

    world(scenario)


def test_a_pod_that_vanished_while_no_kubelet_ran_is_ended(world: World) -> None:
    """Nobody tells the new kubelet: it compares. The container is asked to end first."""

    async def scenario(scene: Scene) -> None:
        pod = await scene.running("orphan", "sh", "-c", POLITE)
        await scene.wait_said(pod, "up")
        pid = scene.pid(pod)
        await scene.cluster.kill(f"kubelet-{NODE}")
        await scene.delete("orphan")
        await scene.cluster.restart(f"kubelet-{NODE}")
        await scene.wait_gone(pid)
        assert "asked" in scene.log(pod).read_text()

    world(scenario)


def test_nothing_runs_on_a_node_without_power_and_all_of_it_after_a_boot() -> None:
    """Pods with a network of their own are no exception."""

    async def scenario(scene: Scene) -> None:
        mine = await scene.running("mine", "sleep", "1000", hostNetwork=False)
        nodes = await scene.running("nodes", "sleep", "1000")
        pids = [scene.pid(pod) for pod in (mine, nodes)]
        await scene.cluster.power_off(NODE)
        for pid in pids:
            there = ("tail", f"--pid={pid}", "-f", "/dev/null")
            await scene.cluster.run("control", *there, seconds=SECONDS)
        await scene.cluster.power_on(NODE)
        again = await scene.until("mine", has_restarted(1))
        await scene.until("nodes", has_restarted(1))
        assert container(again)["lastState"]["terminated"]["exitCode"] == 137

    in_world_of_its_own(scenario)
