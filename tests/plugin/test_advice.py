"""`explain`, `doctor`, `diff`, `support-bundle`: outputs as golden files, files in and out."""

import json
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from playground.apiserver.faults import Action, Fault
from plugin.core.redact import LAST_APPLIED
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import Stage, compare, play, run

OUTPUTS = {"table": "txt", "json": "json"}
FINDINGS = [
    {
        "type": "ReversePathFilter",
        "subject": "eth1",
        "severity": "Warning",
        "message": "rp_filter is 1: sysctl -w net.ipv4.conf.eth1.rp_filter=2",
        "since": scenes.ago(timedelta(days=2, hours=2, minutes=30)),
    },
    {
        "type": "KernelFeatures",
        "subject": "IFA_PROTO",
        "severity": "Normal",
        "message": "this kernel stores no mark on addresses",
        "since": scenes.ago(timedelta(days=4, hours=1, minutes=30)),
    },
]


def event(name: str, reason: str, message: str, span: timedelta) -> Object:
    """Return an Event about shop/web."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "shop"},
        "involvedObject": {"kind": "Service", "namespace": "shop", "name": "web"},
        "type": "Normal",
        "reason": reason,
        "message": message,
        "source": {"component": "purelb-lbnodeagent"},
        "lastTimestamp": scenes.ago(span, "seconds"),
    }


def cluster() -> list[Object]:
    """Return the healthy cluster, with an endpoint, Events and findings."""
    sick = scenes.lease("node-b", scenes.FRONT, conditions=json.dumps(FINDINGS))
    kept = [one for one in scenes.healthy() if one is not scenes.LEASES[1]]
    day = timedelta(days=1, hours=1, minutes=10)
    return [
        *kept,
        sick,
        scenes.endpoints("shop/web", "node-a"),
        event("one", "AddressAssigned", "assigned 192.0.2.16 from pool default", 3 * day),
        event("two", "AnnouncingLocal", "node-b: 192.0.2.16 on eth0", day),
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("explain", ["explain", "shop/web"]),
        ("explain-remote", ["why", "api"]),
        ("doctor", ["doctor"]),
    ],
)
def test_outputs_look_as_their_golden_files_say(
    tmp_path: Path, name: str, words: list[str]
) -> None:
    """`why` is another name of `explain`."""

    async def work(stage: Stage) -> None:
        for output, suffix in OUTPUTS.items():
            result = await stage.run(*words, "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"{name}.{suffix}", result.out)

    play(tmp_path, cluster(), work)


def test_exit_codes_of_advice_are_on_request(tmp_path: Path) -> None:
    """A finding is no failure of the command."""

    async def work(stage: Stage) -> None:
        assert (await stage.run("doctor", "--exit-code")).code == 1
        assert (await stage.run("doctor", "--exit-code", "--node", "node-a")).code == 0
        assert (await stage.run("explain", "shop/web", "--exit-code")).code == 0
        assert (await stage.run("explain", "shop/api", "--exit-code")).code == 1

    play(tmp_path, cluster(), work)


def test_a_node_that_does_not_exist_cannot_be_examined(tmp_path: Path) -> None:
    """One line."""
    result = run(tmp_path, cluster(), "doctor", "--node", "nope")
    assert (result.code, result.err.count("\n")) == (1, 1)


def manifest(folder: Path, *groups: Object) -> str:
    """Write ServiceGroups to a file."""
    path = folder / "groups.yaml"
    path.write_text(yaml.safe_dump_all(groups))
    return str(path)


def test_a_diff_looks_as_its_golden_files_say(tmp_path: Path) -> None:
    """Stranded, moved, served and broken, all at once."""
    name = manifest(
        tmp_path,
        scenes.group("default", local={"v4pool": scenes.pool("192.0.2.17/32", "192.0.2.0/24")}),
        scenes.group("routed", remote={"v4pool": scenes.pool("203.0.113.4/30", "203.0.113.0/24")}),
        scenes.group("more", local={"v4pool": scenes.pool("192.0.2.17/32", "192.0.2.0/24")}),
    )

    async def work(stage: Stage) -> None:
        for output, suffix in OUTPUTS.items():
            result = await stage.run("diff", name, "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"diff.{suffix}", result.out)
        assert (await stage.run("diff", name, "--exit-code")).code == 1

    play(tmp_path, [*cluster(), scenes.service("shop/late")], work)


def test_a_diff_reads_lists_and_several_documents_also_from_a_pipe(tmp_path: Path) -> None:
    """As kubectl apply does; what is not a ServiceGroup does not matter to it."""
    range = scenes.pool("10.0.0.0/30", "10.0.0.0/24")
    one, two = (scenes.group(name, remote={"v4pool": range}) for name in ("one", "two"))
    listed = {"apiVersion": "v1", "kind": "List", "items": [scenes.agent(), two]}
    name = manifest(tmp_path, scenes.node("node-a"), listed, one)

    async def work(stage: Stage) -> None:
        result = await stage.shell(f"$P diff -o json - < {name}")
        assert (result.code, result.err) == (0, "")
        assert [row["group"] for row in result.json["groups"]] == ["two", "one"]

    play(tmp_path, scenes.healthy(), work)


NAMED = "apiVersion: purelb.io/v2\nkind: ServiceGroup\nmetadata: {name: a}\nspec: {}"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "is not YAML"),
        ("kind: Pod", "has no ServiceGroup"),
        ("apiVersion: purelb.io/v2\nkind: ServiceGroup\n", "without a name"),
        (
            "apiVersion: purelb.io/v2\nkind: ServiceGroup\nmetadata: {name: a}\nspec: {local: 1}",
            'ServiceGroup "a"',
        ),
        ("apiVersion: purelb.io/v2\nkind: ServiceGroup\nmetadata: [a]", "without a name"),
        (f"{NAMED}\n---\n{NAMED}", 'has ServiceGroup "purelb-system/a" more than once'),
        ("\udcff\udcff", "is not YAML"),
        ("a: 2026-13-45", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, what: str) -> None:
    """One line."""
    path = tmp_path / "groups.yaml"
    path.write_text(content, errors="surrogateescape")
    result = run(tmp_path, (), "diff", str(path))
    assert result.code == 1
    assert what in result.err
    assert result.err.count("\n") == 1


def test_a_bundle_has_objects_and_tells_its_gaps(tmp_path: Path) -> None:
    """Nobody but its owner may read it."""
    target = tmp_path / "bundle.tar.gz"

    async def work(stage: Stage) -> None:
        stage.server.faults.add(Fault(action=Action.FORBID, resources=frozenset({"nodes"})))
        result = await stage.run("support-bundle", "--file", str(target))
        assert result.code == 0
        assert "no Secret is read" in result.out

    play(tmp_path, cluster(), work)
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
        folder = archive.getnames()[0].partition("/")[0]
        gaps = archive.extractfile(f"{folder}/gaps.txt")
        assert gaps is not None
        assert b"nodes: " in gaps.read()
        events = archive.extractfile(f"{folder}/objects/events.json")
        assert events is not None
        assert len(json.load(events)) == 2
    assert "objects/services.json" in files
    assert "objects/nodes.json" not in files


SECRET = "hunter2"


def secretive() -> list[Object]:
    """Return objects with a secret wherever one may stand."""
    sidecar = scenes.pod("ipam-1", "ipam", env={"NETBOX_TOKEN": SECRET})
    sidecar["spec"]["containers"][0]["args"] = [f"--token={SECRET}"]
    peer = scenes.neighbor("203.0.113.7")
    peer["config"]["authPassword"] = SECRET
    key = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "purelb-heartbeat", "namespace": scenes.INSTALL},
        "stringData": {"key": SECRET},
    }
    url = {"example.com/ipam": f"https://jane:{SECRET}@ipam.example"}
    shown = scenes.service("shop/shown")
    shown["metadata"]["annotations"] |= url | {LAST_APPLIED: SECRET}
    return [*cluster(), sidecar, scenes.bgp_config(peer), key, shown]


def test_no_secret_is_in_a_bundle(tmp_path: Path) -> None:
    """Secrets are not even asked for; of other objects what may be one is hidden."""
    target = tmp_path / "bundle.tar.gz"

    async def work(stage: Stage) -> None:
        stage.server.requests.clear()
        assert (await stage.run("support-bundle", "--file", str(target))).code == 0
        assert stage.server.requests.total(client="operator", resource="secrets") == 0

    play(tmp_path, secretive(), work)
    with tarfile.open(target) as archive:
        files = [archive.extractfile(one) for one in archive.getmembers()]
        text = b"".join(one.read() for one in files if one is not None).decode()
    assert SECRET not in text
    for name in ("ipam-1", "203.0.113.7", "shown", "NETBOX_TOKEN"):
        assert name in text


def test_a_bundle_without_a_cluster_is_one_line(tmp_path: Path) -> None:
    """Nothing is written."""
    target = tmp_path / "bundle.tar.gz"
    result = run(tmp_path, (), "support-bundle", "-f", str(target), "-s", "http://127.0.0.1:1")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert not target.exists()
