"""Whatever goes wrong, a user reads one line that says what to do."""

import signal
import socket
from pathlib import Path

import pytest
import yaml

from playground.apiserver.faults import Action, Fault
from playground.apiserver.kinds import CollectionName
from playground.apiserver.managers import Trail
from tests.plugin import scenes
from tests.plugin.stage import Result, Stage, play, run

COMMANDS = ("status", "pools", "services", "version")


def spoil(stage: Stage, collection: str, name: str, spec: object) -> None:
    """Store what no API server would admit today: an object from before its schema."""
    found = stage.server.store.collection(CollectionName(collection))
    item = found.items[scenes.INSTALL, name]
    found.put(item.key, {**item.obj, "spec": spec}, Trail())


def one_line(text: str) -> str:
    """Return the only line of an error."""
    (line,) = text.splitlines()
    assert line.startswith("Error: ")
    return line


def test_without_a_cluster_the_address_and_the_context_are_named(tmp_path: Path) -> None:
    """Nothing listens there; `version` still knows its own."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

        async def work(stage: Stage) -> None:
            for command in COMMANDS:
                result = await stage.run(command, "-s", f"http://127.0.0.1:{port}")
                assert result.code == (0 if command == "version" else 1)
                assert f"127.0.0.1:{port} (Connection refused)" in result.err
                assert "Traceback" not in result.err

        play(tmp_path, (), work)


def test_without_the_right_to_list_services_it_is_named(tmp_path: Path) -> None:
    """The line has the command that checks the right."""

    async def work(stage: Stage) -> None:
        stage.server.faults.add(Fault(action=Action.FORBID, resources=frozenset({"services"})))
        result = await stage.run("status")
        assert result.code == 1
        assert "kubectl auth can-i list services -A" in one_line(result.err)

    play(tmp_path, scenes.healthy(), work)


def test_what_is_only_wished_for_may_be_missing(tmp_path: Path) -> None:
    """The answer comes nevertheless, and says what it had to do without."""

    async def work(stage: Stage) -> None:
        stage.server.faults.add(Fault(action=Action.FORBID, resources=frozenset({"pods", "nodes"})))
        result = await stage.run("status")
        assert result.code == 0
        warnings = sorted(line.split(":")[1] for line in result.err.splitlines())
        assert warnings == [" without nodes", " without pods"]

    play(tmp_path, scenes.healthy(), work)


def test_a_cluster_without_purelb_is_told_apart_from_an_old_one(tmp_path: Path) -> None:
    """Both answer 404 to the list; what helps is not the same."""

    async def without(stage: Stage) -> None:
        result = await stage.run("pools")
        assert result.code == 1
        assert "PureLB is not installed there" in one_line(result.err)

    async def old(stage: Stage) -> None:
        crd = yaml.safe_load((Path("crds") / "servicegroups.purelb.io.yaml").read_text())
        (version,) = crd["spec"]["versions"]
        version["name"] = "v1"
        await stage.put(crd)
        result = await stage.run("pools")
        assert result.code == 1
        assert "serves purelb.io/v1" in one_line(result.err)

    play(tmp_path, (), without, crds=None)
    play(tmp_path, (), old, crds=None)


def test_a_half_broken_object_is_named_and_left_out(tmp_path: Path) -> None:
    """One object that does not decode must not hide all others."""

    async def work(stage: Stage) -> None:
        broken = scenes.group("odd", local={"v4pool": scenes.pool("192.0.2.99/32", "192.0.2.0/24")})
        await stage.put(broken)
        spoil(stage, "servicegroups.purelb.io", "odd", {"local": "nonsense"})
        result = await stage.run("pools", "-o", "json")
        assert result.code == 0
        assert result.err.startswith("Warning: without servicegroups purelb-system/odd: ")
        names = [group["name"] for group in result.json["serviceGroups"]]
        assert names == ["default", "routed"]

    play(tmp_path, scenes.healthy(), work)


def test_a_server_that_is_none_of_kubernetes_is_no_traceback(tmp_path: Path) -> None:
    """A login page or a proxy may answer anything."""

    async def work(stage: Stage) -> None:
        result = await stage.run("status", "-s", f"{stage.server.url}/nowhere")
        assert result.code == 1
        one_line(result.err)

    play(tmp_path, (), work)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "is not a kubeconfig"),
        ("- a", "is not a kubeconfig"),
        ("\udcff\udcff", "is not a kubeconfig"),
        ("current-context: [a]", "does not exist"),
        ("current-context: gone", 'current context "gone" does not exist'),
        ("", "no cluster is configured"),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: y}}]",
            'has no cluster "y"',
        ),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: y}}]\n"
            "clusters: [{name: y, cluster: {server: 'ftp://y'}}]",
            "is not an http(s) URL",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str, what: str) -> None:
    """The file, or what is missing in it, is named."""
    path = tmp_path / "other"
    path.write_text(content, errors="surrogateescape")
    result = run(tmp_path, (), "status", "--kubeconfig", str(path))
    assert result.code == 1
    assert what in one_line(result.err)


def test_credentials_that_are_refused_ask_for_a_login(tmp_path: Path) -> None:
    """401 is what an expired token gets."""

    async def work(stage: Stage) -> None:
        stage.server.faults.add(Fault(action=Action.FAIL, code=401))
        result = await stage.run("status")
        assert "log in again" in one_line(result.err)

    play(tmp_path, (), work)


def test_an_answer_that_never_comes_ends_after_the_timeout(tmp_path: Path) -> None:
    """The line names the option that waits longer."""

    async def work(stage: Stage) -> None:
        stage.server.faults.add(Fault(action=Action.HANG))
        result = await stage.run("status", "--request-timeout", "200ms")
        assert "--request-timeout" in one_line(result.err)

    play(tmp_path, (), work)


@pytest.mark.parametrize("words", [["nope"], ["status", "--nope"], ["pools", "-o", "xml"]])
def test_a_wrong_command_line_is_one_line(tmp_path: Path, words: list[str]) -> None:
    """Not click's usage of several lines, and not its exit code 2."""
    result = run(tmp_path, (), *words)
    assert result.code == 1
    one_line(result.err)


def test_what_cannot_be_a_name_is_a_mistake(tmp_path: Path) -> None:
    """Not a server that is out of reach, nor an object of another path."""

    async def work(stage: Stage) -> None:
        for namespace in ("foo bar", "Größe", "a/b", "-"):
            result = await stage.run("status", "-n", namespace)
            assert f'"{namespace}" is no name of a namespace' in one_line(result.err)
        for service in ("shop/", "/web", "/", "a/b/c", "we b/web", "Größe/web", "../web", ""):
            result = await stage.run("inspect", service)
            assert f'"{service}" is no Service; write NAMESPACE/NAME' in one_line(result.err)

    play(tmp_path, scenes.healthy(), work)


def shell(folder: Path, script: str) -> Result:
    """Run a line of shell in which $P is the command line, in a healthy cluster."""
    results: list[Result] = []

    async def work(stage: Stage) -> None:
        results.append(await stage.shell(script))

    play(folder, scenes.healthy(), work)
    return results[0]


def test_letters_that_a_locale_lacks_are_spelled(tmp_path: Path) -> None:
    """A cron job has no UTF-8."""

    async def work(stage: Stage) -> None:
        await stage.annotate("shop/web", {"purelb.io/allow-shared-ip": "Grüße"})
        result = await stage.run("services", PYTHONIOENCODING="ascii")
        assert (result.code, result.err) == (0, "")
        assert "Gr\\xfc\\xdfe" in result.out

    play(tmp_path, scenes.healthy(), work)


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`| head` closes the pipe."""
    found = shell(tmp_path, "set -o pipefail; $P services -o json | head -c 3")
    assert (found.code, found.out, found.err) == (0, "{\n ", "")


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """Whatever the output is written to."""
    found = shell(tmp_path, "$P status > /dev/full")
    assert (found.code, found.err) == (
        1,
        "Error: cannot write the output: No space left on device\n",
    )


def test_without_a_command_the_help_is_shown(tmp_path: Path) -> None:
    """As kubectl does it, with exit code 0."""
    result = run(tmp_path, ())
    assert (result.code, result.err) == (0, "")
    assert "Commands:" in result.out


def test_an_interrupted_watch_ends_quietly(tmp_path: Path) -> None:
    """Ctrl-C is how it is meant to end."""

    async def work(stage: Stage) -> None:
        process = await stage.start("status", "--watch")
        assert process.stdout is not None
        await process.stdout.readuntil(b"Overall: OK\n")
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert (process.returncode, err.strip()) == (130, b"")

    play(tmp_path, scenes.healthy(), work)
