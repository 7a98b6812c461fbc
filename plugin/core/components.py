"""The Pods of the suite, known by the names of their containers in every way of installing it."""

from collections.abc import Iterable
from dataclasses import dataclass

from plugin.core.wire import Pod

ALLOCATOR, AGENT, SIDECAR = "allocator", "lbnodeagent", "k8gobgp"
RUNNING = "Running"


@dataclass(frozen=True, slots=True)
class Component:
    """All Pods with one container. `image` is the last Pod's, empty without one."""

    pods: int = 0
    running: int = 0
    image: str = ""

    @property
    def summary(self) -> str:
        """How many of how many run."""
        return f"{self.running}/{self.pods} {RUNNING}"

    @property
    def is_whole(self) -> bool:
        """Whether all of them run."""
        return self.running == self.pods


def component(pods: Iterable[Pod], container: str) -> Component:
    """Count the Pods that have a container; one runs if that container is ready."""
    found, running, image = 0, 0, ""
    for pod in pods:
        for one in pod.spec.containers or ():
            if one.name == container:
                found, image = found + 1, one.image
                running += runs(pod, container)
    return Component(found, running, image)


def runs(pod: Pod, container: str) -> bool:
    """Tell whether a container of a Pod is at work.

    A standby allocator is never ready, and is at work nevertheless: there the phase decides.
    """
    if container == ALLOCATOR:
        return pod.status.phase == RUNNING
    statuses = pod.status.container_statuses or ()
    return any(status.name == container and status.ready for status in statuses)
