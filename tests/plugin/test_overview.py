"""`status`, `pools`, `services`, `version`: tables and JSON as golden files, filters, checks."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import Stage, compare, play, run

OUTPUTS = {"table": "txt", "wide": "wide.txt", "json": "json", "yaml": "yaml"}
MINUTE = timedelta(minutes=1, seconds=30)


@pytest.mark.parametrize("command", ["status", "pools", "services", "version"])
def test_a_healthy_cluster_looks_as_its_golden_files_say(tmp_path: Path, command: str) -> None:
    """All formats of all commands."""

    async def work(stage: Stage) -> None:
        for output, suffix in OUTPUTS.items():
            result = await stage.run(command, "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"{command}.{suffix}", result.out)

    play(tmp_path, scenes.healthy(), work)


def spoiled() -> list[Object]:
    """Return a cluster in which nearly everything that `status` looks at is wrong."""
    return [
        *scenes.namespaces(scenes.INSTALL, "shop"),
        *scenes.NODES,
        scenes.lease("node-a", scenes.FRONT),
        scenes.lease("node-b", scenes.FRONT, expired=MINUTE),
        scenes.ALLOCATOR,
        scenes.pod("allocator-2", "allocator", ready=False),
        scenes.pod("lbnodeagent-a", "lbnodeagent", ready=False),
        scenes.agent("back", nodeSelector={"matchLabels": {"zone": "back"}}, local={}),
        scenes.agent(
            "front",
            nodeSelector={"matchLabels": {"kubernetes.io/hostname": "node-a"}},
            local={"localInterface": "["},
        ),
        scenes.group("default", local={"v4pool": scenes.pool("192.0.2.16/31", "192.0.2.0/24")}),
        scenes.group("twin", local={"v4pool": scenes.pool("192.0.2.17/32", "192.0.2.0/24")}),
        scenes.group("outside", external={"provider": "Netbox", "announce": "remote"}),
        scenes.group("lost", "shop", local={"v4pool": scenes.pool("10.0.0.0/24", "10.0.0.0/24")}),
        scenes.service("shop/one", "192.0.2.16", slots=("node-b,eth0,192.0.2.16",)),
        scenes.service("shop/two", "192.0.2.17"),
        scenes.service("shop/far", "10.9.9.9", pool="outside", via="remote"),
        scenes.service("shop/late"),
        scenes.service("shop/foreign", loadBalancerClass="example.com/other"),
    ]


@pytest.mark.parametrize("command", ["status", "pools", "services"])
def test_a_spoiled_cluster_looks_as_its_golden_files_say(tmp_path: Path, command: str) -> None:
    """What is wrong is marked, counted and named."""

    async def work(stage: Stage) -> None:
        for output in ("table", "wide", "json"):
            result = await stage.run(command, "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"{command}-spoiled.{OUTPUTS[output]}", result.out)

    play(tmp_path, spoiled(), work)


def test_only_the_option_exit_code_lets_problems_fail_a_command(tmp_path: Path) -> None:
    """Scripts for PureLB's plugin rely on 0."""

    async def work(stage: Stage) -> None:
        for command in ("status", "services"):
            assert (await stage.run(command)).code == 0
            result = await stage.run(command, "--exit-code")
            assert result.code == 1
            assert result.err.startswith("Error: ")

    play(tmp_path, spoiled(), work)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--pool", "routed"], ["api"]),
        (["--node", "node-b"], ["chat", "mail", "web", "web"]),
        (["--ip", "192.0.2.17"], ["chat", "mail"]),
        (["--ip", "2001:0DB8::100"], ["web"]),
        (["--service-namespace", "none"], []),
        (["--problems"], []),
        (["-A"], ["api", "chat", "mail", "web", "web"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_services_are_filtered(tmp_path: Path, options: list[str], names: list[str]) -> None:
    """Every filter alone."""
    result = run(tmp_path, scenes.healthy(), "services", "-o", "json", *options)
    assert [row["name"] for row in result.json["services"]] == names


def test_problems_are_all_rows_that_are_not_in_order(tmp_path: Path) -> None:
    """The counts follow the rows."""
    result = run(tmp_path, spoiled(), "services", "-o", "json", "--problems")
    found = {row["name"]: row["status"] for row in result.json["services"]}
    assert found == {
        "late": "PENDING",
        "one": "ANNOUNCER UNHEALTHY",
        "two": "NO ANNOUNCER",
    }
    assert result.json["problems"] == 3


def test_one_group_alone_has_totals_of_its_own(tmp_path: Path) -> None:
    """The totals are those of what is shown."""
    result = run(tmp_path, scenes.healthy(), "pools", "--service-group", "routed", "-o", "json")
    assert [group["name"] for group in result.json["serviceGroups"]] == ["routed"]
    assert (result.json["totalIPv4"], result.json["usedIPv4"]) == (8, 1)


def test_a_group_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """An empty table would look as if it had no ranges."""
    result = run(tmp_path, scenes.healthy(), "pools", "--service-group", "nope")
    assert result.code == 1
    assert result.err == 'Error: there is no ServiceGroup "nope" in purelb-system\n'


def test_the_holders_of_a_range_are_listed_on_request(tmp_path: Path) -> None:
    """One line for each Service below its range."""
    result = run(tmp_path, scenes.healthy(), "pools", "--show-services")
    compare("pools-services.txt", result.out)


def test_addresses_of_nodes_are_not_counted_as_available(tmp_path: Path) -> None:
    """The allocator never gives them to a Service."""
    around = scenes.group("near", local={"v4pool": scenes.pool("192.0.2.0/29", "192.0.2.0/24")})
    result = run(tmp_path, [*scenes.healthy(), around], "pools", "-o", "json")
    (near,) = (one for one in result.json["serviceGroups"] if one["name"] == "near")
    # Network address included, the two nodes' own excluded.
    assert near["ranges"][0]["size"] - near["ranges"][0]["available"] == 2


def test_another_install_namespace_is_looked_into_on_request(tmp_path: Path) -> None:
    """`-n` is where the suite is installed, not a namespace of Services."""
    objects = [*scenes.healthy(), scenes.group("other", "shop", local={})]
    result = run(tmp_path, objects, "-n", "shop", "pools", "-o", "json")
    assert "other" in [group["name"] for group in result.json["serviceGroups"]]


def test_without_a_default_announcer_services_without_a_class_do_not_wait(tmp_path: Path) -> None:
    """They are for another controller then."""
    objects = [one for one in scenes.healthy() if one is not scenes.ALLOCATOR]
    objects += [scenes.pod("allocator-1", "allocator"), scenes.service("shop/late")]
    assert run(tmp_path, objects, "services", "-o", "json").json["problems"] == 0


def test_a_watch_shows_what_changes(tmp_path: Path) -> None:
    """It is shown again without being asked."""

    async def work(stage: Stage) -> None:
        process = await stage.start("status", "--watch", "-o", "json")
        assert process.stdout is not None
        first = await process.stdout.readuntil(b"\n}\n")
        await stage.put(scenes.service("shop/late"))
        second = await process.stdout.readuntil(b"\n}\n")
        process.terminate()
        await process.communicate()
        assert b"WARNING" not in first
        assert b"1 service(s) pending" in second

    play(tmp_path, scenes.healthy(), work)
