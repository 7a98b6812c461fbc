"""The real control plane as the playground sees it: Kubernetes' own programs in the world.

Belongs here: what exists when. Does not: how it is started (`commands`), who is who (`identities`).
"""

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.api import Api, ApiError, path_of
from playground.controlplane import commands
from playground.controlplane.binaries import BUILD, find, missing
from playground.controlplane.certificates import (
    AUTHORITY,
    Authority,
    private_pem,
    public_pem,
    signing_key,
    write_secret,
)
from playground.controlplane.echo import echo_pod
from playground.controlplane.identities import (
    ADMINISTRATORS,
    NODES,
    SERVICE_ACCOUNTS,
    ServiceAccount,
    User,
    identity,
)
from playground.daemons import Kubeconfig
from playground.nodes import INSTALL_NAMESPACE
from playground.plane import Step, Workload
from playground.pods import NAMESPACE, pods
from playground.state import CHECKOUT, INSIDE, Paths
from playground.topology import API_PORT, Topology

RIGHTS = CHECKOUT / "deploy/rbac.yaml"
TOKEN_SECONDS = 30 * 24 * 3600
SERVED_SECONDS = 20.0
POLL_SECONDS = 0.02
KUBELET = "kubelet-"  # and the name of its node
COMPONENTS = ("kube-controller-manager", "kube-scheduler", "kube-proxy")


@dataclass(frozen=True, slots=True)
class Real:
    """etcd, API server, controllers and scheduler; a kube-proxy and a kubelet on each node.

    A node that is silent for `node_grace_seconds` is not ready.
    """

    topology: Topology
    node_grace_seconds: float

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://{self.topology.control.main.v4.ip}:{API_PORT}"

    def complaints(self) -> tuple[str, ...]:
        """Return a sentence if programs are missing."""
        if names := missing(os.environ):
            return (f"a real control plane needs {', '.join(names)}: run `{BUILD}` once",)
        return ()

    def prepare(self, paths: Paths) -> None:
        """Make the certificates, and the kubeconfigs of the components."""
        folder = paths.certificates
        authority = Authority.create()
        authority.pair.write(folder, AUTHORITY)
        authority.server("control", self._hosts()).write(folder, "server")
        client = authority.client("kube-apiserver-kubelet-client", (ADMINISTRATORS,))
        client.write(folder, "kubelet-client")
        key = signing_key()
        write_secret(folder / "service-accounts.key", private_pem(key))
        (folder / "service-accounts.pub").write_text(public_pem(key))
        self._files.audit_policy.write_text(json.dumps(commands.AUDIT_POLICY))
        kubelets = (f"{KUBELET}{machine.name}" for machine in self.topology.nodes)
        for component in (*COMPONENTS, *kubelets):
            self.kubeconfig(paths, component)

    def servers(self) -> Sequence[Step]:
        """Return etcd and the API server."""
        return commands.etcd(self._files), commands.apiserver(self._files, self.topology.control)

    def clients(self) -> Sequence[Step]:
        """Return controllers, scheduler and proxies."""
        return (
            commands.controller_manager(self._files, self.node_grace_seconds),
            commands.scheduler(self._files),
            *(commands.proxy(self._files, machine) for machine in self.topology.nodes),
            *(commands.kubelet(self._files, machine) for machine in self.topology.nodes),
        )

    def tls(self, paths: Paths) -> ssl.SSLContext:
        """Return what connects as an administrator by the name of `playground`."""
        authority = Authority.load(paths.certificates)
        context = ssl.create_default_context(cadata=authority.pair.certificate)
        # OpenSSL reads key pairs from files only.
        authority.client("playground", (ADMINISTRATORS,)).write(paths.certificates, "playground")
        certificate, key = (paths.certificates / f"playground.{end}" for end in ("crt", "key"))
        context.load_cert_chain(certificate, key)
        return context

    async def install(self, api: Api, paths: Paths) -> None:
        """Create the custom resources, the rights and the ServiceAccounts, with their tokens."""
        for path in sorted((CHECKOUT / "crds").glob("*.yaml")):
            await api.apply_file(path)
        if RIGHTS.exists():
            await api.apply_file(RIGHTS)
        for account in SERVICE_ACCOUNTS:
            await self._write_token(api, paths, account)
        async with asyncio.timeout(SERVED_SECONDS):
            for kind in ("ServiceGroup", "LBNodeAgent"):
                await _wait_there(api, path_of(kind))
            # Without it no Pod can be created.
            await _wait_there(api, path_of("ServiceAccount", NAMESPACE, "default"))

    def kubeconfig(self, paths: Paths, client: str) -> Path:
        """Write the kubeconfig of a client: a ServiceAccount's token or a new certificate."""
        authority = Authority.load(paths.certificates)
        cluster = {
            "server": self.url,
            "certificate-authority-data": _base64(authority.pair.certificate),
        }
        match identity(client):
            case ServiceAccount(name=name):
                user = {"tokenFile": str(Paths(INSIDE).tokens / name)}
            case User(name=name, groups=groups):
                pair = authority.client(name, groups, self._served_by(client, groups))
                user = {
                    "client-certificate-data": _base64(pair.certificate),
                    "client-key-data": _base64(pair.key),
                }
        return paths.write_kubeconfig(client, cluster, user)

    def kubectl(self) -> str:
        """Return the one that belongs to the API server, if there is a choice."""
        return str(find("kubectl", os.environ))

    def workload(
        self, kubeconfig: Kubeconfig, *, pods_per_node: int, grace_seconds: float
    ) -> Workload:
        """Return the echo pods; kubelets run them, controllers and proxies lead to them."""
        found = pods(self.topology, pods_per_node)
        return Workload(objects=tuple(echo_pod(pod, grace_seconds) for pod in found))

    async def _write_token(self, api: Api, paths: Paths, account: ServiceAccount) -> None:
        meta = {"name": account.name, "namespace": INSTALL_NAMESPACE}
        await api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        path = path_of("ServiceAccount", INSTALL_NAMESPACE, account.name)
        answer = await api.post(f"{path}/token", body)
        write_secret(paths.tokens / account.name, answer["status"]["token"])

    def _served_by(self, client: str, groups: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses at which a client is a server too, as a kubelet is."""
        if NODES not in groups:
            return ()
        nic = self.topology.node(client.removeprefix(KUBELET)).main
        return str(nic.v4.ip), str(nic.v6.ip), "127.0.0.1"

    def _hosts(self) -> tuple[str, ...]:
        nic = self.topology.control.main
        names = ("localhost", "kubernetes.default.svc")
        return (str(nic.v4.ip), str(nic.v6.ip), "127.0.0.1", "::1", commands.FIRST_SERVICE, *names)

    @property
    def _files(self) -> commands.Files:
        return commands.Files(paths=Paths(INSIDE), binaries=lambda name: find(name, os.environ))


async def _wait_there(api: Api, path: str) -> None:
    while True:
        try:
            await api.get(path)
        except ApiError:
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
