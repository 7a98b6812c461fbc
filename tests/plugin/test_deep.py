"""`election`, `validate`, `inspect`: their outputs as golden files, and their exit codes."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import Stage, compare, play, run

OUTPUTS = {"table": "txt", "wide": "wide.txt", "json": "json", "yaml": "yaml"}
COMMANDS = {
    "election": ["election"],
    "election-drain": ["election", "--simulate-drain", "node-b"],
    "validate": ["validate"],
    "inspect-local": ["inspect", "shop/web"],
    "inspect-shared": ["inspect", "mail"],
    "inspect-remote": ["inspect", "shop/api"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_healthy_cluster_looks_as_its_golden_files_say(tmp_path: Path, name: str) -> None:
    """All formats; the namespace of a Service is the context's if none is given."""

    async def work(stage: Stage) -> None:
        for output, suffix in OUTPUTS.items():
            result = await stage.run(*COMMANDS[name], "-o", output)
            assert (result.code, result.err) == (0, "")
            compare(f"{name}.{suffix}", result.out)

    objects = [*scenes.healthy(), scenes.endpoints("shop/web", "node-a", "node-b")]
    play(tmp_path, objects, work)


def spoiled() -> list[Object]:
    """Return a cluster in which elections go wrong."""
    return [
        *scenes.namespaces(scenes.INSTALL, "shop"),
        *scenes.NODES,
        scenes.lease("node-a", scenes.FRONT),
        scenes.lease("node-b", scenes.FRONT, expired=timedelta(days=3, hours=4, minutes=30)),
        scenes.lease("node-c", scenes.BACK),
        scenes.ALLOCATOR,
        scenes.agent("x", nodeSelector={"matchLabels": {"zone": "front"}}, local={}),
        scenes.agent(
            "y",
            nodeSelector={"matchLabels": {"kubernetes.io/hostname": "node-a"}},
            local={"localInterface": "("},
        ),
        scenes.group("default", local={"v4pool": scenes.pool("10.0.0.0/30", "10.0.0.0/24")}),
        scenes.service("shop/web", "192.0.2.16", slots=("node-a,eth0,192.0.2.16",)),
        scenes.service("shop/late", annotations={"service-group": "nope"}),
    ]


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("election-spoiled", ["election"], 0),
        ("election-check", ["election", "--check"], 0),
        ("election-lost", ["election", "--simulate-drain", "node-a"], 0),
        ("validate-spoiled", ["validate"], 1),
        ("inspect-pending", ["inspect", "shop/late"], 0),
        ("inspect-mismatch", ["inspect", "shop/web"], 0),
    ],
)
def test_a_spoiled_cluster_looks_as_its_golden_files_say(
    tmp_path: Path, name: str, words: list[str], code: int
) -> None:
    """Only `validate` turns what it finds into an exit code."""

    async def work(stage: Stage) -> None:
        for output in ("table", "json"):
            result = await stage.run(*words, "-o", output)
            assert result.code == code
            compare(f"{name}.{OUTPUTS[output]}", result.out)

    play(tmp_path, spoiled(), work)


def test_a_check_without_problems_is_one_line(tmp_path: Path) -> None:
    """And with the option exit code, it is still 0."""
    result = run(tmp_path, scenes.healthy(), "election", "--check", "--exit-code")
    assert result.out == ("All 3 node(s) healthy, 3 subnet(s) covered, no problems detected\n")
    assert result.code == 0


def test_the_exit_code_of_a_check_is_on_request(tmp_path: Path) -> None:
    """Scripts for PureLB's plugin rely on 0."""

    async def work(stage: Stage) -> None:
        assert (await stage.run("election", "--check")).code == 0
        assert (await stage.run("election", "--check", "--exit-code")).code == 1

    play(tmp_path, spoiled(), work)


def test_validate_has_the_same_exit_code_in_every_format(tmp_path: Path) -> None:
    """A pipeline reads JSON."""

    async def work(stage: Stage) -> None:
        for output in ("table", "json", "yaml"):
            strict = await stage.run("validate", "--strict", "-o", output)
            plain = await stage.run("validate", "-o", output)
            assert (strict.code, plain.code) == (1, 0)
            assert strict.err.startswith("Error: validation failed (strict)")

    play(tmp_path, scenes.healthy(), work)


@pytest.mark.parametrize("words", ["shop/none", "none", "a/b/c", "/"])
def test_a_service_that_is_not_there_is_one_line(tmp_path: Path, words: str) -> None:
    """Whether it is misspelled or gone."""
    result = run(tmp_path, scenes.healthy(), "inspect", words)
    assert result.code == 1
    assert result.err.count("\n") == 1


def test_a_service_of_another_type_is_explained(tmp_path: Path) -> None:
    """It is not in the list of load-balancers."""
    plain = scenes.service("shop/plain", type="ClusterIP")
    result = run(tmp_path, [*scenes.healthy(), plain], "inspect", "shop/plain")
    assert ">>> NOT FOR PURELB: it is not of type LoadBalancer <<<" in result.out
