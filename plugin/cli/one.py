"""Reading the one Service that a command is about, of whatever type it is."""

from dataclasses import replace

from plugin.core.problem import PluginError
from plugin.core.snapshot import Snapshot
from plugin.shell.client import AnswerError
from plugin.shell.cluster import Cluster
from purelb.api.identifiers import ServiceKey
from purelb.api.resources import DecodeError, decode_service
from purelb.api.views import ServiceView, view_service


def read_one(cluster: Cluster, found: Snapshot, key: str) -> tuple[Snapshot, ServiceView]:
    """Return the Service, and the snapshot with it; PluginError if there is none."""
    known = found.by_key.get(ServiceKey(key))
    if known is not None:
        return found, known
    namespace, _, name = key.partition("/")
    try:
        body = cluster.client.get(f"/api/v1/namespaces/{namespace}/services/{name}")
        view = view_service(decode_service(body))
    except AnswerError as error:
        if error.code == 404:
            raise PluginError(f"there is no Service {key}; see kubectl get services -A") from error
        raise
    except DecodeError as error:
        raise PluginError(f"the Service {key} is not understood: {error}") from error
    return replace(found, services=(*found.services, view)), view
