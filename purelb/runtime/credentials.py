"""How to reach the API server: in-cluster files, or a kubeconfig without exec plugins.

Reads files itself rather than through a client library: the node agent lives on every node, and a
client library would cost it more memory than everything else together.
"""

import base64
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from purelb.runtime.errors import SettingsError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_SECONDS = 60.0  # a rotated token is picked up after this; kubelets rotate long before expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server and what it wants to see of us. Contents are PEM or token texts."""

    server: str  # "https://192.0.2.2:6443"
    ca: str | None = None
    is_insecure: bool = False
    token_text: str | None = None
    token_file: Path | None = None
    certificate: str | None = None
    key: str | None = None

    def token(self) -> str | None:
        """Return the bearer token, read again from its file where it has one."""
        if self.token_file is not None:
            return self.token_file.read_text().strip()
        return self.token_text

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return what TLS needs; None for plain HTTP. Building it costs some 30 ms: keep it."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca)
        if self.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            # OpenSSL reads key pairs from files only; a memory file needs no writable directory.
            pair = os.memfd_create("client-certificate")
            try:
                os.write(pair, f"{self.certificate}\n{self.key}".encode())
                context.load_cert_chain(f"/proc/self/fd/{pair}")
            finally:
                os.close(pair)
        return context


class TokenSource:
    """The token of an `Access`, read at most once a minute."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._token: str | None = None
        self._read_at = -TOKEN_SECONDS

    def token(self) -> str | None:
        """Return the current token; raises OSError while there is none at all."""
        now = time.monotonic()
        if now - self._read_at >= TOKEN_SECONDS:
            try:
                self._token, self._read_at = self._access.token(), now
            except OSError:
                if self._token is None:
                    raise
                self._read_at = now - TOKEN_SECONDS / 2  # the old one is good for a while
        return self._token

    def forget(self) -> None:
        """Read the file again at the next call: the server refused the token."""
        self._read_at = -TOKEN_SECONDS


def find_access(kubeconfig: str, environment: Mapping[str, str]) -> Access:
    """Return the access of a kubeconfig's current context, or in-cluster access if it is empty.

    Raises SettingsError with a sentence that names the file.
    """
    if kubeconfig:
        return _from_kubeconfig(Path(kubeconfig))
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    if not host:
        raise SettingsError(
            "no API server: neither KUBECONFIG is set nor does this run in a cluster "
            "(KUBERNETES_SERVICE_HOST is missing)"
        )
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    shown = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{shown}:{port}",
        ca=_read(SERVICE_ACCOUNT / "ca.crt"),
        token_file=SERVICE_ACCOUNT / "token",
    )


def _from_kubeconfig(path: Path) -> Access:
    try:
        config = yaml.safe_load(_read(path))
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"] or {}
        server = cluster["server"]
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} is not a complete kubeconfig: {error!r}") from error
    if "exec" in user or "auth-provider" in user:
        raise SettingsError(f"{path}: logins by exec or auth-provider are not supported here")
    token_file = user.get("tokenFile")
    return Access(
        server=server.rstrip("/"),
        ca=_content(path, cluster, "certificate-authority"),
        is_insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
        token_text=user.get("token"),
        token_file=path.parent / token_file if token_file else None,
        certificate=_content(path, user, "client-certificate"),
        key=_content(path, user, "client-key"),
    )


def _named(config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    for entry in config[kind]:
        if entry["name"] == name:
            found: Mapping[str, Any] = entry
            return found
    raise KeyError(f"{kind}: {name}")


def _content(path: Path, section: Mapping[str, Any], key: str) -> str | None:
    if (data := section.get(f"{key}-data")) is not None:
        return base64.b64decode(data).decode()
    if (name := section.get(key)) is not None:
        return _read(path.parent / name)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
