"""Kubeconfig user and cluster → request headers and a TLS context.

Belongs here: tokens, certificates, and programs that fetch credentials (ExecCredential of
client.authentication.k8s.io). Does not: which user (`kubeconfig`), requests (`client`).
"""

import base64
import json
import os
import ssl
import subprocess
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
    return Login(headers=headers, groups=tuple(user.get("as-groups") or ()), tls=_tls(target, user))


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
        return Path(name).read_text()
    except OSError as error:
        raise PluginError(
            f"cannot read {name}, which the kubeconfig names: {error.strerror}"
        ) from error


def _asked(spec: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Run a credential program and return the user's keys that it answers with."""
    command = [spec["command"], *(spec.get("args") or ())]
    version = spec.get("apiVersion", "client.authentication.k8s.io/v1")
    info: dict[str, Any] = {
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {"interactive": False},
    }
    if spec.get("provideClusterInfo"):
        shown = (
            "server",
            "tls-server-name",
            "insecure-skip-tls-verify",
            "certificate-authority-data",
            "proxy-url",
        )
        info["spec"]["cluster"] = {k: target.cluster[k] for k in shown if k in target.cluster}
    extra = {entry["name"]: entry["value"] for entry in spec.get("env") or ()}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdout=subprocess.PIPE,
            timeout=EXEC_SECONDS,
            check=True,
        )
        status = json.loads(done.stdout)["status"]
    except FileNotFoundError as error:
        hint = spec.get("installHint") or "install it"
        raise PluginError(
            f"the kubeconfig logs in with {command[0]}, which is missing: {hint}"
        ) from error
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise PluginError(
            f"{command[0]}, which the kubeconfig logs in with, failed: {error}"
        ) from error
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
