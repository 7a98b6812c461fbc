"""The embedded API server's fault switches."""

from __future__ import annotations

import asyncio
import contextlib
import time

import aiohttp
import pytest

from playground.apiserver import Action, ApiServer, Fault, Limits
from tests.component.apiserver_http import CONFIG_MAPS, SERVICES, Http, Stream, named, play


def test_a_refused_client_gets_no_answer_and_others_do() -> None:
    """The connection is closed; switched off, all is well."""

    async def scenario(server: ApiServer, http: Http) -> None:
        name = server.faults.add(Fault(action=Action.REFUSE, clients=frozenset({"me"})))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await http.ask("POST", CONFIG_MAPS, named("one"))
        assert await http.ask("POST", CONFIG_MAPS, named("two"), client="other") == 201
        server.faults.remove(name)
        assert await http.ask("GET", f"{CONFIG_MAPS}/one") == 404
        assert await http.ask("GET", f"{CONFIG_MAPS}/two") == 200

    play(scenario)


def test_a_hanging_request_is_never_answered_and_changes_nothing() -> None:
    """Until the client gives up."""

    async def scenario(server: ApiServer, http: Http) -> None:
        server.faults.add(Fault(action=Action.HANG, verbs=frozenset({"create"})))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await http.ask("POST", CONFIG_MAPS, named("one"))
        assert await http.ask("GET", f"{CONFIG_MAPS}/one") == 404
        assert [(entry.verb, entry.code) for entry in server.audit] == [("create", 0)]

    play(scenario)


def test_an_answer_can_be_lost_after_the_request_was_carried_out() -> None:
    """The client cannot know whether it was."""

    async def scenario(server: ApiServer, http: Http) -> None:
        server.faults.add(Fault(action=Action.LOSE, verbs=frozenset({"create"})))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await http.ask("POST", CONFIG_MAPS, named("one"))
        assert await http.ask("GET", f"{CONFIG_MAPS}/one") == 200
        assert [(entry.verb, entry.code) for entry in server.audit] == [("create", 0)]

    play(scenario)


def test_an_answer_can_be_late() -> None:
    """By the seconds asked for, on the resource asked for."""

    async def scenario(server: ApiServer, http: Http) -> None:
        late = Fault(action=Action.DELAY, seconds=0.3, resources=frozenset({"configmaps"}))
        server.faults.add(late)
        began = time.monotonic()
        assert await http.ask("GET", CONFIG_MAPS) == 200
        assert time.monotonic() - began >= 0.3

    play(scenario)


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_share_of_requests_fails(code: int) -> None:
    """Evenly spread, with a Status and, if asked for, the time to come back."""

    async def scenario(server: ApiServer, http: Http) -> None:
        server.faults.add(Fault(action=Action.FAIL, code=code, rate=0.25, retry_after_seconds=3))
        replies = [await http.read("GET", CONFIG_MAPS) for _ in range(8)]
        assert [reply[0] for reply in replies] == [200, 200, 200, code] * 2
        status = replies[3][1]
        assert (status["kind"], status["code"]) == ("Status", code)
        assert status["details"]["retryAfterSeconds"] == 3

    play(scenario)


def test_a_failure_says_when_to_come_back() -> None:
    """In the header that clients obey."""

    async def scenario(server: ApiServer, _: Http) -> None:
        server.faults.add(Fault(action=Action.FAIL, code=429, retry_after_seconds=7))
        async with aiohttp.ClientSession(server.url) as session, session.get(SERVICES) as reply:
            assert (reply.status, reply.headers["Retry-After"]) == (429, "7")

    play(scenario)


def test_a_verb_on_a_resource_can_be_forbidden() -> None:
    """403 as from RBAC; the status is a resource of its own."""

    async def scenario(server: ApiServer, http: Http) -> None:
        resources = frozenset({"services/status"})
        server.faults.add(
            Fault(action=Action.FORBID, verbs=frozenset({"patch"}), resources=resources)
        )
        body = named("web", spec={"type": "LoadBalancer", "ports": [{"port": 80}]})
        assert await http.ask("POST", SERVICES, body) == 201
        assert await http.ask("PATCH", f"{SERVICES}/web", {}) == 200
        code, status = await http.read("PATCH", f"{SERVICES}/web/status", {})
        assert (code, status["reason"]) == (403, "Forbidden")
        assert status["message"] == (
            'services "web" is forbidden: User "me" cannot patch resource "services/status" in '
            'API group "" in the namespace "default"'
        )
        assert await http.ask("PUT", f"{SERVICES}/web/status", body) == 200

    play(scenario)


def test_a_server_can_ignore_the_metadata_of_a_status_write() -> None:
    """The status is stored, the annotations are not."""

    async def scenario(server: ApiServer, http: Http) -> None:
        body = named("web", spec={"type": "LoadBalancer", "ports": [{"port": 80}]})
        await http.ask("POST", SERVICES, body)
        server.faults.add(Fault(action=Action.DROP_METADATA))
        patch = {
            "metadata": {"annotations": {"a": "b"}},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
        }
        code, service = await http.read("PATCH", f"{SERVICES}/web/status", patch)
        assert code == 200
        assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
        assert "annotations" not in service["metadata"]

    play(scenario)


def test_dropped_watches_break_off_without_an_end() -> None:
    """Only those of the client that is meant."""

    async def scenario(server: ApiServer, http: Http) -> None:
        async with http.watch() as mine, http.watch(client="other") as theirs:
            assert server.drop_watches(client="me") == 1
            with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
                await mine.rest()
            await http.ask("POST", CONFIG_MAPS, named("one"))
            assert (await theirs.next())["type"] == "ADDED"

    play(scenario)


def test_watches_can_end_with_an_error_event() -> None:
    """Once, or as long as the switch is on, for open and for new ones."""

    async def scenario(server: ApiServer, http: Http) -> None:
        async with http.watch() as watch:
            assert server.fail_watches(500) == 1
            (event,) = await watch.rest()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 500)
        async with http.watch() as watch:
            server.faults.add(Fault(action=Action.WATCH_ERROR, code=410), "broken")
            (event,) = await watch.rest()
            assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        async with http.watch() as watch:
            assert [event["type"] for event in await watch.rest()] == ["ERROR"]
        server.faults.remove("broken")
        async with http.watch() as watch:
            await http.ask("POST", CONFIG_MAPS, named("one"))
            assert (await watch.next())["type"] == "ADDED"

    play(scenario)


def test_a_stalled_watch_is_silent_and_then_catches_up() -> None:
    """No events, no bookmarks; nothing is lost."""

    async def scenario(server: ApiServer, http: Http) -> None:
        server.faults.bookmark_seconds = 0.01
        query = {"allowWatchBookmarks": "true"}
        async with http.watch(**query) as watch, http.watch(client="b", **query) as other:
            server.faults.add(Fault(action=Action.STALL, clients=frozenset({"me"})), "stall")
            await http.ask("POST", CONFIG_MAPS, named("one"))
            seen = [(await other.next())["type"] for _ in range(10)]
            assert {"ADDED", "BOOKMARK"} <= set(seen)
            reading = asyncio.ensure_future(watch.next())
            done, _ = await asyncio.wait([reading], timeout=0.1)
            while done and reading.result()["type"] == "BOOKMARK":  # sent before the stall
                reading = asyncio.ensure_future(watch.next())
                done, _ = await asyncio.wait([reading], timeout=0.1)
            assert not done
            server.faults.bookmark_seconds = 60
            server.faults.remove("stall")
            assert (await reading)["object"]["metadata"]["name"] == "one"
            await http.ask("POST", CONFIG_MAPS, named("two"))
            event = await watch.next()
            if event["type"] == "BOOKMARK":  # the one that was due at this very moment
                event = await watch.next()
            assert event["object"]["metadata"]["name"] == "two"

    play(scenario)


def test_bookmarks_come_as_often_as_asked_for() -> None:
    """Only to those who want them, with the version of everything."""

    async def scenario(server: ApiServer, http: Http) -> None:
        async with http.watch(allowWatchBookmarks="true") as watch:
            await http.ask("POST", SERVICES, named("web", spec={"ports": [{"port": 80}]}))
            server.faults.bookmark_seconds = 0.01
            event = await watch.next()
            assert event["type"] == "BOOKMARK"
            assert event["object"]["kind"] == "ConfigMap"
            version = int(event["object"]["metadata"]["resourceVersion"])
            assert version == server.store.versions.current
            async with http.watch() as other:
                assert (await watch.next())["type"] == "BOOKMARK"
                await http.ask("POST", CONFIG_MAPS, named("one"))
                assert (await other.next())["type"] == "ADDED"

    play(scenario)


def test_an_object_can_vanish_without_a_trace() -> None:
    """No event for open watches, 410 for those that go on from before."""

    async def scenario(server: ApiServer, http: Http) -> None:
        _, made = await http.read("POST", CONFIG_MAPS, named("one"))
        version = made["metadata"]["resourceVersion"]
        async with http.watch(resourceVersion=version) as watch:
            server.vanish("configmaps", "default", "one")
            await http.ask("POST", CONFIG_MAPS, named("two"))
            event = await watch.next()
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "two")
        assert await http.ask("GET", f"{CONFIG_MAPS}/one") == 404
        async with http.watch(resourceVersion=version) as watch:
            (event,) = await watch.rest()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)

    play(scenario)


def test_too_old_a_version_can_be_answered_by_http_status() -> None:
    """As other servers do."""

    async def scenario(server: ApiServer, http: Http) -> None:
        await http.ask("POST", CONFIG_MAPS, named("one"))
        server.compact()
        server.faults.add(Fault(action=Action.GONE_STATUS))
        async with http.watch(resourceVersion="1") as watch:
            assert watch.reply.status == 410

    play(scenario)


def test_a_watcher_that_does_not_read_is_cut_off() -> None:
    """What waits for it is bounded; a watcher that reads is not disturbed."""

    async def scenario(server: ApiServer, http: Http) -> None:
        async with http.watch(client="lazy") as lazy, http.watch(client="keen") as keen:
            seen = asyncio.ensure_future(read_all(keen))
            for number in range(400):
                body = named(f"big-{number}", data={"x": "y" * 50_000})
                assert await http.ask("POST", CONFIG_MAPS, body) == 201
                if ("lazy", "configmaps") not in server.open_watches():
                    break
            assert sorted(server.open_watches()) == [("keen", "configmaps")]
            with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
                await lazy.rest()
            seen.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await seen

    async def read_all(stream: Stream) -> None:
        while True:
            await stream.reply.content.readany()

    play(scenario, Limits(watch_bytes=1_000_000))


def test_history_is_bounded() -> None:
    """The oldest changes go first, and with them the versions to start from."""

    async def scenario(server: ApiServer, http: Http) -> None:
        versions = []
        for number in range(5):
            _, made = await http.read("POST", CONFIG_MAPS, named(f"m{number}"))
            versions.append(made["metadata"]["resourceVersion"])
        async with http.watch(resourceVersion=versions[0]) as watch:
            assert (await watch.next())["type"] == "ERROR"
        async with http.watch(resourceVersion=versions[1]) as watch:
            assert (await watch.next())["object"]["metadata"]["name"] == "m2"
        assert len(server.audit) == 5

    play(scenario, Limits(history=3))
