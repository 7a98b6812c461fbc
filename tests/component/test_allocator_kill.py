"""kill -9 of the real allocator process in the middle of a burst."""

import asyncio
from collections import Counter
from pathlib import Path

from tests.component.harness import Api, ingress, scenario
from tests.component.replicas import kubeconfig, start

COUNT = 500
LONGEST = 60.0  # seconds for everything to be allocated in the end


async def _held(api: Api) -> dict[str, list[str]]:
    services = await api.items("/api/v1/namespaces/default/services")
    names = {s["metadata"]["name"]: ingress(s) for s in services}
    return {name: found for name, found in names.items() if name.startswith("burst-")}


def test_a_kill_in_mid_burst_neither_loses_nor_doubles_an_address(tmp_path: Path) -> None:
    """Killed three times on its way through 500 Services, restarted each time."""

    async def work(api: Api) -> None:
        await api.group(local={"v4pool": {"pool": "10.0.0.0/16", "subnet": "10.0.0.0/16"}})
        config = kubeconfig(tmp_path, api.server.url, "allocator")
        process = await start(config, pod="the-same")
        posting = asyncio.create_task(_post(api))
        kills = 0
        try:
            async with asyncio.timeout(LONGEST):
                while True:
                    held = await _held(api)
                    done = sum(1 for found in held.values() if found)
                    if done == COUNT:
                        break
                    if kills < 3 and done > 100 * (kills + 1):
                        process.kill()
                        await process.wait()
                        kills += 1
                        process = await start(config, pod="the-same")
                    await asyncio.sleep(0.01)
            await posting
        finally:
            posting.cancel()
            process.kill()
            await process.wait()
        assert kills == 3
        assert {len(found) for found in held.values()} == {1}
        twice = [ip for ip, n in Counter(found[0] for found in held.values()).items() if n > 1]
        assert twice == []

    async def _post(api: Api) -> None:
        for number in range(COUNT):
            await api.service(f"burst-{number}")

    scenario(work)
