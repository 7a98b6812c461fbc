"""The rights that are shipped for people are those that the commands use."""

from pathlib import Path

import yaml

from tests.plugin import scenes
from tests.plugin.stage import ROOT, Stage, play
from tests.plugin.test_bgp import completions
from tests.plugin.test_following import Watch

FILE = ROOT / "deploy" / "kubectl" / "rbac.yaml"
CLIENT = "operator"  # the token of the stage's kubeconfig
COMMANDS = (
    ["status"],
    ["pools"],
    ["services"],
    ["election"],
    ["validate"],
    ["inspect", "shop/web"],
    ["inspect", "shop/plain"],
    ["explain", "shop/web"],
    ["doctor"],
    ["version"],
    ["bgp", "sessions"],
    ["bgp", "dataplane"],
    ["top"],
    ["report", "--html", "-"],
    ["evacuate", "node-b"],
    ["uncordon", "node-b"],
    ["move", "192.0.2.16", "node-a"],
)
GOING_ON = (
    (["status", "--watch"], {"services", "servicegroups", "leases", "lbnodeagents", "pods"}),
    (["status", "--watch"], {"nodes", "bgpnodestatuses"}),
    (["explain", "shop/web", "--watch"], {"endpointslices", "events"}),
    (["bgp", "sessions", "--watch"], {"configs"}),
)
# Answered by no embedded server, or by kubectl on the plugin's behalf.
ELSEWHERE = {("get", "pods/log"), ("create", "pods/exec"), ("watch", "servicecidrs")}


def granted() -> set[tuple[str, str]]:
    """Return the verbs and resources of the file."""
    return {
        (verb, resource)
        for document in yaml.safe_load_all(FILE.read_text())
        for rule in document["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_every_right_is_used_and_no_other_is_needed(tmp_path: Path) -> None:
    """Asked of the server that all commands have talked to."""
    used: set[tuple[str, str]] = set()

    async def work(stage: Stage) -> None:
        for words in COMMANDS:
            await stage.run(*words)
        await stage.run("support-bundle", "-f", str(tmp_path / "bundle"), "--log-lines", "0")
        for words, kinds in GOING_ON:
            watch = await Watch.begin(stage, *words, kinds=kinds)
            watch.process.terminate()
            await watch.process.communicate()
        await completions(stage, "-n", "")
        for client, verb, resource in stage.server.requests.counts:
            if client == CLIENT and not resource.startswith("/"):  # discovery is for all
                used.add((verb, resource.partition(".")[0]))

    plain = scenes.service("shop/plain", type="ClusterIP")
    play(tmp_path, [*scenes.healthy(), plain], work)
    assert used == granted() - ELSEWHERE
