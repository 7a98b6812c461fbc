"""`doctor`: each ailment, and a node that has none; the lines to write."""

import json
from datetime import timedelta

import pytest

from plugin.core.doctor import Ailment, examine
from plugin.core.remedies import remedy_of
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.unit.plugin.worlds import world

POD = scenes.pod("agent-a", "lbnodeagent")
NODE, AGENT = scenes.node("node-a", "192.0.2.2"), scenes.agent()
LEASE = scenes.lease("node-a", scenes.FRONT)


def ailments(*objects: Object) -> list[Ailment]:
    """Return what is wrong with the only node."""
    (patient,) = examine(world(objects)).nodes
    return list(patient.findings)


def test_a_healthy_node_has_no_findings() -> None:
    """And counts as healthy."""
    report = examine(world([NODE, LEASE, POD, AGENT]))
    assert (report.nodes[0].healthy, report.warnings) == (True, 0)


RESTARTED = json.loads(json.dumps(POD))
RESTARTED["status"]["containerStatuses"][0]["restartCount"] = 7
AHEAD = scenes.lease("node-a", scenes.FRONT)
AHEAD["spec"]["renewTime"] = scenes.ago(timedelta(minutes=-2))
TAKEN = scenes.service("shop/web", "192.0.2.2")


@pytest.mark.parametrize(
    ("objects", "type", "piece"),
    [
        ([NODE, LEASE, AGENT], "NodeAgent", "no node agent runs on this node"),
        (
            [NODE, LEASE, AGENT, scenes.pod("agent-a", "lbnodeagent", ready=False)],
            "NodeAgent",
            "kubectl -n purelb-system logs agent-a",
        ),
        ([NODE, LEASE, AGENT, RESTARTED], "Restarts", "was restarted 7 times"),
        (
            [NODE, POD, AGENT, scenes.lease("node-a", "", expired=timedelta(hours=2))],
            "Lease",
            "others take this node's addresses",
        ),
        ([NODE, POD, AGENT, AHEAD], "Clock", "ahead of the API server's"),
        ([NODE, POD, LEASE], "NotConfigured", "there is no LBNodeAgent"),
        ([NODE, POD, LEASE, AGENT, TAKEN], "NodeAddress", "--node-ip="),
    ],
    ids=["no agent", "not ready", "restarts", "lease", "clock", "config", "address"],
)
def test_an_ailment_is_told_with_what_helps(objects: list[Object], type: str, piece: str) -> None:
    """One finding for one fault."""
    (found,) = ailments(*objects)
    assert found.type == type
    assert piece in found.message


def test_what_the_agent_found_is_told_with_the_lines_to_write() -> None:
    """The agent's own words, since when, and a file."""
    finding = {
        "type": "ReversePathFilter",
        "subject": "eth1",
        "severity": "Warning",
        "message": "the kernel drops what clients send: sysctl -w net.ipv4.conf.eth1.rp_filter=2",
        "since": scenes.ago(timedelta(hours=5, minutes=1)),
    }
    lease = scenes.lease("node-a", scenes.FRONT, conditions=json.dumps([finding]))
    (found,) = ailments(NODE, lease, POD, AGENT)
    assert (found.type, found.since) == ("ReversePathFilter", "5h1m")
    assert found.remedy is not None
    assert found.remedy.content == "net.ipv4.conf.eth1.rp_filter = 2\n"


@pytest.mark.parametrize(
    ("message", "path", "content"),
    [
        (
            "set net.ipv4.conf.all.arp_ignore=1 and net.ipv4.conf.all.arp_announce=2",
            "/etc/sysctl.d/90-purelb.conf",
            "net.ipv4.conf.all.arp_announce = 2\nnet.ipv4.conf.all.arp_ignore = 1\n",
        ),
        (
            "put KeepConfiguration=yes into the [Network] section of the .network file of eth0",
            "networkctl status eth0",
            "[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=5s\n",
        ),
        (
            "make eth0 unmanaged, or stop reapplying its connection",
            "/etc/NetworkManager/conf.d/90-purelb.conf",
            "[keyfile]\nunmanaged-devices=interface-name:eth0\n",
        ),
    ],
)
def test_a_remedy_is_a_file(message: str, path: str, content: str) -> None:
    """Ready to be written as it is."""
    found = remedy_of(message)
    assert found is not None
    assert path in found.path
    assert found.content == content


def test_the_remedies_of_the_agents_own_messages_are_understood() -> None:
    """The words are the node agent's: whoever changes them there sees it here."""
    from nodeagent.core.struggles import REMEDIES

    for name in ("systemd-network", "NetworkManager"):
        assert remedy_of(REMEDIES[name].format(link="eth0")) is not None


def test_some_findings_have_no_file() -> None:
    """A cable, for instance."""
    assert remedy_of("check cable and switch port (ip link show eth0)") is None


def test_pods_that_cannot_be_read_are_not_called_missing() -> None:
    """Not everybody may list them."""
    from dataclasses import replace

    from plugin.core.snapshot import Gap

    found = replace(
        world([NODE, LEASE, AGENT]), gaps=(Gap(what="pods", why="forbidden", kind="pods"),)
    )
    assert examine(found).warnings == 0


def test_what_the_sidecar_says_of_bgp_is_told() -> None:
    """Its conditions are judgments with words; those that hold are no findings."""
    conditions = [
        {"type": "Ready", "status": "False", "reason": "Degraded", "message": "1 of 2 sessions"},
        {"type": "RouterIDResolved", "status": "True", "reason": "Resolved", "message": "fine"},
    ]
    speaker = scenes.bgp_node("node-a", conditions=conditions)
    other = scenes.bgp_node("node-b", conditions=conditions)
    found = examine(world([NODE, LEASE, POD, AGENT, speaker, other])).nodes[0].findings
    assert [(one.subject, one.message) for one in found] == [("Ready=Degraded", "1 of 2 sessions")]
