"""Which versions run, and whether all of them do."""

from plugin.core.components import AGENT, ALLOCATOR, SIDECAR, Component, component
from plugin.core.document import Document
from plugin.core.snapshot import Snapshot
from purelb import VERSION


class ComponentVersion(Document, frozen=True):
    """The image of a component, and how many Pods of it run."""

    image: str
    pods: int
    running: int


class VersionReport(Document, frozen=True):
    """All components, and the kinds that the API server knows, as `group/version Kind`."""

    plugin: str
    allocator: ComponentVersion
    lbnodeagent: ComponentVersion
    k8gobgp: ComponentVersion
    crds: tuple[str, ...]
    consistent: bool


def report_version(snapshot: Snapshot, kinds: tuple[str, ...]) -> VersionReport:
    """Return the versions; `kinds` are those of the suite's groups."""
    found = [component(snapshot.pods, name) for name in (ALLOCATOR, AGENT, SIDECAR)]
    allocator, agent, sidecar = (_version(one) for one in found)
    return VersionReport(
        plugin=VERSION,
        allocator=allocator,
        lbnodeagent=agent,
        k8gobgp=sidecar,
        crds=kinds,
        consistent=all(one.is_whole for one in found),
    )


def _version(found: Component) -> ComponentVersion:
    return ComponentVersion(image=found.image, pods=found.pods, running=found.running)
