"""Writes a decision on its Service: one conditional PATCH, checked against the reply."""

import logging
from collections.abc import Mapping

from allocator.core.report import JSON, Writes
from purelb.api.identifiers import ServiceKey, split_key
from purelb.api.resources import DecodeError, decode_service
from purelb.api.views import ServiceView, view_service
from purelb.runtime.errors import ForbiddenError, TransientError
from purelb.runtime.kube import Kube
from purelb.runtime.replace import replace_object

logger = logging.getLogger(__name__)


class ServiceWriter:
    """Carries out the writes of one Service at a time; any number of Services side by side."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._may_patch = True  # PureLB's own RBAC grants update only

    async def write(self, key: ServiceKey, writes: Writes) -> None:
        """Write, and check that all of it was taken.

        Raises ConflictError when the Service changed since the decision, TransientError when nobody
        knows whether the write happened, PermanentError when it was refused.
        """
        namespace, name = split_key(key)
        path = f"/api/v1/namespaces/{namespace}/services/{name}"
        status = writes.status
        if writes.spec is not None:
            view = await self._send(path, writes.spec)
            status = status and _on_top_of(status, view)
        if status is not None:
            view = await self._send(path, status, "/status")
            annotations = status["metadata"].get("annotations", {})
            if not _has(view, annotations):
                # A server that keeps no metadata written with the status gets it by a second write.
                await self._send(path, _on_top_of({"metadata": {"annotations": annotations}}, view))

    async def _send(self, path: str, body: JSON, subresource: str = "") -> ServiceView:
        if self._may_patch:
            try:
                return _view(await self._kube.patch(path + subresource, body))
            except ForbiddenError as error:
                logger.info(
                    "patch is not allowed, replacing the whole object",
                    extra={"path": path, "error": str(error)},
                )
        view = _view(await replace_object(self._kube, path, body, subresource))
        self._may_patch = False  # not before: a webhook's refusal is a 403 as well
        return view


def _view(answer: bytes) -> ServiceView:
    try:
        return view_service(decode_service(answer))
    except DecodeError as error:
        raise TransientError(f"the answer is no Service: {error}") from error


def _on_top_of(body: JSON, view: ServiceView) -> JSON:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": view.version}}


def _has(view: ServiceView, wanted: Mapping[str, str | None]) -> bool:
    return all(view.annotations.get(key) == value for key, value in wanted.items())
