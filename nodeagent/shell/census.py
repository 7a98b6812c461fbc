"""Counts the nodes of the cluster once, when an agent starts.

Belongs here: the question. Does not: what follows from the number (`nodeagent.core.scale`).
"""

import asyncio
import logging
import random
from dataclasses import replace

from nodeagent.core.scale import lease_seconds
from nodeagent.settings import Settings
from purelb.api.resources import DecodeError, decode_page
from purelb.core.backoff import Backoff
from purelb.runtime.errors import PermanentError, PurelbError
from purelb.runtime.kube import Kube
from purelb.runtime.logs import Trouble

logger = logging.getLogger(__name__)

BACKOFF = Backoff(first=0.5, longest=5.0)


async def settings_at_scale(kube: Kube, settings: Settings) -> Settings:
    """Return the settings with the number of nodes, and a Lease that lasts as that demands.

    It takes as long as the API server does not answer: without it there is nothing to do, and who
    took a large cluster for a small one would be a burden to it from then on. If the server
    refuses, they say why, and are as for a small one.
    """
    nodes, refusal = 0, ""
    try:
        nodes = await _count(kube)
    except PurelbError as error:
        refusal = str(error)
        logger.warning("nodes cannot be counted", extra={"error": refusal})
    seconds = lease_seconds(settings.lease_seconds, nodes)
    if seconds != settings.lease_seconds:
        facts = {"nodes": nodes, "lease_seconds": seconds, "wanted": settings.lease_seconds}
        logger.info("the lease lasts longer for the number of nodes", extra=facts)
    return replace(settings, nodes=nodes, uncounted=refusal, lease_seconds=seconds)


async def _count(kube: Kube) -> int:
    trouble = Trouble(logger, "nodes cannot be counted yet")
    failures = 0
    while True:
        try:
            page = decode_page(await kube.get("/api/v1/nodes", {"limit": "1"}))
        except (PermanentError, DecodeError) as error:
            raise PermanentError(f"nodes: {error}") from error
        except PurelbError as error:
            failures += 1
            trouble.note(str(error))
            await asyncio.sleep(BACKOFF.delay(failures) * random.uniform(0.5, 1.5))
            continue
        trouble.note("")
        return len(page.items) + (page.metadata.remaining_item_count or 0)
