"""The JSON of kinds that only the plugin reads; the others are in `purelb.api.resources`."""

from typing import Any

import msgspec

from purelb.api.resources import Object, Wire


class EnvVar(Wire, frozen=True):
    """One variable of a container; `value` is empty where it comes from elsewhere."""

    name: str = ""
    value: str = ""


class Container(Wire, frozen=True):
    """One container of a Pod."""

    name: str = ""
    image: str = ""
    env: tuple[EnvVar, ...] | None = None


class PodSpec(Wire, frozen=True):
    """Spec of a Pod."""

    node_name: str = ""
    containers: tuple[Container, ...] | None = None


class ContainerStatus(Wire, frozen=True):
    """How one container is."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0


class PodStatus(Wire, frozen=True):
    """Status of a Pod."""

    phase: str = ""
    container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ApiResource(Wire, frozen=True):
    """One entry of a group version's discovery."""

    name: str = ""
    kind: str = ""


class ApiResources(Wire, frozen=True):
    """Discovery of a group version."""

    resources: tuple[ApiResource, ...] | None = None


class GroupVersion(Wire, frozen=True):
    """One version of an API group."""

    version: str = ""


class ApiGroup(Wire, frozen=True):
    """Discovery of an API group."""

    versions: tuple[GroupVersion, ...] | None = None


decode_pod = msgspec.json.Decoder(Pod).decode
decode_api_resources = msgspec.json.Decoder(ApiResources).decode
decode_api_group = msgspec.json.Decoder(ApiGroup).decode
decode_any: Any = msgspec.json.Decoder().decode
