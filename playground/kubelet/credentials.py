"""What a Pod is given to speak with the API server: a token of its ServiceAccount, kept fresh.

The files of a Pod: `token`, which is replaced while the Pod runs, and `kubeconfig`, which names it.
"""

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any, NoReturn

from playground.kubelet.wire import Pod, decode_resources, decode_token
from purelb.runtime.credentials import Access
from purelb.runtime.errors import PurelbError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

SHORTEST = 600  # seconds: the API server issues no token for less
ROTATE_AT = 0.8  # of a token's life
RETRY_SECONDS = 1.0


class Issuer:
    """Issues tokens for Pods.

    A server without TokenRequest, such as the embedded one, knows clients by whatever token they
    send: Pods then send the name of their ServiceAccount.
    """

    def __init__(self, kube: Kube, access: Access, life_seconds: float) -> None:
        self._kube, self._access, self._life = kube, access, life_seconds
        self._has_requests: bool | None = None

    async def write(self, pod: Pod, folder: Path) -> Path:
        """Write a Pod's files for the first time; returns the kubeconfig's path."""
        await self.renew(pod, folder)
        body = json.dumps(_kubeconfig(self._access, pod))
        return _replace(folder / "kubeconfig", body)

    async def renew(self, pod: Pod, folder: Path) -> None:
        """Replace a Pod's token."""
        _replace(folder / "token", await self._token(pod))

    async def keep_fresh(self, pod: Pod, folder: Path) -> NoReturn:
        """Replace a Pod's token whenever most of its life is over."""
        delay = self._life * ROTATE_AT
        while True:
            await asyncio.sleep(delay)
            try:
                await self.renew(pod, folder)
                delay = self._life * ROTATE_AT
                logger.info("token of %s replaced", _account(pod))
            except PurelbError as error:
                delay = RETRY_SECONDS
                logger.warning("no new token for %s: %s", _account(pod), error)

    async def _token(self, pod: Pod) -> str:
        if self._has_requests is None:
            served = decode_resources(await self._kube.get("/api/v1")).resources
            self._has_requests = any(one.name == "serviceaccounts/token" for one in served)
        if not self._has_requests:
            return f"system:serviceaccount:{pod.metadata.namespace}:{_account(pod)}"
        meta = pod.metadata
        path = f"/api/v1/namespaces/{meta.namespace}/serviceaccounts/{_account(pod)}/token"
        reference = {"apiVersion": "v1", "kind": "Pod", "name": meta.name, "uid": meta.uid}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "expirationSeconds": max(SHORTEST, int(self._life)),
                "boundObjectRef": reference,
            },
        }
        return decode_token(await self._kube.post(path, body)).status.token


def _replace(path: Path, text: str) -> Path:
    """Write a file that is there as a whole or not at all, for our eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    return fresh.replace(path)


def _account(pod: Pod) -> str:
    return pod.spec.service_account_name or "default"


def _kubeconfig(access: Access, pod: Pod) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": access.server}
    if access.ca:
        cluster["certificate-authority-data"] = base64.b64encode(access.ca.encode()).decode()
    if access.is_insecure:
        cluster["insecure-skip-tls-verify"] = True
    name = f"system:serviceaccount:{pod.metadata.namespace}:{_account(pod)}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "api", "user": name}}],
        "clusters": [{"name": "api", "cluster": cluster}],
        "users": [{"name": name, "user": {"tokenFile": "token"}}],
    }
