"""The informer against a small server that misbehaves in every way a LIST or WATCH can."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.test_utils import TestServer

from purelb.api.resources import decode_object
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kube import Kube

PATH = "/api/v1/services"
Step = int | dict[str, object] | list[dict[str, object]]


class ScriptedApi:
    """Answers each request with the next step of a script and remembers what was asked.

    A step is a status code, a LIST answer (dict), or WATCH lines (list); the last WATCH stays open.
    """

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked: list[str] = []
        self.finished = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Play one step."""
        watch = "watch" in request.query
        token = request.query.get("continue", "")
        self.asked.append(f"WATCH {request.query['resourceVersion']}" if watch else f"LIST {token}")
        step = self.steps.pop(0)
        if isinstance(step, int):
            return web.Response(status=step)
        if isinstance(step, dict):
            return web.json_response(step)
        reply = web.StreamResponse()
        await reply.prepare(request)
        await reply.write(b"".join(json.dumps(line).encode() + b"\n" for line in step))
        if not self.steps:
            self.finished.set()
            await asyncio.Event().wait()
        return reply


def service(name: str, version: int, uid: str = "1", **extra: object) -> dict[str, object]:
    """Build the JSON of a Service."""
    metadata = {"namespace": "shop", "name": name, "resourceVersion": str(version), "uid": uid}
    return {"metadata": metadata, **extra}


def page(*items: dict[str, object], version: int, token: str = "") -> dict[str, object]:
    """Build one LIST page; a token announces another one."""
    return {"metadata": {"resourceVersion": str(version), "continue": token}, "items": items}


def event(kind: str, item: dict[str, object]) -> dict[str, object]:
    """Build one WATCH line."""
    return {"type": kind, "object": item}


@dataclass(frozen=True)
class Seen:
    """A view that keeps the name and version only."""

    name: str
    version: str


def see(body: bytes) -> Seen | None:
    """Build the view; objects named `foreign` are none of our business, `broken` ones fail."""
    meta = decode_object(body).metadata
    if meta.name == "broken":
        raise ValueError("broken on purpose")
    return None if meta.name == "foreign" else Seen(meta.name, meta.resource_version)


def run(
    api: ScriptedApi, pause: Callable[[Informer[Seen], float], None] | None = None
) -> list[str]:
    """Run an informer until the script's last watch is open; return the changes it reported.

    `pause` is called in place of each back-off, with its seconds.
    """
    changes: list[str] = []

    def note(old: Seen | None, new: Seen | None) -> None:
        item = new or old
        assert item is not None
        changes.append(("+" if new else "-") + item.name)

    async def scenario() -> None:
        app = web.Application()
        app.router.add_get(PATH, api.answer)
        async with TestServer(app) as server:
            access = Access(server=str(server.make_url("/")).rstrip("/"))
            async with Kube(access, "test") as kube:

                async def skip(seconds: float) -> None:
                    if pause is not None:
                        pause(informer, seconds)
                    await asyncio.sleep(0)

                source = Source(path=PATH, view=see)
                informer = Informer(kube, source, note, BootClock(), pause=skip)
                async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                    running = tasks.create_task(informer.run())
                    await api.finished.wait()
                    await settled(informer)
                    running.cancel()

    asyncio.run(scenario())
    return changes


async def settled(informer: Informer[Seen]) -> None:
    """Wait until the informer has read what the open watch sent."""
    heard = -1.0
    while heard != informer.heard_at:
        heard = informer.heard_at
        await asyncio.sleep(0.02)


def test_a_vanished_object_is_reported_whatever_goes_wrong_on_the_way() -> None:
    """Drop, 503 and ERROR 500 resume from the last version; only 410 lists again."""
    api = ScriptedApi(
        page(service("a", 1), version=9, token="next"),
        page(service("b", 2), version=9),
        [event("MODIFIED", service("a", 11)), event("BOOKMARK", service("", 12))],
        503,
        [event("ERROR", {"code": 500})],
        [event("ERROR", {"code": 410})],
        page(service("a", 11), version=20),
        [],
    )
    assert run(api) == ["+a", "+b", "+a", "-b"]
    assert api.asked == [
        "LIST ", "LIST next", "WATCH 9", "WATCH 12", "WATCH 12", "WATCH 12", "LIST ", "WATCH 20",
    ]  # fmt: skip


def test_a_namesake_is_a_removal_and_a_creation() -> None:
    """Another uid under the same name is another object, also when the removal was never seen."""
    api = ScriptedApi(page(service("a", 1), version=9), [event("ADDED", service("a", 10, "2"))])
    assert run(api) == ["+a", "-a", "+a"]


def test_what_the_view_leaves_out_is_never_reported() -> None:
    """Objects that are none of our business come and go unseen."""
    api = ScriptedApi(
        page(service("foreign", 1), version=9),
        [event("DELETED", service("foreign", 10)), event("ADDED", service("a", 11))],
    )
    assert run(api) == ["+a"]


def test_an_object_that_is_not_understood_spoils_nothing_else() -> None:
    """The broken one is skipped, the others are served."""
    api = ScriptedApi(page(service("broken", 1), service("a", 2), version=9), [])
    assert run(api) == ["+a"]


def test_an_expired_page_token_starts_the_list_again() -> None:
    """A LIST that takes longer than the server keeps its snapshot begins anew."""
    api = ScriptedApi(
        page(service("a", 1), version=9, token="old"),
        410,
        page(service("a", 1), version=12),
        [],
    )
    assert run(api) == ["+a"]
    assert api.asked == ["LIST ", "LIST old", "LIST ", "WATCH 12"]


def test_freshness_ends_with_a_broken_watch_and_begins_with_the_next() -> None:
    """`whole_since` must not cover a time in which a change could have been missed."""
    api = ScriptedApi(page(version=9), [], 503, [event("BOOKMARK", service("", 12))], [])
    fresh: list[bool] = []
    run(api, pause=lambda informer, _: fresh.append(informer.whole_since is not None))
    assert fresh == [True, False, True]  # after a plain end, after the 503, after the next end


def test_an_expired_version_after_an_outage_lists_again_at_once() -> None:
    """The back-off of the outage is over when the server answers; expiring again has its own."""
    api = ScriptedApi(page(version=9), *[503] * 8, 410, page(version=20), 410, page(version=30), [])
    waits: list[float] = []
    run(api, pause=lambda _, seconds: waits.append(seconds))
    assert waits[7] > 5  # the eighth 503
    assert waits[8] < 0.2  # the first 410
    assert 0.09 < waits[9] < 0.4  # the second
