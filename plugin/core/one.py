"""The one Service that a command is about, of whatever type it is."""

from dataclasses import replace

from plugin.core.problem import PluginError
from plugin.core.snapshot import Snapshot
from purelb.api.identifiers import ServiceKey
from purelb.api.views import ServiceView


def one_of(found: Snapshot, key: str) -> tuple[Snapshot, ServiceView]:
    """Return the Service, and the snapshot with it; PluginError if there is none."""
    known = found.by_key.get(ServiceKey(key))
    if known is not None:
        return found, known
    for one in found.asked:
        return replace(found, services=(*found.services, one)), one
    for gap in found.gaps:
        if gap.what == f"services {key}":
            raise PluginError(f"the Service {key} is not understood: {gap.why}")
    raise PluginError(f"there is no Service {key}; see kubectl get services -A")
