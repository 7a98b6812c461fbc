"""Several kinds of objects → a snapshot; and the few things that are written."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plugin.core.problem import PluginError
from plugin.core.snapshot import PURELB, Gap, Kind, Scope, Snapshot
from plugin.core.wire import decode_api_group
from plugin.shell.client import AnswerError, Client
from plugin.shell.listing import Source, read_all
from purelb.api.resources import DecodeError


class RefusedError(PluginError):
    """The API server is there, but gives no objects of a kind."""


class MissingError(RefusedError):
    """It does not have such a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of reading one kind; `error` as `Cluster.explained` has it."""

    kind: Kind
    found: tuple[object, ...] = ()
    gaps: tuple[Gap, ...] = ()
    error: Exception | None = None


class Cluster:
    """One API server, and where the suite is installed there."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    def read(self, needs: Sequence[Kind], wishes: Sequence[Kind] = ()) -> Snapshot:
        """Read the kinds; those that are only wished for may be missing, and are then gaps.

        Raises PluginError if a needed one cannot be read.
        """
        kinds = (*needs, *wishes)
        outcomes: list[Outcome | None] = [None] * len(kinds)

        def read(number: int) -> None:
            outcomes[number] = self._outcome(kinds[number])

        threads = [
            threading.Thread(target=read, args=(one,), daemon=True) for one in range(1, len(kinds))
        ]
        for thread in threads:
            thread.start()
        read(0)
        for thread in threads:
            thread.join()
        return self.snapshot([one for one in outcomes if one is not None], needs)

    def _outcome(self, kind: Kind) -> Outcome:
        try:
            listing = read_all(self.client, Source(kind, self.namespace))
        except Exception as error:  # told by the thread that waits
            return Outcome(kind=kind, error=self.explained(kind, error))
        return Outcome(kind=kind, found=listing.objects(), gaps=tuple(listing.gaps.values()))

    def snapshot(self, outcomes: Sequence[Outcome], needs: Sequence[Kind]) -> Snapshot:
        """Put together what was read; raises as `read` does."""
        gaps = dict.fromkeys(gap for one in outcomes for gap in one.gaps)
        for one in outcomes:
            if one.error is None or (one.kind.may_lack and isinstance(one.error, MissingError)):
                continue
            if one.kind in needs or not isinstance(one.error, PluginError):
                raise one.error
            if not isinstance(one.error, MissingError):
                gap = Gap(what=one.kind.resource, why=str(one.error), kind=one.kind.name)
                gaps[gap] = None
        found: dict[str, Any] = {one.kind.name: one.found for one in outcomes}
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

    def explained(self, kind: Kind, error: Exception, verb: str = "list") -> Exception:
        """Return what a user is told when a kind cannot be read; other errors are what they are."""
        if not isinstance(error, AnswerError):
            return error
        if error.code == 403:
            where = f" -n {self.namespace}" if kind.scope is Scope.INSTALL else " -A"
            return RefusedError(
                f"you may not {verb} {kind.resource}; ask for that right, and check it with"
                f" kubectl auth can-i {verb} {kind.resource}{where}"
            )
        if error.code == 404:
            here = kind.path == PURELB
            return MissingError(
                self._without_crds(kind) if here else f"cannot {verb} {kind.resource}: {error}"
            )
        return RefusedError(f"cannot {verb} {kind.resource}: {error}")

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
