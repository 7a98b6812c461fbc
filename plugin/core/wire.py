"""The JSON of kinds that only the plugin reads; the others are in `purelb.api.resources`."""

from typing import Any

import msgspec

from plugin.core.spans import parse_time
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


class Involved(Wire, frozen=True):
    """What an Event is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""


class EventSource(Wire, frozen=True):
    """Who sent an Event."""

    component: str = ""
    host: str = ""


class Event(Object, frozen=True):
    """core/v1 Event; times are RFC 3339 texts."""

    involved_object: Involved = Involved()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 0
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    source: EventSource = EventSource()

    def at(self) -> float:
        """Return when it came last, in seconds since 1970; 0 if it does not say."""
        texts = (self.last_timestamp, self.event_time, self.first_timestamp)
        return next((at for text in texts if (at := parse_time(text)) is not None), 0.0)


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


class Name(Wire, frozen=True):
    """The metadata that tell which object it is, and at which version."""

    namespace: str = ""
    name: str = ""
    resource_version: str = ""


class Named(Wire, frozen=True):
    """What every object has: cheaper to decode than all of its metadata."""

    metadata: Name = Name()


def schema_of(kind: type[Wire]) -> dict[str, Any]:
    """Return the JSON schema of a struct, with the descriptions of its docstrings."""
    return msgspec.json.schema(kind)


decode_named = msgspec.json.Decoder(Named).decode
decode_event = msgspec.json.Decoder(Event).decode
decode_pod = msgspec.json.Decoder(Pod).decode
decode_api_resources = msgspec.json.Decoder(ApiResources).decode
decode_api_group = msgspec.json.Decoder(ApiGroup).decode
decode_any: Any = msgspec.json.Decoder().decode
