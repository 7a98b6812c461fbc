"""Writes one Lease: created, renewed by one request, released under a precondition.

Knows nothing of what a Lease gives the right to do (`purelb.core.lease`).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from purelb.api.annotations import LEASE_INSTANCE
from purelb.api.resources import DecodeError, Lease, decode_lease
from purelb.runtime.clock import wall_clock
from purelb.runtime.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PurelbError,
    TransientError,
)
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

GIVE_UP_SECONDS = 2.0  # to take the holder out of a Lease, so that time is left to delete it


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseContent:
    """What the holder wants its Lease to say; `owner` is an ownerReference."""

    holder: str
    duration_seconds: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: Mapping[str, Any] = field(default_factory=dict)


class LeaseStore:
    """One Lease in the API server. Other writers' annotations and labels on it are kept."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self._kube, self._namespace, self._name = kube, namespace, name
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._version = ""  # of the object as we last wrote or read it; empty: unknown
        self._content: LeaseContent | None = None  # as written last
        self._may_patch = True  # PureLB's own RBAC grants update only

    async def renew(self, content: LeaseContent) -> None:
        """Write the content and the time, in one request as long as nobody else writes.

        A Lease that is missing is created. Raises the runtime's errors; after any of them the right
        is where it was.
        """
        body, self._content = self._body(content), content
        try:
            if self._may_patch:
                await self._patch(body)
            else:
                await self._replace(body)
        except NotFoundError:
            self._version = ""
            await self._create(body)
        except ForbiddenError:
            if not self._may_patch:
                raise
            await self._replace(body)
            self._may_patch = False  # not before: a webhook's refusal is a 403 as well

    async def release(self, instance: str) -> None:
        """Delete the Lease unless another instance has taken it over meanwhile.

        Before that it loses its holder: who watches by a selector cannot tell a Lease that was
        deleted from one that is shown to him no longer.
        """
        if not self._version:
            return
        try:
            await self._give_up_and_delete()
        except ConflictError:
            found = await self._read()
            if found is not None and _instance(found) == instance:
                await self._give_up_and_delete()
        except NotFoundError:
            return

    async def _give_up_and_delete(self) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await self._give_up()
        except (ConflictError, NotFoundError):
            raise
        except (PurelbError, TimeoutError) as error:  # most know by the deletion alone
            logger.warning("the lease keeps its holder", extra={"error": str(error)})
        await self._delete()

    async def _give_up(self) -> None:
        body: dict[str, Any] = {"metadata": {}, "spec": {"holderIdentity": ""}}
        if not self._may_patch and self._content is not None:
            body = self._body(replace(self._content, holder=""))
        body["metadata"]["resourceVersion"] = self._version
        write = self._kube.patch if self._may_patch else self._kube.put
        self._note(await write(self._path, body))

    async def _patch(self, body: dict[str, Any]) -> None:
        if self._version:
            body["metadata"]["resourceVersion"] = self._version
        try:
            self._note(await self._kube.patch(self._path, body))
        except ConflictError:
            # Somebody else annotated it. The Lease is named after this node: ours to write.
            body["metadata"].pop("resourceVersion", None)
            self._note(await self._kube.patch(self._path, body))

    async def _replace(self, body: dict[str, Any]) -> None:
        found = await self._read()
        if found is None:
            await self._create(body)
            return
        for field_name, had in (
            ("annotations", found.metadata.annotations),
            ("labels", found.metadata.labels),
        ):
            body["metadata"][field_name] = {**(had or {}), **body["metadata"][field_name]}
        body["metadata"]["resourceVersion"] = self._version
        self._note(await self._kube.put(self._path, body))

    async def _create(self, body: dict[str, Any]) -> None:
        body["metadata"].pop("resourceVersion", None)
        self._note(await self._kube.post(self._collection, body))

    async def _read(self) -> Lease | None:
        try:
            answer = await self._kube.get(self._path)
        except NotFoundError:
            return None
        return self._note(answer)

    async def _delete(self) -> None:
        await self._kube.delete(
            self._path,
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {"resourceVersion": self._version},
            },
        )
        self._version = ""

    def _note(self, answer: bytes) -> Lease:
        try:
            lease = decode_lease(answer)
        except DecodeError as error:
            raise TransientError(f"lease {self._name}: the answer is no Lease: {error}") from error
        self._version = lease.metadata.resource_version
        return lease

    def _body(self, content: LeaseContent) -> dict[str, Any]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": dict(content.labels),
                "annotations": dict(content.annotations),
                "ownerReferences": [dict(content.owner)] if content.owner else [],
            },
            "spec": {
                "holderIdentity": content.holder,
                "leaseDurationSeconds": content.duration_seconds,
                "renewTime": wall_clock(),
            },
        }


def _instance(lease: Lease) -> str:
    return (lease.metadata.annotations or {}).get(LEASE_INSTANCE, "")
