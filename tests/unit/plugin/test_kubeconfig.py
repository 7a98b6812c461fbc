"""Which API server and which user: kubeconfig files, flags, environment."""

import base64
import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from plugin.core.problem import PluginError
from plugin.shell.kubeconfig import Flags, Target, context_names, find_target
from plugin.shell.login import log_in


def write(path: Path, name: str, **more: object) -> Path:
    """Write a kubeconfig with one context, all of whose parts have the same name."""
    content = {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443/"}}],
        "users": [{"name": name, "user": {"token": f"token-{name}"}}],
        **more,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def found(flags: Flags, **environment: object) -> Target:
    """Return the target of an environment."""
    return find_target(flags, {key: str(value) for key, value in environment.items()})


def test_the_first_file_decides_and_the_others_add(tmp_path: Path) -> None:
    """KUBECONFIG is a list, as PATH is; files that are missing do not matter."""
    one, two = write(tmp_path / "1", "one"), write(tmp_path / "2", "two")
    listed = f"{one}:{tmp_path / 'none'}:{two}"
    assert found(Flags(), KUBECONFIG=listed).server == "https://one:6443"
    assert found(Flags(context="two"), KUBECONFIG=listed).user["token"] == "token-two"
    assert context_names(Flags(), {"KUBECONFIG": listed}) == ["one", "two"]


def test_without_a_variable_the_file_at_home_counts(tmp_path: Path) -> None:
    """~/.kube/config."""
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube" / "config", "home")
    assert found(Flags(), HOME=tmp_path).server == "https://home:6443"


def test_flags_override_the_parts_of_a_context(tmp_path: Path) -> None:
    """Each part alone."""
    path = write(tmp_path / "1", "one")
    flags = Flags(server="http://other", token="mine", act_as="jane", act_as_groups=("a", "b"))
    target = found(flags, KUBECONFIG=path)
    login = log_in(target)
    assert target.server == "http://other"
    assert login.headers == {"Authorization": "Bearer mine", "Impersonate-User": "jane"}
    assert login.groups == ("a", "b")


def test_a_token_on_the_command_line_counts_before_certificates(tmp_path: Path) -> None:
    """The server would take the certificate first, and its owner for the caller."""
    user = {"name": "one", "user": {"client-certificate-data": "a", "client-key-data": "b"}}
    path = write(tmp_path / "1", "one", users=[user])
    assert found(Flags(token="mine"), KUBECONFIG=path).user == {"token": "mine"}


def test_files_are_found_beside_the_kubeconfig_that_names_them(tmp_path: Path) -> None:
    """A relative name is relative to the file it stands in."""
    (tmp_path / "secret").write_text("from a file\n")
    user = {"name": "one", "user": {"tokenFile": "secret"}}
    path = write(tmp_path / "1", "one", users=[user])
    target = found(Flags(server="http://one"), KUBECONFIG=path)
    assert log_in(target).headers["Authorization"] == "Bearer from a file"


def test_a_program_with_a_path_is_found_beside_its_kubeconfig(tmp_path: Path) -> None:
    """One without a path is looked for in PATH."""
    users = [
        {"name": "one", "user": {"exec": {"command": "bin/login"}}},
        {"name": "two", "user": {"exec": {"command": "login"}}},
    ]
    path = write(tmp_path / "1", "one", users=users)
    beside = found(Flags(), KUBECONFIG=path).user["exec"]["command"]
    in_path = found(Flags(user="two"), KUBECONFIG=path).user["exec"]["command"]
    assert (beside, in_path) == (str(tmp_path / "bin" / "login"), "login")


def test_in_a_pod_the_service_account_is_used(tmp_path: Path) -> None:
    """The support bundle may be made in the cluster."""
    environment = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1"}
    target = find_target(Flags(), environment)
    assert target.server == "https://[fd00::1]:443"


def test_a_program_may_bring_the_token(tmp_path: Path) -> None:
    """ExecCredential of client.authentication.k8s.io/v1."""
    program = tmp_path / "login.py"
    program.write_text(
        "import json, os\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "token = info['apiVersion'] + os.environ['EXTRA']\n"
        "print(json.dumps({'status': {'token': token}}))\n"
    )
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program)],
        "env": [{"name": "EXTRA", "value": "-x"}],
    }
    login = log_in(Target(server="http://one", user={"exec": spec}))
    assert login.headers["Authorization"] == "Bearer client.authentication.k8s.io/v1-x"


@pytest.mark.parametrize(
    ("user", "what"),
    [
        ({"exec": {"command": "/nonexistent", "installHint": "get it"}}, "missing: get it"),
        ({"exec": {"command": "/bin/false"}}, "/bin/false, which the kubeconfig logs in with"),
        ({"exec": {"command": "/bin/echo", "args": ["no json"]}}, "failed"),
        ({"exec": {"command": "/bin/false"}}, "failed: exit code 1"),
        ({"exec": {"command": "/bin/echo", "args": ["[]"]}}, "is no ExecCredential"),
        ({"exec": {"command": "/bin/echo", "args": ["{}"]}}, "is no ExecCredential"),
        ({"exec": {"args": ["a"]}}, "names no command"),
        ({"exec": "login"}, "names no command"),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider"),
        ({"tokenFile": "/nonexistent"}, "cannot read /nonexistent"),
        ({"tokenFile": sys.executable}, "is no text file"),
    ],
)
def test_a_login_that_fails_is_named(user: dict[str, object], what: str) -> None:
    """One sentence, no traceback."""
    with pytest.raises(PluginError, match=what):
        log_in(Target(server="http://one", user=user))


@pytest.mark.parametrize(
    "user", [{"token": "geheim\nX: y"}, {"token": "a", "as": "\x1b[2J"}, {"as-groups": ["a\r"]}]
)
def test_a_line_break_in_a_login_is_named_without_the_login(user: dict[str, object]) -> None:
    """It would be a second header; a token is nothing to print."""
    with pytest.raises(PluginError, match="control character") as caught:
        log_in(Target(server="http://one", user=user))
    assert "geheim" not in str(caught.value)


ECHO = """
import base64, json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])["spec"]
told = json.dumps({**info, "typed": sys.stdin.read()}).encode()
print(json.dumps({"status": {"token": base64.b64encode(told).decode()}}))
"""


def told(user: dict[str, object], **cluster: object) -> dict[str, object]:
    """Return what a program of a login is told, and what it reads."""
    login = log_in(Target(server="http://one", cluster=cluster, user=user))
    text = base64.b64decode(login.headers["Authorization"].removeprefix("Bearer "))
    found: dict[str, object] = json.loads(text)
    return found


def test_a_program_reads_nothing_that_is_meant_for_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would swallow the file of `diff -`."""
    (tmp_path / "pools.yaml").write_text("kind: ServiceGroup")
    with (tmp_path / "pools.yaml").open() as given:
        before = os.dup(0)
        os.dup2(given.fileno(), 0)
        monkeypatch.setattr(sys, "stdin", given)
        try:
            found = told({"exec": {"command": sys.executable, "args": ["-c", ECHO]}})
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert found == {"interactive": False, "typed": ""}


def test_a_program_is_told_of_the_cluster_if_it_wants(tmp_path: Path) -> None:
    """With the authority's certificate itself, wherever it stands."""
    (tmp_path / "ca").write_text("PEM")
    spec = {"command": sys.executable, "args": ["-c", ECHO], "provideClusterInfo": True}
    found = told(
        {"exec": spec}, **{"server": "http://one", "certificate-authority": str(tmp_path / "ca")}
    )
    assert found["cluster"] == {
        "server": "http://one",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }


def test_a_password_is_sent_as_http_has_it() -> None:
    """Old clusters and proxies."""
    login = log_in(Target(server="http://one", user={"username": "a", "password": "b"}))
    assert login.headers["Authorization"] == f"Basic {base64.b64encode(b'a:b').decode()}"


def test_certificates_that_are_none_are_named() -> None:
    """A truncated kubeconfig is a frequent cause."""
    data = base64.b64encode(b"no certificate").decode()
    target = Target(server="https://one", cluster={"certificate-authority-data": data})
    with pytest.raises(PluginError, match="certificates cannot be used"):
        log_in(target)
