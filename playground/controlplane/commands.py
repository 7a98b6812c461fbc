"""The command lines of a control plane. Pure.

Options are those of a cluster made by kubeadm, but for what would only cost time here: no fsync, no
leader election, no connection tracking limits, and controllers that nobody would notice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import playground.kubelet
from playground.plane import Step
from playground.processes import ProcessSpec
from playground.state import Paths
from playground.topology import API_PORT, Machine

SERVICE_RANGES = "10.96.0.0/16,fd00:10:96::/112"
FIRST_SERVICE = "10.96.0.1"  # the Service `kubernetes` has the first address
ETCD = "http://127.0.0.1:2379"
START_SECONDS = 60.0  # of one process, on a machine that does other things too

CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "service-cidr-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    "taint-eviction-controller",
)
# Every write with who did it and how it ended, so that a test can ask what a daemon wrote.
AUDIT_POLICY: Mapping[str, object] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the processes read and write, by its path inside."""

    paths: Paths
    binaries: Callable[[str], Path] = field(repr=False)  # name of a program → its path

    def certificate(self, name: str) -> str:
        """Return a file of the certificates' folder."""
        return str(self.paths.certificates / name)

    @property
    def audit_policy(self) -> Path:
        """What the API server records."""
        return self.paths.certificates / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line for each request."""
        return self.paths.log("audit")


def etcd(files: Files) -> Step:
    """Return the database: plain HTTP on the control machine's loopback, nothing flushed."""
    peer = "http://127.0.0.1:2380"
    options = {
        "name": "control",
        "data-dir": str(files.paths.etcd),
        "listen-client-urls": ETCD,
        "advertise-client-urls": ETCD,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"control={peer}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    return _step(files, _control("etcd"), options, f"{ETCD}/health")


def apiserver(files: Files, control: Machine) -> Step:
    """Return the API server, on all addresses of the control machine."""
    options = {
        "advertise-address": str(control.main.v4.ip),
        "allow-privileged": "true",
        "audit-log-path": str(files.audit_log),
        "audit-policy-file": str(files.audit_policy),
        "authorization-mode": "Node,RBAC",
        "bind-address": "::",
        "client-ca-file": files.certificate("ca.crt"),
        "enable-admission-plugins": "NodeRestriction",
        "etcd-servers": ETCD,
        "kubelet-certificate-authority": files.certificate("ca.crt"),
        "kubelet-client-certificate": files.certificate("kubelet-client.crt"),
        "kubelet-client-key": files.certificate("kubelet-client.key"),
        "kubelet-preferred-address-types": "InternalIP",
        "profiling": "false",
        "secure-port": str(API_PORT),
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": files.certificate("service-accounts.pub"),
        "service-account-signing-key-file": files.certificate("service-accounts.key"),
        "service-cluster-ip-range": SERVICE_RANGES,
        "tls-cert-file": files.certificate("server.crt"),
        "tls-private-key-file": files.certificate("server.key"),
    }
    url = f"https://127.0.0.1:{API_PORT}/readyz"
    return _step(files, _control("kube-apiserver"), options, url)


def controller_manager(
    files: Files, node_grace_seconds: float, controllers: Sequence[str] = CONTROLLERS
) -> Step:
    """Return the controllers; a silent node is not ready after the given time."""
    options = {
        "bind-address": "127.0.0.1",
        "controllers": ",".join(controllers),
        "kubeconfig": str(files.paths.kubeconfigs / "kube-controller-manager"),
        "leader-elect": "false",
        "node-monitor-grace-period": f"{node_grace_seconds:g}s",
        "node-monitor-period": "1s",
        "profiling": "false",
        "root-ca-file": files.certificate("ca.crt"),
        "service-account-private-key-file": files.certificate("service-accounts.key"),
        "tls-cert-file": files.certificate("server.crt"),
        "tls-private-key-file": files.certificate("server.key"),
        "use-service-account-credentials": "true",
    }
    url = "https://127.0.0.1:10257/healthz"
    return _step(files, _control("kube-controller-manager"), options, url)


def scheduler(files: Files) -> Step:
    """Return the scheduler."""
    options = {
        "bind-address": "127.0.0.1",
        "kubeconfig": str(files.paths.kubeconfigs / "kube-scheduler"),
        "leader-elect": "false",
        "profiling": "false",
        "tls-cert-file": files.certificate("server.crt"),
        "tls-private-key-file": files.certificate("server.key"),
    }
    url = "https://127.0.0.1:10259/healthz"
    return _step(files, _control("kube-scheduler"), options, url)


def proxy(files: Files, machine: Machine) -> Step:
    """Return a node's kube-proxy.

    The limits of connection tracking are left alone: only the host may set them.
    """
    options = {
        "conntrack-max-per-core": "0",
        "conntrack-min": "0",
        "conntrack-tcp-timeout-close-wait": "0s",
        "conntrack-tcp-timeout-established": "0s",
        "healthz-bind-address": "127.0.0.1:10256",
        "hostname-override": machine.name,
        "kubeconfig": str(files.paths.kubeconfigs / "kube-proxy"),
        "metrics-bind-address": "127.0.0.1:10249",
        "proxy-mode": "nftables",
    }
    name = f"kube-proxy-{machine.name}"
    spec = ProcessSpec(name=name, machine=machine.name, argv=("kube-proxy",))
    return _step(files, spec, options, "http://127.0.0.1:10256/healthz")


def kubelet(files: Files, machine: Machine) -> Step:
    """Return a node's kubelet, which is the playground's own."""
    name = f"kubelet-{machine.name}"
    spec = playground.kubelet.spec(machine, files.paths.kubeconfigs / name)
    return Step(spec=spec, url="https://127.0.0.1:10250/healthz", seconds=START_SECONDS)


def _step(files: Files, spec: ProcessSpec, options: Mapping[str, str], url: str) -> Step:
    """Return the step of a spec whose command line is the name of its program alone."""
    (program,) = spec.argv
    argv = [f"--{option}={value}" for option, value in options.items()]
    whole = replace(spec, argv=(str(files.binaries(program)), *argv))
    return Step(spec=whole, url=url, seconds=START_SECONDS)


def _control(program: str) -> ProcessSpec:
    return ProcessSpec(name=program, machine="control", argv=(program,))
