"""The queue of Events: bounded, Warnings last to go, nothing lost while the API server fails."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from playground.apiserver import Action, Fault
from purelb.runtime import events
from purelb.runtime.clock import BootClock
from purelb.runtime.credentials import Access
from purelb.runtime.events import Event, EventPoster, Reference
from purelb.runtime.kube import Kube
from tests.component.harness import Api, scenario

PATH = "/api/v1/namespaces/default/events"


@contextlib.contextmanager
def room_for(count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the queue hold no more than so many Events."""
    with monkeypatch.context() as patch:
        patch.setattr(events, "MOST_QUEUED", count)
        yield


def event(text: str) -> Event:
    """Build an Event: a Warning if its text begins with a capital."""
    about = Reference("Service", "v1", "default", "web", "uid")
    kind = "Warning" if text[0].isupper() else "Normal"
    return Event(about, kind, "Reason", text)


async def sent(api: Api, texts: str, fault: Fault | None = None) -> tuple[list[str], int]:
    """Post Events, one for each letter; return what arrives in order, and how many were dropped."""
    async with Kube(Access(server=api.server.url, token_text="us"), "us") as kube:
        poster = EventPoster(kube, "us", "here", BootClock())
        for text in texts:
            poster.post(event(text))
        if fault is not None:
            api.server.faults.add(fault, "trouble")
        posting = asyncio.create_task(poster.run())
        if fault is not None:

            async def has_failed() -> bool:
                return any(entry.code == fault.code for entry in api.server.audit)

            await api.until(has_failed, "an Event cannot be sent")
            poster.post(event("z"))
            api.server.faults.remove("trouble")
        expected = len(set(texts)) - poster.dropped + (fault is not None)

        async def arrived() -> list[str] | None:
            found = [f"{one['message']}{one['count']}" for one in await api.items(PATH)]
            return found if len(found) == expected else None

        found = await api.until(arrived, "all Events arrive")
        posting.cancel()
        order = [e.name for e in api.server.audit if e.resource == "events" and e.code == 201]
        by_name = {one["metadata"]["name"]: one for one in await api.items(PATH)}
        assert len(found) == len(order)
        return [f"{by_name[name]['message']}{by_name[name]['count']}" for name in order], (
            poster.dropped
        )


@pytest.mark.parametrize(
    ("texts", "expected", "dropped"),
    [
        pytest.param("abc", ["a1", "b1", "c1"], 0, id="in-order"),
        pytest.param("aab", ["a2", "b1"], 0, id="equal-ones-count"),
        pytest.param("AbcD", ["A1", "c1", "D1"], 1, id="the-oldest-normal-one-goes"),
        pytest.param("ABCd", ["A1", "B1", "C1"], 1, id="even-the-newest"),
        pytest.param("ABCD", ["B1", "C1", "D1"], 1, id="a-warning-if-there-is-no-other"),
        pytest.param("abABcC", ["A1", "B1", "C1"], 3, id="several"),
    ],
)
def test_of_too_many_events_normal_ones_go_first_the_oldest_before_others(
    texts: str, expected: list[str], dropped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for three."""

    async def work(api: Api) -> None:
        assert await sent(api, texts) == (expected, dropped)

    with room_for(3, monkeypatch):
        scenario(work)


def test_an_event_that_cannot_be_sent_keeps_its_place() -> None:
    """And comes once."""

    async def work(api: Api) -> None:
        fault = Fault(action=Action.FAIL, code=503, resources=frozenset({"events"}))
        assert await sent(api, "ab", fault) == (["a1", "b1", "z1"], 0)

    scenario(work)
