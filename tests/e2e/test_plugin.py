"""`kubectl purelb` as kubectl's plugin, with real servers, real tokens and real daemons."""

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from playground.nodes import INSTALL_NAMESPACE
from playground.state import INSIDE, Paths
from tests.e2e.user import (
    FAMILIES,
    POLL_SECONDS,
    Object,
    Story,
    User,
    addresses,
    service,
    slots,
)
from tests.e2e.world import SECONDS

RIGHTS = Path(__file__).parents[2] / "deploy" / "kubectl" / "rbac.yaml"
# The programs that `make setup` installs, which kubectl looks for in PATH.
PATH = f"PATH={Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


async def kubectl(user: User, *words: str, check: bool = True) -> CompletedProcess[str]:
    """Run kubectl with the plugin in its PATH."""
    argv: Sequence[str] = user.cluster.instance.kubectl(words)
    return await user.cluster.run("control", "env", PATH, *argv, check=check)


async def purelb(user: User, *words: str) -> Any:  # noqa: ANN401  # whatever it is
    """Run a command of the plugin and return its JSON."""
    return json.loads((await kubectl(user, "purelb", *words, "-o", "json")).stdout)


def test_what_the_plugin_says_of_an_address_is_what_the_daemons_do(story: Story) -> None:
    """Winner, announcer, range; both families."""

    async def scene(user: User) -> None:
        await user.apply(service("web", families=FAMILIES))
        given = await user.until_served("web", 2)
        said = {ip: node for ip, (node, _) in slots(await user.get("web")).items()}
        found = await purelb(user, "inspect", "default/web")
        assert {one["ip"]: one["winner"] for one in found["elections"]} == said
        assert all(one["matchesAnnouncer"] for one in found["elections"])
        assert {one["ip"] for one in found["allocations"]} == set(given)
        explained = await purelb(user, "explain", "default/web")
        assert all(step["status"] != "FAIL" for step in explained["steps"][:-1])
        rows = (await purelb(user, "services", "--ip", given[0]))["services"]
        assert [(row["name"], row["status"]) for row in rows] == [("web", "OK")]

    story(scene)


def test_a_service_that_waits_is_told_what_the_allocator_says(story: Story) -> None:
    """The Event, the condition and the plugin have the same words."""

    async def scene(user: User) -> None:
        await user.apply(service("lost", settings={"service-group": "nowhere"}))
        event = await user.event("lost", "AllocationFailed", "nowhere")
        found = await purelb(user, "explain", "default/lost")
        assert not found["reachable"]
        assert 'unknown pool "nowhere"' in found["verdict"]
        assert found["verdict"].split("; The allocator's answer: ")[-1] in event["message"]
        assert addresses(await user.get("lost")) == ()

    story(scene)


def test_who_is_given_the_shipped_rights_sees_everything_else_nothing(story: Story) -> None:
    """With a token of its own, as somebody who is no administrator."""

    async def scene(user: User) -> None:
        scratch = Paths(INSIDE).scratch / "kubectl-rbac.yaml"
        (user.cluster.paths.scratch / "kubectl-rbac.yaml").write_text(RIGHTS.read_text())
        space = ("-n", INSTALL_NAMESPACE)
        try:
            await user.kubectl("apply", "-f", str(scratch))
            await user.kubectl(*space, "create", "serviceaccount", "reader")
            token = (await user.kubectl(*space, "create", "token", "reader")).strip()
            refused = await kubectl(user, "purelb", "status", "--token", token, check=False)
            assert refused.returncode == 1
            assert refused.stderr.startswith("Error: you may not list ")
            assert refused.stderr.count("\n") == 1

            name, who = "purelb:kubectl-purelb", f"--serviceaccount={INSTALL_NAMESPACE}:reader"
            await user.kubectl(
                "create", "clusterrolebinding", "reader", f"--clusterrole={name}", who
            )
            await user.kubectl(*space, "create", "rolebinding", "reader", f"--role={name}", who)
            for words in (["status"], ["election"], ["validate"], ["doctor"], ["version"]):
                seen = await kubectl(user, "purelb", *words, "--token", token, check=False)
                assert "Error" not in seen.stderr.replace("Error: validation failed", "")
                assert "Warning" not in seen.stderr
        finally:
            await user.kubectl(
                *space, "delete", "serviceaccount,rolebinding", "reader", "--ignore-not-found"
            )
            await user.kubectl("delete", "clusterrolebinding", "reader", "--ignore-not-found")
            await user.kubectl("delete", "-f", str(scratch), "--ignore-not-found")

    story(scene)


def test_kubectl_completes_the_plugins_words(story: Story) -> None:
    """It asks the program beside the plugin."""

    async def scene(user: User) -> None:
        await user.apply(service("web"))
        await user.until_served("web")
        words = (await kubectl(user, "__complete", "purelb", "inspect", "default/w")).stdout
        assert words.splitlines() == ["default/web", ":4"]

    story(scene)


def test_a_watch_shows_a_service_as_soon_as_it_has_an_address(story: Story) -> None:
    """By the server's own stream: nothing is listed a second time."""

    async def scene(user: User) -> None:
        name = f"watch-{id(user)}"
        shown, inside = user.cluster.paths.scratch / name, Paths(INSIDE).scratch / name
        watch = shlex.join(user.cluster.instance.kubectl(["purelb", "services", "--watch"]))
        script = (
            f"{watch} > {inside} & until grep -q 'web .* OK' {inside}; do sleep 0.1; done; kill $!"
        )
        async with asyncio.timeout(SECONDS):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(user.cluster.run("control", "env", PATH, "bash", "-c", script))
                while not (shown.exists() and shown.read_text()):  # noqa: ASYNC110  # a file
                    await asyncio.sleep(POLL_SECONDS)
                assert "web" not in shown.read_text()
                await user.apply(service("web"))

    story(scene)


def test_an_evacuated_node_is_empty_when_the_command_returns(story: Story) -> None:
    """And has its addresses back when it is not evacuated any more."""

    async def scene(user: User) -> None:
        await user.apply(service("web"))
        (address,) = await user.until_served("web")
        node, _ = slots(await user.get("web"))[address]
        try:
            left = await purelb(user, "evacuate", node, "--wait")
            assert [one["ip"] for one in left["addresses"]] == [address]
            heir = left["addresses"][0]["heir"]

            def is_moved(one: Object) -> bool:
                return [slot[0] for slot in slots(one).values()] == [heir]

            await user.until("web", is_moved)
        finally:
            await kubectl(user, "purelb", "uncordon", node)
        await user.until("web", lambda one: slots(one).get(address, ("",))[0] == node)

    story(scene)
