"""`evacuate`, `uncordon` and `move`: what they write, what they refuse, and when they are done."""

import asyncio
from pathlib import Path

import pytest

from tests.plugin import scenes
from tests.plugin.stage import Stage, compare, play, run

NODE_B = scenes.NODES[1]
GONE = {"purelb.io/announcing-IPv4": "node-a,eth0,192.0.2.16", "purelb.io/announcing-IPv6": ""}


async def evacuated(stage: Stage) -> str | None:
    """Return what the Node says."""
    meta = (await stage.get(NODE_B))["metadata"]
    found: str | None = (meta.get("annotations") or {}).get("purelb.io/evacuate")
    return found


def test_evacuate_annotates_the_node_and_tells_who_gets_what(tmp_path: Path) -> None:
    """As its golden files say; `uncordon` takes it back."""

    async def work(stage: Stage) -> None:
        for output, suffix in (("table", "txt"), ("json", "json")):
            result = await stage.run("evacuate", "node-b", "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"evacuate.{suffix}", result.out)
        assert await evacuated(stage) == "true"
        shown = await stage.run("election")
        assert "note: node-b is evacuated; kubectl purelb uncordon node-b ends that" in shown.out
        result = await stage.run("uncordon", "node-b")
        assert (result.code, result.out) == (0, "node-b may announce addresses again\n")
        assert await evacuated(stage) is None

    play(tmp_path, scenes.healthy(), work)


def test_an_address_that_nobody_else_can_have_is_left_only_by_force(tmp_path: Path) -> None:
    """The refusal names it."""
    one = scenes.service("shop/far", "198.51.100.9", slots=("node-c,eth0,198.51.100.9",))

    async def work(stage: Stage) -> None:
        refused = await stage.run("evacuate", "node-c")
        assert refused.code == 1
        assert "such as 198.51.100.9 of shop/far" in refused.err
        forced = await stage.run("evacuate", "node-c", "--force")
        assert forced.code == 0
        compare("evacuate-stranded.txt", forced.out)

    play(tmp_path, [*scenes.healthy(), one], work)


NEAR = {"node-affinity": "service-endpoints"}


def test_heirs_are_those_that_affinity_prefers(tmp_path: Path) -> None:
    """The formula alone would give the address to another node, with either command."""
    third = scenes.lease("node-d", scenes.FRONT)
    plain = scenes.service("shop/near", "192.0.2.20", slots=("node-b,eth0,192.0.2.20",))
    near = scenes.service(
        "shop/near", "192.0.2.20", slots=("node-b,eth0,192.0.2.20",), annotations=NEAR
    )
    heirs: dict[str, str] = {}

    async def work(stage: Stage, name: str) -> None:
        leaving = (await stage.run("evacuate", "node-b", "-o", "json")).json["addresses"]
        heirs[name] = next(one["heir"] for one in leaving if one["ip"] == "192.0.2.20")
        await stage.annotate("shop/near", {"purelb.io/announce-node": "node-b"})
        back = (await stage.run("move", "192.0.2.20", "--back", "-o", "json")).json["addresses"]
        heirs[f"{name}, back"] = back[0]["heir"]

    base = [*scenes.healthy(), third]
    play(tmp_path, [*base, plain], lambda stage: work(stage, "formula"))
    other = {"node-a": "node-d", "node-d": "node-a"}[heirs["formula"]]
    given = [*base, near, scenes.endpoints("shop/near", other)]
    play(tmp_path, given, lambda stage: work(stage, "affinity"))
    assert heirs["affinity"] == heirs["affinity, back"] == other
    assert heirs["formula, back"] != other


def test_with_wait_it_returns_when_no_service_names_the_node(tmp_path: Path) -> None:
    """Not as long as one does."""

    async def work(stage: Stage) -> None:
        late = await stage.run("evacuate", "node-b", "--wait", "--timeout", "0s")
        assert late.code == 1
        assert "node-b still announces 3 address(es), such as 192.0.2.17 of shop/chat" in late.err
        waits = asyncio.create_task(stage.run("evacuate", "node-b", "--wait"))
        await stage.annotate("shop/web", GONE)
        for key in ("shop/mail", "shop/chat"):
            await stage.annotate(key, {"purelb.io/announcing-IPv4": ""})
        result = await waits
        assert result.code == 0
        assert "node-b is evacuated" in result.out

    play(tmp_path, scenes.healthy(), work)


MAIL = {"apiVersion": "v1", "kind": "Service", "metadata": scenes.MAIL["metadata"]}
CHAT = {"apiVersion": "v1", "kind": "Service", "metadata": scenes.CHAT["metadata"]}


async def named(stage: Stage, service: scenes.Object) -> str | None:
    """Return the node that a Service names."""
    keys = (await stage.get(service))["metadata"]["annotations"]
    found: str | None = keys.get("purelb.io/announce-node")
    return found


def test_move_lets_the_first_service_of_an_address_name_the_node(tmp_path: Path) -> None:
    """As the golden files say; the way back leaves no Service that names one."""

    async def work(stage: Stage) -> None:
        for output, suffix in (("table", "txt"), ("json", "json")):
            result = await stage.run("move", "192.0.2.17", "node-a", "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"move.{suffix}", result.out)
        assert (await named(stage, CHAT), await named(stage, MAIL)) == ("node-a", None)
        shown = await stage.run("explain", "shop/mail")
        assert "wins: its Service names it" in shown.out
        await stage.annotate("shop/mail", {"purelb.io/announce-node": "node-b"})
        back = await stage.run("move", "192.0.2.17", "--back")
        compare("move-back.txt", back.out)
        assert (await named(stage, CHAT), await named(stage, MAIL)) == (None, None)
        again = await stage.run("move", "192.0.2.17", "--back")
        assert again.out == "no Service names a node for it: nothing is changed\n"

    play(tmp_path, scenes.healthy(), work)


def test_a_move_beside_an_agent_that_knows_none_is_refused(tmp_path: Path) -> None:
    """That agent would go on announcing what its own election gives to it."""
    objects = [one for one in scenes.healthy() if one is not scenes.LEASES[1]]
    plain = scenes.lease("node-b", scenes.FRONT)
    del plain["metadata"]["annotations"]["purelb.io/announces"]
    result = run(tmp_path, [*objects, plain], "move", "192.0.2.16", "node-a")
    assert result.code == 1
    assert result.err.startswith("Error: node-b may announce 192.0.2.16, too, and runs an agent")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["evacuate", "node-z"], 'there is no Node "node-z"'),
        (["uncordon", "node-z"], 'there is no Node "node-z"'),
        (["evacuate", "node-b", "--wait", "--timeout", "soon"], "--timeout: "),
        (["move", "192.0.2.16"], "say to which NODE, or --back"),
        (["move", "192.0.2.16", "node-a", "--back"], "say to which NODE, or --back"),
        (["move", "nowhere", "node-a"], "'nowhere' "),
        (["move", "192.0.2.99", "node-a"], "no Service has 192.0.2.99 from us"),
        (["move", "203.0.113.0", "node-a"], "203.0.113.0 is remote: every node has it"),
        (["move", "192.0.2.16", "node-z"], "node-z cannot announce 192.0.2.16 (has no Lease"),
        (["move", "192.0.2.16", "node-c"], "node-c cannot announce 192.0.2.16 (none of its"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    tmp_path: Path, words: list[str], why: str
) -> None:
    """And the remedy is in it."""
    result = run(tmp_path, scenes.healthy(), *words)
    assert result.code == 1
    assert result.err.startswith(f"Error: {why}")
    assert result.err.count("\n") == 1
