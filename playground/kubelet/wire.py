"""The JSON of Pods, as far as a kubelet reads it."""

from typing import Any

import msgspec

from purelb.api.resources import Meta, Object, Wire


class FieldRef(Wire, frozen=True):
    """A field of the Pod."""

    field_path: str = ""


class EnvSource(Wire, frozen=True):
    """Where a variable's value comes from."""

    field_ref: FieldRef | None = None


class EnvVar(Wire, frozen=True):
    """One environment variable."""

    name: str
    value: str = ""
    value_from: EnvSource | None = None


class ContainerPort(Wire, frozen=True):
    """One port of a container."""

    name: str = ""
    container_port: int = 0


class HttpGet(Wire, frozen=True):
    """A request that must succeed; an empty host is the Pod's address."""

    path: str = "/"
    port: int | str = 80
    host: str = ""


class Probe(Wire, frozen=True):
    """How often to ask, and how many equal answers in a row count. Times in seconds."""

    http_get: HttpGet | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class VolumeMount(Wire, frozen=True):
    """Where a container sees a volume."""

    name: str
    mount_path: str = ""
    read_only: bool = False


class SecretVolume(Wire, frozen=True):
    """The entries of a Secret as files."""

    secret_name: str = ""
    optional: bool = False


class ConfigMapVolume(Wire, frozen=True):
    """The entries of a ConfigMap as files."""

    name: str = ""
    optional: bool = False


class EmptyDir(Wire, frozen=True):
    """A folder that lives as long as the Pod."""


class Volume(Wire, frozen=True):
    """One volume of a Pod, of the kinds that are supported."""

    name: str
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None
    empty_dir: EmptyDir | None = None


class Container(Wire, frozen=True):
    """One container."""

    name: str
    image: str = ""
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    ports: tuple[ContainerPort, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None


class PodMeta(Meta, frozen=True):
    """Metadata of a Pod."""

    deletion_grace_period_seconds: int | None = None


class PodSpec(Wire, frozen=True):
    """Spec of a Pod."""

    node_name: str = ""
    host_network: bool = False
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] | None = None
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    service_account_name: str = ""
    automount_service_account_token: bool | None = None


class ContainerStatus(Wire, frozen=True):
    """What was last said about a container."""

    name: str = ""
    ready: bool = False
    started: bool | None = None


class PodStatus(Wire, frozen=True):
    """Status of a Pod; conditions as they are, because others write some of them."""

    phase: str = ""
    start_time: str | None = None
    conditions: tuple[dict[str, Any], ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Object, frozen=True):
    """v1 Pod."""

    metadata: PodMeta = PodMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TokenStatus(Wire, frozen=True):
    """What the server issued."""

    token: str = ""


class TokenRequest(Object, frozen=True):
    """authentication.k8s.io/v1 TokenRequest."""

    status: TokenStatus = TokenStatus()


class ApiResource(Wire, frozen=True):
    """One entry of the discovery of an API group."""

    name: str = ""


class ApiResources(Wire, frozen=True):
    """metav1.APIResourceList."""

    resources: tuple[ApiResource, ...] = ()


decode_pod = msgspec.json.Decoder(Pod).decode
decode_token = msgspec.json.Decoder(TokenRequest).decode
decode_resources = msgspec.json.Decoder(ApiResources).decode


def grace_seconds(pod: Pod) -> int:
    """Return how long a Pod's containers may take to end, as its deletion or its spec says."""
    for wish in (
        pod.metadata.deletion_grace_period_seconds if pod.metadata.deletion_timestamp else None,
        pod.spec.termination_grace_period_seconds,
    ):
        if wish is not None:
            return wish
    return 30
