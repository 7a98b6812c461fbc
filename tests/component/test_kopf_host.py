"""Kopf as a guest, against the embedded API server: it ends at once, whatever it is doing."""

import asyncio
import threading

from purelb.runtime.kopf_host import STOP_SECONDS
from tests.component.harness import Api, allocator, scenario

MOMENTS = [step * 0.007 for step in range(16)]  # login, discovery, the first LIST, the watch


def test_a_guest_stops_at_once_at_any_moment_of_its_start() -> None:
    """No thread and no connection outlives its program: open ones are errors when collected."""

    async def work(api: Api) -> None:
        await api.group()
        loop = asyncio.get_running_loop()
        for moment in MOMENTS:
            async with allocator(api):
                await asyncio.sleep(moment)
                begun = loop.time()
            assert loop.time() - begun < STOP_SECONDS, f"stopped {moment:.3f} s after its start"
            assert not [t for t in threading.enumerate() if t.name == "kopf"]

    scenario(work)
