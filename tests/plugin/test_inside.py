"""`gobgp` and `ip`, with a stand-in for kubectl that tells how it was called."""

from pathlib import Path

import pytest

from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import Stage, play

KUBECTL = """#!/bin/sh
case "$*" in
  *pod-c*) echo "no such container" >&2; exit 3 ;;
esac
echo "$@"
"""


def with_kubectl(stage: Stage, folder: Path) -> None:
    """Let the stage's user have the stand-in, and no other program."""
    path = folder / "bin"
    path.mkdir(exist_ok=True)
    (path / "kubectl").write_text(KUBECTL)
    (path / "kubectl").chmod(0o755)
    stage.environment["PATH"] = f"{path}:/usr/bin:/bin"


def nodes(*names: str) -> list[Object]:
    """Return the Pods of nodes with the sidecar."""
    return [
        *scenes.namespaces(scenes.INSTALL),
        *(scenes.pod(f"pod-{n}", "lbnodeagent", "k8gobgp", node=f"node-{n}") for n in names),
    ]


def test_a_command_runs_in_the_sidecar_with_the_users_own_connection(tmp_path: Path) -> None:
    """All words behind the command's name are the inner program's."""

    async def work(stage: Stage) -> None:
        with_kubectl(stage, tmp_path)
        result = await stage.run("--context", "stage", "ip", "-6", "-o", "addr", "show", "-h")
        assert result.out == (
            "--context=stage exec --namespace=purelb-system pod-a --container=k8gobgp --"
            " ip -6 -o addr show -h\n"
        )
        assert (result.code, result.err) == (0, "")

    play(tmp_path, nodes("a"), work)


@pytest.mark.parametrize(
    "words", [["-s", "link"], ["-json", "addr"], ["-details", "link"], ["-n", "blue", "route"]]
)
def test_short_options_are_the_inner_programs_from_the_first_word_on(
    tmp_path: Path, words: list[str]
) -> None:
    """Though -s and -n are the connection's everywhere else."""

    async def work(stage: Stage) -> None:
        with_kubectl(stage, tmp_path)
        result = await stage.run("ip", *words)
        assert (result.code, result.err) == (0, "")
        assert result.out.endswith(f"-- ip {' '.join(words)}\n")

    play(tmp_path, nodes("a"), work)


@pytest.mark.parametrize(
    "words",
    [["--node", "node-b", "route"], ["route", "--node", "node-b"], ["route", "--node=node-b"]],
)
def test_one_node_is_chosen_wherever_the_option_stands(tmp_path: Path, words: list[str]) -> None:
    """PureLB's plugin took it out of the inner command's words, too."""

    async def work(stage: Stage) -> None:
        with_kubectl(stage, tmp_path)
        result = await stage.run("ip", *words)
        assert (
            result.out.split(" exec ")[-1]
            .split("\n")[0]
            .endswith("pod-b --container=k8gobgp -- ip route")
        )

    play(tmp_path, nodes("a", "b"), work)


def test_a_node_without_a_name_is_a_mistake(tmp_path: Path) -> None:
    """Else the command would run on every node, which may be the opposite of what was meant."""

    async def work(stage: Stage) -> None:
        with_kubectl(stage, tmp_path)
        result = await stage.run("ip", "route", "--node")
        assert (result.code, result.out) == (1, "")
        assert result.err == "Error: --node needs the name of a node\n"

    play(tmp_path, nodes("a", "b"), work)


def test_a_node_that_fails_is_told_on_stderr_and_changes_nothing(tmp_path: Path) -> None:
    """Several nodes have a heading each, in order."""

    async def work(stage: Stage) -> None:
        with_kubectl(stage, tmp_path)
        result = await stage.run("ip", "link")
        assert result.code == 0
        assert [line for line in result.out.splitlines() if line.startswith("===")] == [
            "=== node-a ===",
            "=== node-b ===",
            "=== node-c ===",
        ]
        assert result.err == "Error on node-c: no such container\n"

    play(tmp_path, nodes("c", "b", "a"), work)


def test_without_a_sidecar_a_plain_sentence_is_all(tmp_path: Path) -> None:
    """To run without BGP is legitimate."""

    async def work(stage: Stage) -> None:
        for command in ("ip", "gobgp"):
            result = await stage.run(command, "neighbor")
            assert (result.code, result.out, result.err) == (0, "BGP not enabled.\n", "")

    play(tmp_path, scenes.healthy(), work)


def test_gobgp_waits_for_a_configuration(tmp_path: Path) -> None:
    """A sidecar without neighbors has nothing to show."""

    async def work(stage: Stage) -> None:
        result = await stage.run("gobgp", "neighbor")
        assert (result.code, result.out) == (0, "BGP not configured.\n")

    play(tmp_path, nodes("a"), work)


def test_a_node_without_the_sidecar_is_an_error(tmp_path: Path) -> None:
    """Nothing would be shown otherwise."""

    async def work(stage: Stage) -> None:
        with_kubectl(stage, tmp_path)
        result = await stage.run("ip", "--node", "node-x", "link")
        assert result.code == 1
        assert "no Pod with container k8gobgp runs on node node-x" in result.err

    play(tmp_path, nodes("a"), work)


def test_a_missing_kubectl_is_named(tmp_path: Path) -> None:
    """It need not be there for anything else."""

    async def work(stage: Stage) -> None:
        result = await stage.run("ip", "link", PATH=str(tmp_path))
        assert result.code == 1
        assert result.err == "Error: this command needs kubectl, which is not in PATH; install it\n"

    play(tmp_path, nodes("a"), work)
