"""Which API server, as whom: the kubeconfig files merged and overridden as kubectl does it.

Rules: the files of KUBECONFIG, else ~/.kube/config; the first to name a context, cluster or user
wins, and the first current-context; `--kubeconfig` stands for all of them; without any the files of
a Pod (k8s.io/client-go/tools/clientcmd).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plugin.core.problem import PluginError

IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
Section = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Flags:
    """What the command line says; empty where it says nothing."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    server: str = ""
    token: str = ""
    namespace: str = ""
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    request_timeout: str = ""
    act_as: str = ""
    act_as_uid: str = ""
    act_as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One API server and the parts of the kubeconfig that say how to talk to it.

    `cluster` and `user` have the kubeconfig's own keys; relative file names are made absolute.
    `namespace` is the context's.
    """

    server: str
    cluster: Section = field(default_factory=dict)
    user: Section = field(default_factory=dict)
    namespace: str = "default"
    context: str = ""


def find_target(flags: Flags, environment: Mapping[str, str]) -> Target:
    """Return the API server that flags, files and environment name; PluginError if none is."""
    config = _merged(_files(flags, environment), is_explicit=bool(flags.kubeconfig))
    name = flags.context or config.current
    context = config.contexts.get(name)
    if context is None:
        if flags.context:
            known = ", ".join(sorted(config.contexts)) or "none"
            raise PluginError(f'there is no context "{name}" in the kubeconfig; it has: {known}')
        if name:
            raise PluginError(
                f'the current context "{name}" does not exist; choose one:'
                " kubectl config use-context NAME"
            )
        if not flags.server and not config.contexts:
            return _in_pod(environment)
        context = {}
    cluster = dict(_part(config.clusters, flags.cluster or context.get("cluster"), "cluster"))
    user = dict(_part(config.users, flags.user or context.get("user"), "user"))
    _override(cluster, user, flags)
    server = flags.server or cluster.get("server")
    if not server:
        raise PluginError(
            "no API server is known: set KUBECONFIG, or choose a context with"
            " kubectl config use-context NAME"
        )
    return Target(
        server=str(server).rstrip("/"),
        cluster=cluster,
        user=user,
        namespace=str(context.get("namespace") or "default"),
        context=name,
    )


@dataclass(slots=True)
class _Config:
    current: str = ""
    contexts: dict[str, Section] = field(default_factory=dict)
    clusters: dict[str, Section] = field(default_factory=dict)
    users: dict[str, Section] = field(default_factory=dict)


def _files(flags: Flags, environment: Mapping[str, str]) -> list[Path]:
    if flags.kubeconfig:
        return [Path(flags.kubeconfig).expanduser()]
    listed = [text for text in environment.get("KUBECONFIG", "").split(os.pathsep) if text]
    if listed:
        return [Path(text) for text in listed]
    return [Path(environment.get("HOME") or Path.home()) / ".kube" / "config"]


def _merged(files: list[Path], *, is_explicit: bool) -> _Config:
    config = _Config()
    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            if is_explicit:
                raise PluginError(f"there is no kubeconfig {path}; correct --kubeconfig") from error
            continue
        except OSError as error:
            raise PluginError(f"cannot read the kubeconfig {path}: {error.strerror}") from error
        try:
            _add(config, path, yaml.load(content, _LOADER) or {})
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise PluginError(f"{path} is not a kubeconfig: {_short(error)}") from error
    return config


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CERTIFICATES = (
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
)
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def _add(config: _Config, path: Path, document: Section) -> None:
    config.current = config.current or str(document.get("current-context") or "")
    for kind, key, into in (
        ("contexts", "context", config.contexts),
        ("clusters", "cluster", config.clusters),
        ("users", "user", config.users),
    ):
        for entry in document.get(kind) or ():
            found = dict(entry.get(key) or {})
            for name in _FILES:
                if found.get(name):
                    found[name] = str(path.parent / found[name])
            if os.sep in (program := _program(found)):  # others are looked for in PATH
                found["exec"] = {**found["exec"], "command": str(path.parent / program)}
            into.setdefault(entry["name"], found)


def _program(user: Section) -> str:
    spec = user.get("exec")
    return str(spec.get("command") or "") if isinstance(spec, dict) else ""


def _part(parts: Mapping[str, Section], name: str | None, what: str) -> Section:
    if not name:
        return {}
    if name not in parts:
        known = ", ".join(sorted(parts)) or "none"
        raise PluginError(f'the kubeconfig has no {what} "{name}"; it has: {known}')
    return parts[name]


def _override(cluster: dict[str, Any], user: dict[str, Any], flags: Flags) -> None:
    for value, into, key in (
        (flags.certificate_authority, cluster, "certificate-authority"),
        (flags.tls_server_name, cluster, "tls-server-name"),
        (flags.client_certificate, user, "client-certificate"),
        (flags.client_key, user, "client-key"),
        (flags.token, user, "token"),
        (flags.act_as, user, "as"),
        (flags.act_as_uid, user, "as-uid"),
        (flags.act_as_groups, user, "as-groups"),
    ):
        if value:
            into[key] = value
            into.pop(f"{key}-data", None)
    if flags.insecure_skip_tls_verify:
        cluster["insecure-skip-tls-verify"] = True
    if flags.token:
        # A certificate would count before the token: whoever gives one means to be somebody else.
        for key in ("tokenFile", "exec", *_CERTIFICATES):
            user.pop(key, None)


def _in_pod(environment: Mapping[str, str]) -> Target:
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    if not host:
        raise PluginError(
            "no cluster is configured: there is no kubeconfig; set KUBECONFIG or --kubeconfig"
        )
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    shown = f"[{host}]" if ":" in host else host
    return Target(
        server=f"https://{shown}:{port}",
        cluster={"certificate-authority": str(IN_POD / "ca.crt")},
        user={"tokenFile": str(IN_POD / "token")},
        context="in-cluster",
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def context_names(flags: Flags, environment: Mapping[str, str]) -> list[str]:
    """Return the names of all contexts, sorted."""
    config = _merged(_files(flags, environment), is_explicit=bool(flags.kubeconfig))
    return sorted(config.contexts)
