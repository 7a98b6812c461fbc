"""The playground as a world of its own: it works, it breaks on demand, and it leaves nothing."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from playground.cluster import Cluster
from playground.daemons import workload
from playground.instance import CHECKOUT, PlaygroundError, find, instances
from playground.preflight import complaints
from playground.processes import ProcessSpec

DEADLINE = 20.0  # seconds: far longer than anything here takes
NOBODY = 65534

pytestmark = pytest.mark.skipif(bool(found := complaints()), reason="; ".join(found) or "works")


Scenario = Callable[[Cluster], Awaitable[None]]
World = Callable[[Scenario], None]


def in_world_of_its_own(scenario: Scenario) -> None:
    """Run a scenario in a fresh world that ends with it."""

    async def run() -> None:
        async with Cluster(nodes=2) as cluster:
            await scenario(cluster)

    asyncio.run(run())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run scenarios in one world for this module; each leaves it as it was, but for processes."""
    cluster = Cluster(nodes=2)

    async def run(scenario: Scenario) -> None:
        await scenario(cluster)

    with asyncio.Runner() as runner:
        runner.run(cluster.__aenter__())
        try:
            runner.run(start_pods(cluster))
            yield lambda scenario: runner.run(run(scenario))
        finally:
            runner.run(cluster.__aexit__(None, None, None))


async def start_pods(cluster: Cluster) -> None:
    """Start an echo pod on each node and wait until all answer."""
    for spec in workload(cluster.topology, cluster.kubeconfig):
        if spec.name.startswith("echo-"):
            await cluster.start(spec)
    for machine in cluster.topology.nodes:
        await cluster.wait_answer(f"http://{machine.main.v4.ip}/", machine=machine.name)


def pids_inside(pid: int) -> set[int]:
    """Return every process in the PID namespace of a process."""
    there = os.readlink(f"/proc/{pid}/ns/pid")
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.readlink(entry / "ns/pid") == there:
                    found.add(int(entry.name))
            except OSError:
                continue  # it ended meanwhile, or is another user's
    return found


def alive(pids: set[int]) -> set[int]:
    """Return which of the processes still exist."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def host_state() -> dict[str, frozenset[str]]:
    """Return what a leak into the host would change."""
    return {
        "links": frozenset(os.listdir("/sys/class/net")),
        "routes": frozenset(Path("/proc/net/route").read_text().splitlines()),
        "mounts": frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
        "files": frozenset(str(path) for path in Path("/run").glob("*")),
    }


async def wait_gone(pids: set[int]) -> None:
    """Wait until none of the processes exists."""
    loop = asyncio.get_running_loop()
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        async with asyncio.timeout(DEADLINE):
            await ended.wait()
        loop.remove_reader(descriptor)
        os.close(descriptor)


def test_everybody_reaches_every_pod_in_both_families(world: World) -> None:
    """The client through the router, nodes on their segment; pods see who asks."""

    async def scenario(cluster: Cluster) -> None:
        seen = {}
        for asker in (cluster.topology.client, *cluster.topology.nodes):
            for node in cluster.topology.nodes:
                for nic, mine in ((node.main.v4, asker.main.v4), (node.main.v6, asker.main.v6)):
                    host = f"[{nic.ip}]" if nic.version == 6 else str(nic.ip)
                    reply = await cluster.fetch(f"http://{host}/", machine=asker.name)
                    seen[asker.name, str(nic.ip)] = reply.json()
                    assert reply.json()["node"] == node.name
                    assert reply.json()["client"] == str(mine.ip)
        assert len(seen) == 3 * 4

    world(scenario)


def test_nodes_are_registered_with_both_addresses(world: World) -> None:
    """Ready, as a kubelet would have it, from the first moment on."""

    async def scenario(cluster: Cluster) -> None:
        (first, second) = await cluster.api.items("Node")
        assert first["metadata"]["labels"]["kubernetes.io/hostname"] == "node-a"
        shown = [(entry["type"], entry["address"]) for entry in second["status"]["addresses"]]
        assert ("InternalIP", "192.0.2.12") in shown
        assert ("InternalIP", "2001:db8:0:1::12") in shown
        assert second["status"]["conditions"][0]["status"] == "True"

    world(scenario)


def test_own_addresses_serve_at_once_and_later_ones_are_checked_for_duplicates(
    world: World,
) -> None:
    """The kernel's default stays for what agents add."""

    async def scenario(cluster: Cluster) -> None:
        await cluster.run("node-a", "ip", "addr", "add", "2001:db8:0:1::200/128", "dev", "eth0")
        listed = await cluster.run("node-a", "ip", "-6", "-j", "addr", "show", "dev", "eth0")
        entries = json.loads(listed.stdout)[0]["addr_info"]
        tentative = [entry["local"] for entry in entries if entry.get("tentative")]
        await cluster.run("node-a", "ip", "addr", "del", "2001:db8:0:1::200/128", "dev", "eth0")
        assert tentative == ["2001:db8:0:1::200"]

    world(scenario)


def test_a_node_without_power_is_silent_and_comes_back_fresh(world: World) -> None:
    """Its processes are killed, nothing it had in its kernel survives, its pods run again."""

    async def scenario(cluster: Cluster) -> None:
        await cluster.run("node-b", "ip", "addr", "add", "192.0.2.200/32", "dev", "eth0")
        await cluster.power_off("node-b")
        codes = {process.name: process.returncode for process in await cluster.processes()}
        assert codes["echo-node-b"] == -signal.SIGKILL
        assert codes["echo-node-a"] is None
        with pytest.raises(TimeoutError):
            await cluster.fetch("http://192.0.2.12/", machine="node-a", seconds=0.3)
        await cluster.power_on("node-b")
        with pytest.raises(PlaygroundError, match="node-b has power"):
            await cluster.power_on("node-b")
        await cluster.wait_answer("http://192.0.2.12/")
        listed = await cluster.run("node-b", "ip", "-br", "-4", "addr", "show", "dev", "eth0")
        assert listed.stdout.split()[2:] == ["192.0.2.12/24"]

    world(scenario)


def test_a_partition_cuts_frames_and_heals(world: World) -> None:
    """Between the named machines only, and without taking the carrier."""

    async def scenario(cluster: Cluster) -> None:
        await cluster.partition(["node-a"], ["node-b"])
        with pytest.raises(TimeoutError):
            await cluster.fetch("http://192.0.2.11/", machine="node-b", seconds=0.3)
        assert (await cluster.fetch("http://192.0.2.11/", machine="client")).status == 200
        link = await cluster.run("node-a", "cat", "/sys/class/net/eth0/carrier")
        assert link.stdout.strip() == "1"
        await cluster.heal()
        await cluster.wait_answer("http://192.0.2.11/", machine="node-b")

    world(scenario)


def test_a_pulled_cable_takes_the_carrier(world: World) -> None:
    """The NIC stays administratively up, as on a real node."""

    async def scenario(cluster: Cluster) -> None:
        await cluster.set_carrier("node-a", is_up=False)
        link = await cluster.run("node-a", "ip", "-j", "link", "show", "dev", "eth0")
        flags = json.loads(link.stdout)[0]["flags"]
        assert "UP" in flags
        assert "NO-CARRIER" in flags
        await cluster.set_carrier("node-a", is_up=True)
        link = await cluster.run("node-a", "cat", "/sys/class/net/eth0/carrier")
        assert link.stdout.strip() == "1"

    world(scenario)


def test_a_process_is_stopped_gently_and_killed_if_it_does_not_listen(world: World) -> None:
    """Its exit is seen, its output kept, and its name can be used again."""

    async def scenario(cluster: Cluster) -> None:
        script = "trap 'echo told; exit 3' TERM; echo begun; while :; do sleep 0.05; done"
        gentle = ProcessSpec(name="gentle", machine="node-a", argv=("sh", "-c", script))
        deaf = "trap '' TERM; echo begun; while :; do sleep 0.05; done"
        stubborn = ProcessSpec(name="stubborn", machine="node-a", argv=("sh", "-c", deaf))
        for spec in (gentle, stubborn):
            await cluster.start(spec)
            await cluster.wait_log(spec.name, "begun", seconds=DEADLINE)
        assert await cluster.stop("gentle") == 3
        assert "told" in cluster.log("gentle")
        assert await cluster.stop("stubborn", seconds=0.1) == -signal.SIGKILL
        with pytest.raises(PlaygroundError, match="no process is called 'other'"):
            await cluster.kill("other")
        assert (await cluster.restart("gentle")).returncode is None
        with pytest.raises(PlaygroundError, match="gentle runs already"):
            await cluster.start(gentle)

    world(scenario)


def test_a_command_that_takes_too_long_is_killed_inside_too(world: World) -> None:
    """Killing only `nsenter` would leave it running."""

    async def scenario(cluster: Cluster) -> None:
        before = pids_inside(cluster.instance.pid)
        with pytest.raises(TimeoutError):
            await cluster.run("node-a", "sleep", "1000", seconds=0.2)
        await wait_gone(pids_inside(cluster.instance.pid) - before)

    world(scenario)


@pytest.mark.parametrize("how", ["end", "exception", "supervisor killed"])
def test_nothing_is_left_in_the_host(how: str) -> None:
    """No process, link, route, mount or file, whichever way it ends."""
    before = host_state()
    pids: set[int] = set()

    async def scenario(cluster: Cluster) -> None:
        await start_pods(cluster)
        pids.update(pids_inside(cluster.instance.pid))
        if how == "exception":
            raise ZeroDivisionError
        if how == "supervisor killed":
            os.kill(cluster.instance.pid, signal.SIGKILL)

    if how == "exception":
        with pytest.raises(ZeroDivisionError):
            in_world_of_its_own(scenario)
    else:
        in_world_of_its_own(scenario)
    assert len(pids) >= 5  # init, the supervisor, the API server and two pods
    assert alive(pids) == set()
    after = host_state()
    assert {kind: after[kind] - before[kind] for kind in after} == dict.fromkeys(
        after, frozenset[str]()
    )


def test_the_logs_of_a_world_can_be_kept(tmp_path: Path) -> None:
    """They are files of the world otherwise."""

    async def run() -> None:
        async with Cluster(nodes=1, keep_logs=tmp_path) as cluster:
            echo = ProcessSpec(name="hello", machine="node-a", argv=("echo", "hello"))
            await cluster.start(echo)
            await cluster.wait("hello")

    asyncio.run(run())
    assert (tmp_path / "hello.log").read_text() == "hello\n"
    assert "hello ended with 0" in (tmp_path / "supervisor.log").read_text()


def test_two_worlds_live_beside_each_other() -> None:
    """With equal addresses, and faults in one only."""

    async def run() -> None:
        async with Cluster(nodes=1) as one, Cluster(nodes=1) as other:
            for cluster in (one, other):
                await start_pods(cluster)
            await one.power_off("node-a")
            assert (await other.fetch("http://192.0.2.11/")).status == 200
            with pytest.raises(PlaygroundError, match=f"named {one.name} is up already"):
                await Cluster(name=one.name).__aenter__()

    asyncio.run(run())


def command(*arguments: str) -> tuple[str, ...]:
    """Return the command line of the playground."""
    return (sys.executable, "-m", "playground", *arguments)


def call(argv: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Run a command from the checkout to its end; returns what it printed."""
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_starts_shows_enters_and_ends_a_world() -> None:
    """In the background, found again without any file that points to it."""
    name = f"test-{os.getpid()}"
    call(command("up", "--name", name, "--nodes", "2"))
    try:
        assert f"{name}: supervisor" in call(command("status"))
        entered = call(command("shell", "--name", name, "node-b", "ip", "-br", "addr"))
        assert "192.0.2.12/24" in entered
        if shutil.which("kubectl") is not None:
            shown = call(command("kubectl", "--name", name, "get", "nodes", "-o", "name"))
            assert shown.split() == ["node/node-a", "node/node-b"]
        pids = pids_inside(find(name).pid)
    finally:
        call(command("down", "--name", name))
    assert alive(pids) == set()
    assert name not in [instance.name for instance in instances()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_world_in_the_foreground_ends_with_its_process(number: signal.Signals) -> None:
    """Ctrl-C ends it in order; even a killed process takes its world with it."""
    name = f"test-{os.getpid()}-{number.name}"

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(
            *command("up", "--foreground", "--name", name, "--nodes", "1"),
            stdout=asyncio.subprocess.PIPE,
            cwd=CHECKOUT,
        )
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while b"Ctrl-C" not in await process.stdout.readline():
                pass
        pids = pids_inside(find(name).pid)
        process.send_signal(number)
        await wait_gone(pids)
        return await process.wait()

    assert asyncio.run(run()) == (-number if number == signal.SIGKILL else 0)


def as_nobody() -> tuple[tuple[str, ...], dict[str, str]]:
    """Return what runs Python as an ordinary user: a prefix and its environment, or skip."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root with setpriv can become an ordinary user (as one, all tests are it)")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = [path for path in sys.path if path.endswith("site-packages")]
    path = os.pathsep.join([str(CHECKOUT), *packages])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    # `env` makes a second exec: the first still has the privilege to read everything.
    drop = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env")
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        probe = (*drop, python, "-c", "import playground.cluster")
        done = subprocess.run(probe, env=environment, cwd="/", capture_output=True, check=False)
        if done.returncode == 0:
            return (*drop, python), environment
    pytest.skip("no Python that an ordinary user may run sees this checkout")


def test_an_ordinary_user_can_do_the_same() -> None:
    """Root only inside a user namespace: no privilege on the host is needed."""
    prefix, environment = as_nobody()
    name = f"test-{os.getpid()}-nobody"
    call((*prefix, "-m", "playground", "up", "--name", name, "--nodes", "2"), environment)
    try:
        enter = (*prefix, "-m", "playground", "shell", "--name", name, "node-b")
        assert "192.0.2.12/24" in call((*enter, "ip", "-br", "addr"), environment)
        assert call((*enter, "id", "-u"), environment).strip() == "0"
        assert name in call((*prefix, "-m", "playground", "status"), environment)
        assert name not in [instance.name for instance in instances()]  # it is not root's
    finally:
        call((*prefix, "-m", "playground", "down", "--name", name), environment)
