"""Watches: a change is shown at once, asks for nothing, and outlives what happens to servers."""

import asyncio
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest

from playground.apiserver.faults import Action, Fault
from tests.plugin import scenes
from tests.plugin.stage import ROOT, Stage, play

CLIENT = "operator"  # the token of the stage's kubeconfig
LACKING = "servicecidrs"  # the embedded server does not have them
OVERVIEW = {
    "services",
    "servicegroups",
    "leases",
    "lbnodeagents",
    "pods",
    "nodes",
    "bgpnodestatuses",
}
SECONDS = 60.0  # generous: for what takes a fraction of one


async def until(claim: Callable[[], bool]) -> None:
    """Wait for a claim about the server."""
    async with asyncio.timeout(SECONDS):
        while not claim():  # noqa: ASYNC110  # the server tells nobody of its watches
            await asyncio.sleep(0.01)


def watched(stage: Stage) -> set[str]:
    """Return what the user watches."""
    return {resource for client, resource in stage.server.open_watches() if client == CLIENT}


def asked(stage: Stage, verb: str = "") -> int:
    """Return how many requests the user has made for kinds that the server has."""
    requests = stage.server.requests
    lacking = requests.total(client=CLIENT, verb=verb, resource=LACKING)
    return requests.total(client=CLIENT, verb=verb) - lacking


class Watch:
    """A command that goes on, and what it prints."""

    def __init__(self, stage: Stage, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.stage, self.process = stage, process
        self._out, self._err = process.stdout, process.stderr

    @classmethod
    async def begin(cls, stage: Stage, *words: str, kinds: set[str] = OVERVIEW) -> "Watch":
        """Start it, and wait until it watches all kinds."""
        found = cls(stage, await stage.start(*words))
        await until(lambda: watched(stage) >= kinds)
        return found

    async def shows(self, text: str) -> None:
        """Read until the text is printed."""
        async with asyncio.timeout(SECONDS):
            while text not in (await self._out.readline()).decode():
                pass

    async def warns(self) -> str:
        """Return the next line on stderr."""
        async with asyncio.timeout(SECONDS):
            return (await self._err.readline()).decode()

    async def end(self) -> None:
        """Interrupt it; it has nothing to say to that."""
        self.process.send_signal(signal.SIGINT)
        _, err = await self.process.communicate()
        assert (self.process.returncode, err.strip()) == (130, b"")


@pytest.mark.parametrize("command", ["status", "dashboard"])
def test_what_changes_is_shown_without_another_request(tmp_path: Path, command: str) -> None:
    """Each kind is listed once and watched; ten thousand Services are not read again for one."""

    async def work(stage: Stage) -> None:
        options = ["--watch"] if command == "status" else []
        watch = await Watch.begin(stage, command, *options)
        await watch.shows("Overall: OK")
        assert asked(stage, "list") == asked(stage, "watch") == len(OVERVIEW)
        stage.server.requests.clear()
        for number in (1, 2, 3):
            await stage.put(scenes.service(f"shop/late-{number}"))
            await watch.shows(f"{number} service(s) pending")
        assert asked(stage) == 0
        await watch.end()

    play(tmp_path, scenes.healthy(), work)


@pytest.mark.parametrize("is_status", [False, True], ids=["in the stream", "as HTTP status"])
def test_a_change_that_the_history_has_lost_is_seen_by_listing_again(
    tmp_path: Path, is_status: bool
) -> None:
    """410 is no trouble: nobody is told of it."""

    async def work(stage: Stage) -> None:
        if is_status:
            stage.server.faults.add(Fault(action=Action.GONE_STATUS))
        await stage.put(scenes.service("shop/late"))
        watch = await Watch.begin(stage, "status", "--watch")
        await watch.shows("1 service(s) pending")
        stage.server.vanish("services", "shop", "late")
        stage.server.compact()
        stage.server.drop_watches(CLIENT, "services")
        await watch.shows("Overall: OK")
        await watch.end()

    play(tmp_path, scenes.healthy(), work)


@pytest.mark.parametrize("code", [410, 500])
def test_a_watch_that_ends_with_an_error_is_begun_again(tmp_path: Path, code: int) -> None:
    """In the stream, with HTTP 200."""

    async def work(stage: Stage) -> None:
        watch = await Watch.begin(stage, "pools", "--watch", kinds={"services"})
        await watch.shows("default")
        assert stage.server.fail_watches(code, CLIENT, "servicegroups") == 1
        await stage.put(
            scenes.group("new", remote={"v4pool": scenes.pool("10.9.0.0/28", "10.9.0.0/24")})
        )
        await watch.shows("new ")
        watch.process.send_signal(signal.SIGINT)
        await watch.process.communicate()

    play(tmp_path, scenes.healthy(), work)


@pytest.mark.parametrize("kind", ["", "pods"], ids=["all kinds", "one that is only wished for"])
def test_a_server_that_is_away_is_told_once_and_waited_for(tmp_path: Path, kind: str) -> None:
    """What was shown stays; once the server is back, the answer is true again."""

    async def work(stage: Stage) -> None:
        watch = await Watch.begin(stage, "status", "--watch")
        await watch.shows("Overall: OK")
        kinds = frozenset({kind} - {""})
        away = Fault(action=Action.REFUSE, clients=frozenset({CLIENT}), resources=kinds)
        refused = stage.server.faults.add(away)
        stage.server.drop_watches(CLIENT, kind)
        assert (await watch.warns()).endswith("the right context?; trying again\n")
        stage.server.faults.remove(refused)
        await stage.put(scenes.service("shop/late"))
        await watch.shows("1 service(s) pending")
        await watch.end()

    play(tmp_path, scenes.healthy(), work)


def test_a_kind_that_the_server_lacks_is_not_asked_for_all_the_time(tmp_path: Path) -> None:
    """Older clusters have no ServiceCIDRs, and are none the worse for it."""

    async def work(stage: Stage) -> None:
        watch = await Watch.begin(stage, "status", "--watch")
        for number in range(1, 6):
            await stage.put(scenes.service(f"shop/late-{number}"))
            await watch.shows(f"{number} service(s) pending")
        tried = stage.server.requests.total(client=CLIENT, resource=LACKING)
        assert 1 <= tried <= 2
        await watch.end()

    play(tmp_path, scenes.healthy(), work)


def test_who_may_list_but_not_watch_is_told_so(tmp_path: Path) -> None:
    """The line has the command that checks the right."""

    async def work(stage: Stage) -> None:
        verbs, resources = frozenset({"watch"}), frozenset({"services"})
        stage.server.faults.add(Fault(action=Action.FORBID, verbs=verbs, resources=resources))
        result = await stage.run("status", "--watch")
        assert (result.code, result.out) == (1, "")
        assert "kubectl auth can-i watch services -A" in result.err

    play(tmp_path, scenes.healthy(), work)


def test_a_watch_that_cannot_begin_ends_as_the_command_does(tmp_path: Path) -> None:
    """One line and exit code 1: there is nothing to go on with."""

    async def work(stage: Stage) -> None:
        result = await stage.run("explain", "shop/nope", "--watch")
        assert (result.code, result.out) == (1, "")
        assert result.err == "Error: there is no Service shop/nope; see kubectl get services -A\n"

    play(tmp_path, scenes.healthy(), work)


def test_an_explanation_follows_endpoints_and_events(tmp_path: Path) -> None:
    """The kinds of one Service are watched for that Service alone."""

    async def work(stage: Stage) -> None:
        kinds = {"services", "endpointslices", "events"}
        watch = await Watch.begin(stage, "explain", "shop/web", "--watch", kinds=kinds)
        await watch.shows("no endpoint is ready")
        stage.server.requests.clear()
        await stage.put(scenes.endpoints("shop/mail", "node-a"))
        await stage.put(scenes.endpoints("shop/web", "node-b"))
        await watch.shows("ready on node-b")
        assert asked(stage) == 0
        await watch.end()

    play(tmp_path, scenes.healthy(), work)


def _text(screen: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.decode(errors="replace"))


class Terminal:
    """A command in front of a terminal of 120 columns."""

    def __init__(self, stage: Stage, *words: str) -> None:
        self._words, self._stage = words, stage
        self._seen = b""

    async def __aenter__(self) -> "Terminal":
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 32, 120, 0, 0))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "plugin",
            *self._words,
            cwd=ROOT,
            env=self._environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), os.fdopen(ours, "rb", 0)
        )
        self._transport = transport
        return self

    def _environment(self) -> dict[str, str]:
        # The terminal says how large it is, not whoever runs the tests.
        kept = {name: os.environ[name] for name in os.environ if name not in ("COLUMNS", "LINES")}
        return kept | {"KUBECONFIG": str(self._stage.kubeconfig), "TERM": "xterm"}

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        self._transport.close()

    async def shows(self, pattern: str) -> None:
        """Read until what is on the screen matches; a read may end amid a letter."""
        async with asyncio.timeout(SECONDS):
            while not re.search(pattern, _text(self._seen)):
                self._seen += await self._reader.read(65536)
        self._seen = b""


def test_top_shows_a_move_at_once(tmp_path: Path) -> None:
    """However long it is until the next look that time alone asks for."""

    async def work(stage: Stage) -> None:
        async with Terminal(stage, "top", "--interval", "1h") as screen:
            await screen.shows("no address has moved")
            await until(lambda: watched(stage) >= OVERVIEW)
            stage.server.requests.clear()
            await stage.annotate(
                "shop/mail", {"purelb.io/announcing-IPv4": "node-a,eth0,192.0.2.17"}
            )
            await screen.shows("shop/mail +192.0.2.17 +node-b → node-a")
            assert asked(stage) == 0

    play(tmp_path, scenes.healthy(), work)
