"""Lists of the API server → a snapshot. Kinds are read side by side, each in pages."""

import threading
from collections.abc import Sequence
from typing import Any

from plugin.core.problem import PluginError
from plugin.core.snapshot import PURELB, Gap, Kind, Scope, Snapshot
from plugin.core.wire import decode_api_group
from plugin.shell.client import AnswerError, Client, ExpiredError
from purelb.api.resources import DecodeError, decode_object, decode_page

PAGE = "500"  # objects in one answer
TRIES = 3  # of a list that expires while it is read


class Cluster:
    """One API server, and where the suite is installed there."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    def read(self, needs: Sequence[Kind], wishes: Sequence[Kind] = ()) -> Snapshot:
        """Read the kinds; those that are only wished for may be missing, and are then gaps.

        Raises PluginError if a needed one cannot be read.
        """
        jobs = [_Job(self, kind) for kind in (*needs, *wishes)]
        threads = [threading.Thread(target=job.run, daemon=True) for job in jobs[1:]]
        for thread in threads:
            thread.start()
        jobs[0].run()
        for thread in threads:
            thread.join()
        gaps = [gap for job in jobs for gap in job.gaps]
        for job in jobs:
            if job.error is None:
                continue
            error = self._explained(job.kind, job.error)
            if job.kind in needs:
                raise error
            if not (isinstance(job.error, AnswerError) and job.error.code == 404):
                gaps.append(Gap(what=job.kind.resource, why=str(error), kind=job.kind.name))
        found: dict[str, Any] = {job.kind.name: tuple(job.found) for job in jobs}
        return Snapshot(now=self.client.now(), namespace=self.namespace, gaps=tuple(gaps), **found)

    def annotate_node(self, name: str, key: str, value: str | None) -> None:
        """Write an annotation on a Node, or remove it; PluginError if the server refuses."""
        self._annotate(f"/api/v1/nodes/{name}", key, value)

    def annotate_service(self, service: str, key: str, value: str | None) -> None:
        """Write an annotation on a Service, namespace/name, or remove it; raises likewise."""
        namespace, _, name = service.partition("/")
        self._annotate(f"/api/v1/namespaces/{namespace}/services/{name}", key, value)

    def _annotate(self, path: str, key: str, value: str | None) -> None:
        try:
            self.client.patch(path, {"metadata": {"annotations": {key: value}}})
        except AnswerError as error:
            if error.code != 403:
                raise
            raise PluginError(f"{error}; ask for the right to patch it") from error

    def _explained(self, kind: Kind, error: Exception) -> PluginError:
        if not isinstance(error, PluginError):
            raise error
        if not isinstance(error, AnswerError):
            return error
        if error.code == 403:
            where = f" -n {self.namespace}" if kind.scope is Scope.INSTALL else " -A"
            return PluginError(
                f"you may not list {kind.resource}; ask for that right, and check it with"
                f" kubectl auth can-i list {kind.resource}{where}"
            )
        if error.code == 404 and kind.path == PURELB:
            return PluginError(self._without_crds(kind))
        return PluginError(f"cannot list {kind.resource}: {error}")

    def _without_crds(self, kind: Kind) -> str:
        try:
            group = decode_api_group(self.client.get("/apis/purelb.io"))
        except (PluginError, DecodeError):
            return (
                f"this cluster has no {kind.resource}.purelb.io: PureLB is not installed there;"
                " install it, or choose another context"
            )
        served = ", ".join(entry.version for entry in group.versions or ())
        return (
            f"this cluster serves purelb.io/{served}, but not {kind.resource} of purelb.io/v2:"
            " apply the CRDs of this version"
        )


class _Job:
    """Reads one kind in a thread of its own."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        self.kind = kind
        self.found: list[object] = []
        self.gaps: list[Gap] = []
        self.error: Exception | None = None
        self._client = cluster.client
        where = f"/namespaces/{cluster.namespace}" if kind.scope is Scope.INSTALL else ""
        self._path = f"{kind.path}{where}/{kind.plural}"
        selectors = {"fieldSelector": kind.selector, "labelSelector": kind.labels}
        self._params = {name: text for name, text in selectors.items() if text}

    def run(self) -> None:
        """Read everything; what goes wrong is kept for the caller."""
        try:
            for left in reversed(range(TRIES)):
                try:
                    self._read()
                    return
                except ExpiredError:
                    if not left:
                        raise
        except Exception as error:  # told by the thread that waits
            self.error = error

    def _read(self) -> None:
        self.found, self.gaps, token = [], [], ""
        while True:
            params = {**self._params, "limit": PAGE}
            if token:
                params["continue"] = token
            body = self._client.get(self._path, params)
            try:
                page = decode_page(body)
            except DecodeError as error:
                raise PluginError(
                    f"the answer to a list of {self.kind.resource} is not understood ({error});"
                    " is this address a Kubernetes API server?"
                ) from error
            for raw in page.items:
                self._take(bytes(raw))
            token = page.metadata.continue_
            if not token:
                return

    def _take(self, raw: bytes) -> None:
        try:
            view = self.kind.view(raw)
        except DecodeError as error:
            self.gaps.append(Gap(what=f"{self.kind.resource} {_name(raw)}", why=str(error)))
            return
        if view is not None:
            self.found.append(view)


def _name(raw: bytes) -> str:
    try:
        meta = decode_object(raw).metadata
    except DecodeError:
        return "without a name"
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
