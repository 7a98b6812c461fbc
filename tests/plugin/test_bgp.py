"""`bgp`, `dashboard` and completion: outputs as golden files, exit codes, what the shell gets."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import ROOT, Stage, compare, play, run

OUTPUTS = {"table": "txt", "wide": "wide.txt", "json": "json"}
ROUTE = {"prefix": "203.0.113.0/32", "nextHop": "0.0.0.0", "advertisedTo": ["192.0.2.1"]}
LINK = {"name": "kube-lb0", "exists": True, "operState": "up"}


def imported(in_rib: bool) -> Object:
    """Return the import of one address."""
    address = {"address": "203.0.113.0/32", "interface": "kube-lb0", "inRIB": in_rib}
    return {
        "enabled": True,
        "totalImported": 1,
        "interfaces": [LINK],
        "importedAddresses": [address],
    }


def cluster() -> list[Object]:
    """Return the healthy cluster with BGP, in which node-b has lost its neighbor."""
    rib = {"localRouteCount": 1, "receivedRouteCount": 1, "localRoutes": [ROUTE]}
    routes = [
        {"prefix": "10.9.0.0/16", "table": "main", "metric": 20, "installed": True},
        {
            "prefix": "10.8.0.0/16",
            "table": "main",
            "metric": 20,
            "installed": False,
            "reason": "next hop unreachable",
        },
    ]
    export = {
        "enabled": True,
        "protocol": 186,
        "totalExported": 2,
        "rules": [{"name": "all", "metric": 20, "tableID": 0}],
        "exportedRoutes": routes,
    }
    kept = [one for one in scenes.healthy() if one not in scenes.AGENT_PODS]
    names = ("a", "b", "c")
    return [
        *kept,
        *(scenes.pod(f"agent-{n}", "lbnodeagent", "k8gobgp", node=f"node-{n}") for n in names),
        scenes.bgp_config(
            scenes.neighbor("192.0.2.1"),
            scenes.neighbor("198.51.100.1", nodeSelector={"matchLabels": {"zone": "back"}}),
        ),
        scenes.bgp_node(
            "node-a",
            scenes.session("192.0.2.1"),
            netlinkImport=imported(in_rib=True),
            rib=rib,
            netlinkExport=export,
        ),
        scenes.bgp_node(
            "node-b",
            scenes.session("192.0.2.1", "Active", lastError="hold timer expired"),
            netlinkImport=imported(in_rib=False),
        ),
        scenes.bgp_node("node-c", scenes.session("198.51.100.1")),
    ]


COMMANDS = {
    "bgp-sessions": ["bgp", "sessions"],
    "bgp-sessions-check": ["bgp", "sessions", "--check"],
    "bgp-dataplane": ["bgp", "dataplane"],
    "bgp-dataplane-check": ["bgp", "dataplane", "--check"],
    "bgp-dataplane-import": ["bgp", "dataplane", "--import-only", "--node", "node-a"],
    "status-bgp": ["status"],
}


def test_outputs_look_as_their_golden_files_say(tmp_path: Path) -> None:
    """All formats."""

    async def work(stage: Stage) -> None:
        for name, words in COMMANDS.items():
            for output, suffix in OUTPUTS.items():
                result = await stage.run(*words, "-o", output)
                assert (result.code, result.err) == (0, "")
                compare(f"{name}.{suffix}", result.out)

    play(tmp_path, cluster(), work)


def test_exit_codes_are_on_request(tmp_path: Path) -> None:
    """Problems alone are no failure."""

    async def work(stage: Stage) -> None:
        for words in (["bgp", "sessions"], ["bgp", "dataplane"]):
            assert (await stage.run(*words, "--exit-code")).code == 1
            assert (await stage.run(*words, "--exit-code", "--node", "node-c")).code == (
                1 if "dataplane" in words else 0  # the remote address is not on node-c
            )
        assert (await stage.run("bgp", "sessions", "--node", "nope")).code == 1
        assert (await stage.run("bgp", "dataplane", "--import-only", "--export-only")).code == 1

    play(tmp_path, cluster(), work)


@pytest.mark.parametrize("words", [["bgp", "sessions"], ["bgp", "dataplane", "-o", "json"]])
def test_without_bgp_a_plain_sentence_is_all(tmp_path: Path, words: list[str]) -> None:
    """With JSON as well."""
    result = run(tmp_path, scenes.healthy(), *words)
    assert (result.code, result.out, result.err) == (0, "BGP not enabled.\n", "")


def test_a_vrf_that_no_node_has_is_a_mistake(tmp_path: Path) -> None:
    """Nothing would be said of it otherwise, which sounds like a verdict."""
    up = scenes.session("203.0.113.7")
    counts = {"importedRouteCount": 0, "exportedRouteCount": 0}
    vrfs = [{"name": name, "rd": "64512:1", **counts} for name in ("blue", "red")]

    async def work(stage: Stage) -> None:
        known = await stage.run("bgp", "dataplane", "--vrf", "red", "-o", "json")
        assert [vrf["name"] for vrf in known.json["vrfs"]] == ["red"]
        result = await stage.run("bgp", "dataplane", "--vrf", "nope")
        assert (result.code, result.out) == (1, "")
        assert result.err == 'Error: no node has a VRF "nope"; they have: blue, red\n'

    play(tmp_path, [*scenes.healthy(), scenes.bgp_node("node-a", up, vrfs=vrfs)], work)


def test_bgp_alone_prints_help(tmp_path: Path) -> None:
    """The subcommands are in it."""
    result = run(tmp_path, (), "bgp")
    assert result.code == 0
    assert "dataplane" in result.out


def test_the_dashboard_has_everything_and_goes_on(tmp_path: Path) -> None:
    """Pages are told apart by a line of dashes where nobody clears the screen."""

    async def work(stage: Stage) -> None:
        process = await stage.start("dashboard", "--interval", "100ms")
        assert process.stdout is not None
        first = await process.stdout.readuntil(b"GoBGP Global RIB")
        second = await process.stdout.readuntil(b"GoBGP Global RIB")
        process.terminate()
        await process.communicate()
        assert first.startswith(b"---\nPureLB Cluster Status")
        for piece in (b"NAMESPACE  SERVICE", b"SERVICEGROUP  TYPE"):
            assert piece in first
            assert piece in second

    play(tmp_path, scenes.healthy(), work)


@pytest.mark.parametrize("interval", ["nonsense", "5"])
def test_an_interval_that_is_none_is_one_line(tmp_path: Path, interval: str) -> None:
    """A Go duration."""
    result = run(tmp_path, (), "dashboard", "--interval", interval)
    assert (result.code, result.err.count("\n")) == (1, 1)


async def completions(stage: Stage, *words: str) -> list[str]:
    """Return what kubectl gets for the words of a command line; no files are to be added."""
    *lines, directive = await answer(stage, *words)
    assert directive == ":4"
    return [line.split("\t")[0] for line in lines]


async def answer(stage: Stage, *words: str) -> list[str]:
    """Return the lines that kubectl gets for the words of a command line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from plugin.cli.completion import main; main()",
        *words,
        cwd=ROOT,
        env={"KUBECONFIG": str(stage.kubeconfig), "HOME": "/", "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out.decode().splitlines()


def test_the_shell_completes_commands_options_and_names(tmp_path: Path) -> None:
    """Names come from the kubeconfig and the cluster."""

    async def work(stage: Stage) -> None:
        assert await completions(stage, "s") == ["services", "status", "support-bundle"]
        assert await completions(stage, "bgp", "") == ["dataplane", "sessions"]
        assert await completions(stage, "status", "--exit") == ["--exit-code"]
        assert await completions(stage, "status", "-o", "") == ["table", "wide", "json", "yaml"]
        assert await completions(stage, "status", "--context", "") == ["stage"]
        assert await completions(stage, "inspect", "shop/w") == ["shop/web"]
        assert await completions(stage, "election", "--node", "") == ["node-a", "node-b", "node-c"]
        assert await completions(stage, "services", "--pool", "r") == ["routed"]
        assert await completions(stage, "-n", "purelb-") == ["purelb-system"]
        for words in (["diff", ""], ["report", "--html", ""], ["status", "--kubeconfig", "/e"]):
            assert await answer(stage, *words) == [":0"]  # files, which the shell knows

    play(tmp_path, scenes.healthy(), work)


def test_a_completion_without_a_cluster_is_empty(tmp_path: Path) -> None:
    """It says nothing else: it would end up on the command line."""

    async def work(stage: Stage) -> None:
        stage.kubeconfig.write_text("{")
        assert await completions(stage, "inspect", "") == []

    play(tmp_path, (), work)
