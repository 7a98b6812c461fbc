"""What a container is as a process: its command line and its environment. Pure."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playground.kubelet.wire import Container, ContainerPort, EnvVar, Pod

ECHO = ("-m", "playground.backend")
# Which program an image holds; tags and registries do not matter.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "*purelb-kopf/allocator*": ("-m", "allocator"),
    "*purelb-kopf/lbnodeagent*": ("-m", "nodeagent"),
    "*purelb-kopf/k8gobgp*": ("-m", "bgp"),
    "*purelb-kopf/echo*": ECHO,
    "nginx*": ECHO,  # what documentation uses for something that serves pages
}
ECHO_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a Pod runs: its own addresses and its node's, the IPv4 ones first."""

    pod_ips: tuple[str, ...]
    host_ips: tuple[str, ...]


class CommandError(Exception):
    """A container cannot be started as it is written.

    `reason` is the word that a kubelet puts into the status for it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def command_line(pod: Pod, container: Container, place: Place, python: str) -> tuple[str, ...]:
    """Return what to run; raises CommandError for an image that nobody knows."""
    arguments = tuple(container.args or ())
    if container.command:
        return (*container.command, *arguments)
    for pattern, program in PROGRAMS.items():
        if fnmatch.fnmatchcase(container.image, pattern):
            if program == ECHO and not arguments:
                arguments = _echo(pod, container, place)
            return (python, *program, *arguments)
    raise CommandError("ErrImagePull", f"no program is known for the image {container.image!r}")


def environment(
    pod: Pod, container: Container, place: Place, base: Mapping[str, str]
) -> dict[str, str]:
    """Return `base` and the container's own variables; raises CommandError."""
    fields = _fields(pod, place)
    own = {entry.name: _value(entry, fields) for entry in container.env or ()}
    return {**base, **own}


def port_number(port: int | str, ports: Sequence[ContainerPort] | None) -> int:
    """Return a port by its number or its name; raises CommandError."""
    if isinstance(port, int):
        return port
    for entry in ports or ():
        if entry.name == port:
            return entry.container_port
    raise CommandError("InvalidProbe", f"the container has no port named {port!r}")


def _value(entry: EnvVar, fields: Mapping[str, str]) -> str:
    if entry.value_from is None:
        return entry.value
    reference = entry.value_from.field_ref
    if reference is None or reference.field_path not in fields:
        path = reference.field_path if reference else "other sources than fieldRef"
        message = f"variable {entry.name}: {path} is not supported"
        raise CommandError("CreateContainerConfigError", message)
    return fields[reference.field_path]


def _fields(pod: Pod, place: Place) -> Mapping[str, str]:
    meta = pod.metadata
    keys = {f"metadata.labels['{key}']": value for key, value in (meta.labels or {}).items()}
    keys |= {
        f"metadata.annotations['{key}']": value for key, value in (meta.annotations or {}).items()
    }
    return {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": place.host_ips[0],
        "status.hostIPs": ",".join(place.host_ips),
        "status.podIP": place.pod_ips[0],
        "status.podIPs": ",".join(place.pod_ips),
        **keys,
    }


def _echo(pod: Pod, container: Container, place: Place) -> tuple[str, ...]:
    port = container.ports[0].container_port if container.ports else ECHO_PORT
    return (
        *("--node", pod.spec.node_name, "--pod", pod.metadata.name, "--port", str(port)),
        *(option for address in place.pod_ips for option in ("--host", address)),
    )
