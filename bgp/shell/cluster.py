"""Writes what concerns all nodes: status and last good spec of BGPConfigurations. One does it.

Belongs here: requests, and who makes them. Does not: what is in the status
(`bgp.core.clusterstatus`), which spec is good (`bgp.core.merge`).
"""

import asyncio
import logging
from typing import NoReturn

from bgp.core.clusterstatus import configuration_status, is_news
from bgp.core.merge import keep
from bgp.shell.reporter import Reporter
from bgp.shell.status import COLLECTION
from bgp.shell.world import WorldStore
from purelb.api import bgp
from purelb.api.annotations import BGP_LAST_GOOD
from purelb.api.bgp import BgpConfiguration
from purelb.api.bgpstatus import BgpNodeStatus, decode_bgp_node_status
from purelb.api.problems import Notice, NoticeType
from purelb.api.resources import DecodeError, decode_page
from purelb.runtime.clock import Clock, wall_seconds
from purelb.runtime.errors import ConflictError, PurelbError, TransientError
from purelb.runtime.kube import Kube
from purelb.runtime.leadership import Candidacy, Leadership

logger = logging.getLogger(__name__)

LEASE_NAME, LEASE_SECONDS = "purelb-bgp", 30.0  # nobody waits for it: a long one spares writes
LOOK_SECONDS = 5.0


class ClusterWriter:
    """Works while this sidecar is the elected one."""

    def __init__(
        self, kube: Kube, world: WorldStore, reporter: Reporter, clock: Clock, identity: str
    ) -> None:
        self._kube, self._world, self._reporter = kube, world, reporter
        self.leadership = Leadership(
            kube,
            clock,
            Candidacy(
                namespace=world.namespace,
                name=LEASE_NAME,
                identity=identity,
                duration=LEASE_SECONDS,
            ),
        )

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        while True:
            await self.leadership.elected.wait()
            if self.leadership.right() > 0:
                try:
                    await self._write()
                except PurelbError as error:
                    logger.info("cluster status is not written", extra={"error": str(error)})
            await asyncio.sleep(LOOK_SECONDS)

    async def _write(self) -> None:
        if not self._world.is_complete or not self._world.objects:
            return
        nodes = await self._nodes()
        for each in self._world.objects:
            if bgp.FINALIZER in (each.metadata.finalizers or ()):
                await self._unfinalize(each)
            findings = self._world.in_use.findings.get(each.metadata.name, ())
            status = configuration_status(each, findings, nodes, wall_seconds())
            if each.metadata.deletion_timestamp is None and is_news(each, status):
                status["lastReconcileTime"] = wall_seconds()
                await self._kube.patch(f"{_path(each)}/status", {"status": status})
                if any(finding.is_fatal for finding in findings):
                    kind, message = NoticeType.WARNING, str(status["message"])
                    notice = Notice(type=kind, reason="ConfigurationInvalid", message=message)
                    self._reporter.tell([notice])
            await self._keep(each)

    async def _keep(self, each: BgpConfiguration) -> None:
        """Keep the last good spec for sidecars that start while the object is bad."""
        change = keep(each, self._world.in_use.accepted.get(each.metadata.uid))
        if change is None:
            return
        try:
            await self._kube.patch(
                _path(each), {"metadata": {"annotations": {BGP_LAST_GOOD: change.text}}}
            )
        except PurelbError as error:  # a status is worth more
            logger.warning("the last good spec is not kept", extra={"error": str(error)})

    async def _nodes(self) -> list[BgpNodeStatus]:
        answer = await self._kube.get(COLLECTION)
        try:
            return [decode_bgp_node_status(bytes(item)) for item in decode_page(answer).items]
        except DecodeError as error:
            raise TransientError(f"the list of BGPNodeStatuses is no list: {error}") from error

    async def _unfinalize(self, each: BgpConfiguration) -> None:
        """Take PureLB's finalizer off: nothing of ours must hold up a deletion."""
        kept = [one for one in each.metadata.finalizers or () if one != bgp.FINALIZER]
        meta = {"finalizers": kept, "resourceVersion": each.metadata.resource_version}
        try:
            await self._kube.patch(_path(each), {"metadata": meta})
        except ConflictError:
            logger.debug("finalizer stays for now", extra={"name": each.metadata.name})


def _path(each: BgpConfiguration) -> str:
    meta = each.metadata
    return f"/apis/{bgp.GROUP}/{bgp.VERSION}/namespaces/{meta.namespace}/configs/{meta.name}"
