"""Kubeconfig user and cluster → request headers and a TLS context.

Belongs here: tokens, certificates, and programs that fetch credentials (ExecCredential of
client.authentication.k8s.io). Does not: which user (`kubeconfig`), requests (`client`).
"""

import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin.core.problem import PluginError
from plugin.shell.kubeconfig import Target

EXEC_SECONDS = 120.0  # somebody may have to type a code


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What every request carries; `tls` is None for plain HTTP."""

    headers: Mapping[str, str]
    groups: tuple[str, ...]  # to act as: one header each
    tls: ssl.SSLContext | None


def log_in(target: Target) -> Login:
    """Return how to talk to the API server; PluginError if the credentials cannot be had."""
    user = dict(target.user)
    if "exec" in user:
        user |= _asked(user["exec"], target)
    if "auth-provider" in user:
        raise PluginError(
            "the kubeconfig logs in by auth-provider, which Kubernetes has removed;"
            " let your provider write one with exec"
        )
    headers = {}
    if (token := _token(user)) is not None:
        headers["Authorization"] = f"Bearer {token}"
    elif "username" in user:
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if user.get("as"):
        headers["Impersonate-User"] = str(user["as"])
    if user.get("as-uid"):
        headers["Impersonate-Uid"] = str(user["as-uid"])
    groups = tuple(str(group) for group in user.get("as-groups") or ())
    for text in (*headers.values(), *groups):
        if not text.isprintable():  # whose value may be a secret
            raise PluginError(
                "a token or name to log in with has a line break or another control character in"
                " it; correct the kubeconfig, or the option"
            )
    return Login(headers=headers, groups=groups, tls=_tls(target, user))


def _token(user: Mapping[str, Any]) -> str | None:
    if user.get("token"):
        return str(user["token"])
    if user.get("tokenFile"):
        return _read(user["tokenFile"]).strip()
    return None


def _tls(target: Target, user: Mapping[str, Any]) -> ssl.SSLContext | None:
    if not target.server.startswith("https:"):
        return None
    cluster = target.cluster
    try:
        authority = _content(cluster, "certificate-authority")
        context = ssl.create_default_context(cadata=authority)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
        if certificate and key:
            _load_pair(context, certificate, key)
    except (ssl.SSLError, ValueError) as error:
        raise PluginError(f"the kubeconfig's certificates cannot be used: {error}") from error
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # OpenSSL reads key pairs from files only; this one is for our eyes, and gone right after.
    handle, name = tempfile.mkstemp(prefix="kubectl-purelb-")
    try:
        with os.fdopen(handle, "w") as pair:
            pair.write(f"{certificate}\n{key}")
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _content(section: Mapping[str, Any], key: str) -> str | None:
    if (data := section.get(f"{key}-data")) is not None:
        return base64.b64decode(data).decode()
    return _read(section[key]) if section.get(key) else None


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise PluginError(
            f"cannot read {name}, which the kubeconfig names: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise PluginError(f"{name}, which the kubeconfig names, is no text file") from error


def _asked(spec: object, target: Target) -> dict[str, Any]:
    """Run a credential program and return the user's keys that it answers with."""
    if not isinstance(spec, Mapping) or not spec.get("command"):
        raise PluginError("the kubeconfig logs in with exec, but names no command there")
    program = str(spec["command"])
    try:
        status = _answer(program, spec, target)
    except FileNotFoundError as error:
        hint = spec.get("installHint") or "install it"
        raise PluginError(
            f"the kubeconfig logs in with {program}, which is missing: {hint}"
        ) from error
    except subprocess.CalledProcessError as error:
        raise _failed(program, f"exit code {error.returncode}") from error
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise _failed(program, str(error)) from error
    if not isinstance(status, dict):
        raise _failed(program, "its answer is no ExecCredential with a status")
    return _keys(status)


def _failed(program: str, why: str) -> PluginError:
    return PluginError(f"{program}, which the kubeconfig logs in with, failed: {why}")


def _answer(program: str, spec: Mapping[str, Any], target: Target) -> object:
    """Return the status of the ExecCredential that a program prints."""
    may_ask = spec.get("interactiveMode") != "Never" and bool(sys.stdin and sys.stdin.isatty())
    info = {
        "kind": "ExecCredential",
        "apiVersion": spec.get("apiVersion", "client.authentication.k8s.io/v1"),
        "spec": {"interactive": may_ask},
    }
    if spec.get("provideClusterInfo"):
        info["spec"]["cluster"] = _cluster_info(target.cluster)
    extra = {entry["name"]: entry["value"] for entry in spec.get("env") or ()}
    done = subprocess.run(
        [program, *(spec.get("args") or ())],
        env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        stdin=None if may_ask else subprocess.DEVNULL,  # which may be the file of `diff -`
        stdout=subprocess.PIPE,
        timeout=EXEC_SECONDS,
        check=True,
    )
    answer = json.loads(done.stdout)
    return answer.get("status") if isinstance(answer, dict) else None


def _cluster_info(cluster: Mapping[str, Any]) -> dict[str, Any]:
    shown = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    found = {key: cluster[key] for key in shown if key in cluster}
    authority = _content(cluster, "certificate-authority")
    if authority is not None:
        found["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
    return found


def _keys(status: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "token": "token",
        "clientCertificateData": "client-certificate",
        "clientKeyData": "client-key",
    }
    found: dict[str, Any] = {}
    for name, key in names.items():
        if status.get(name):
            text = str(status[name])
            found[key if key == "token" else f"{key}-data"] = (
                text if key == "token" else base64.b64encode(text.encode()).decode()
            )
    return found
