"""Counts the nodes of the cluster once, when an agent starts.

Belongs here: the question. Does not: what follows from the number (`nodeagent.core.scale`).
"""

import asyncio
import logging
from dataclasses import replace

from nodeagent.core.scale import lease_seconds
from nodeagent.settings import Settings
from purelb.api.resources import DecodeError, decode_page
from purelb.runtime.errors import PermanentError, PurelbError
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

PATIENCE, PAUSE = 10.0, 0.5  # seconds for all tries; between two


async def settings_at_scale(kube: Kube, settings: Settings) -> Settings:
    """Return the settings with the number of nodes, and a Lease that lasts as that demands.

    They stay as they are if the API server does not answer for a while.
    """
    nodes = 0
    try:
        async with asyncio.timeout(PATIENCE):
            nodes = await _count(kube)
    except (PurelbError, TimeoutError) as error:
        logger.warning("nodes cannot be counted", extra={"error": str(error) or "no answer"})
    seconds = lease_seconds(settings.lease_seconds, nodes)
    if seconds != settings.lease_seconds:
        facts = {"nodes": nodes, "lease_seconds": seconds, "wanted": settings.lease_seconds}
        logger.info("the lease lasts longer for the number of nodes", extra=facts)
    return replace(settings, nodes=nodes, lease_seconds=seconds)


async def _count(kube: Kube) -> int:
    while True:
        try:
            page = decode_page(await kube.get("/api/v1/nodes", {"limit": "1"}))
        except (PermanentError, DecodeError) as error:
            raise PermanentError(f"nodes: {error}") from error
        except PurelbError:
            await asyncio.sleep(PAUSE)
            continue
        return len(page.items) + (page.metadata.remaining_item_count or 0)
