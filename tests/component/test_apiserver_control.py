"""The embedded API server's counters, audit, control socket, start and stop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from playground.apiserver import Action, ApiServer, Fault
from playground.apiserver.errors import ApiError
from tests.component.apiserver_http import CONFIG_MAPS, SERVICES, Http, JsonObject, named, play


def test_requests_are_counted_by_client_verb_and_resource() -> None:
    """Without a token the program in the User-Agent is the client."""

    async def scenario(server: ApiServer, http: Http) -> None:
        await http.ask("GET", CONFIG_MAPS)
        await http.ask("GET", CONFIG_MAPS)
        await http.ask("GET", f"{SERVICES}/none/status")
        await http.ask("DELETE", CONFIG_MAPS, client="other")
        async with http.watch():
            pass
        agent = {"User-Agent": "informer/1.2 (linux)"}
        async with aiohttp.ClientSession(server.url, headers=agent) as session:
            await session.get("/version")
        assert server.requests.counts == {
            ("me", "list", "configmaps"): 2,
            ("me", "get", "services/status"): 1,
            ("other", "deletecollection", "configmaps"): 1,
            ("me", "watch", "configmaps"): 1,
            ("informer", "get", "/version"): 1,
        }
        assert server.requests.total(client="me") == 4
        assert server.requests.total(verb="list", resource="configmaps") == 2

    play(scenario)


def test_every_write_is_audited_and_no_read_is() -> None:
    """With its outcome: whether it succeeded and whether it changed anything."""

    async def scenario(server: ApiServer, http: Http) -> None:
        await http.ask("POST", CONFIG_MAPS, named("one"))
        await http.ask("PATCH", f"{CONFIG_MAPS}/one", {})
        await http.ask("PATCH", f"{CONFIG_MAPS}/one", {"data": {"a": "b"}}, client="other")
        await http.ask("GET", f"{CONFIG_MAPS}/one")
        await http.ask("PUT", f"{CONFIG_MAPS}/none", named("none"))
        await http.ask("DELETE", f"{CONFIG_MAPS}/one")
        assert [
            (e.client, e.verb, e.resource, e.namespace, e.name, e.code, e.is_changed)
            for e in server.audit
        ] == [
            ("me", "create", "configmaps", "default", "one", 201, True),
            ("me", "patch", "configmaps", "default", "one", 200, False),
            ("other", "patch", "configmaps", "default", "one", 200, True),
            ("me", "update", "configmaps", "default", "none", 404, False),
            ("me", "delete", "configmaps", "default", "one", 200, True),
        ]

    play(scenario)


def test_everything_can_be_controlled_over_a_socket(tmp_path: Path) -> None:
    """Faults, one-off actions, counters, audit."""
    path = tmp_path / "control"

    async def scenario(server: ApiServer, http: Http) -> None:
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://control", connector=connector) as control:

            async def told(method: str, url: str, body: object = None) -> JsonObject:
                async with control.request(method, url, json=body) as reply:
                    assert reply.status == 200, await reply.text()
                    answer = await reply.json()
                    assert isinstance(answer, dict)
                    return answer

            fault = {"action": "fail", "code": 503, "resources": ["configmaps"]}
            told_back = await told(
                "PUT", "/faults", {"bookmarkSeconds": 30, "faults": {"a": fault}}
            )
            assert told_back["bookmarkSeconds"] == 30
            assert told_back["faults"]["a"]["code"] == 503
            assert await http.ask("GET", CONFIG_MAPS) == 503
            await told("PUT", "/faults/b", {"action": "fail", "code": 500})
            assert set((await told("DELETE", "/faults/a"))["faults"]) == {"b"}
            assert await http.ask("GET", CONFIG_MAPS) == 500
            assert (await told("DELETE", "/faults"))["faults"] == {}
            await http.ask("POST", CONFIG_MAPS, named("one"))
            async with http.watch():
                watches = (await told("GET", "/watches"))["watches"]
                assert watches == [{"client": "me", "resource": "configmaps"}]
                assert await told("POST", "/fail-watches?code=500&client=x") == {"failed": 0}
                assert await told("POST", "/drop-watches?resource=configmaps") == {"dropped": 1}
            await told("POST", "/vanish?resource=configmaps&namespace=default&name=one")
            assert await http.ask("GET", f"{CONFIG_MAPS}/one") == 404
            await told("POST", "/compact")
            counted = (await told("GET", "/requests"))["requests"]
            assert {"client": "me", "verb": "create", "resource": "configmaps", "count": 1} in (
                counted
            )
            (entry,) = (await told("GET", "/audit"))["audit"]
            assert (entry["name"], entry["code"], entry["is_changed"]) == ("one", 201, True)
            for name in ("requests", "audit"):
                await told("DELETE", f"/{name}")
                assert (await told("GET", f"/{name}"))[name] == []

    play(scenario, control=path)


@pytest.mark.parametrize(
    ("method", "url", "body", "code"),
    [
        ("PUT", "/faults", '{"faults": {"a": {"action": "explode"}}}', 400),
        ("PUT", "/faults/a", "{", 400),
        ("POST", "/vanish?resource=configmaps&namespace=default&name=none", None, 404),
    ],
)
def test_nonsense_on_the_socket_is_refused(
    tmp_path: Path, method: str, url: str, body: str | None, code: int
) -> None:
    """And changes nothing."""
    path = tmp_path / "control"

    async def scenario(server: ApiServer, _: Http) -> None:
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://control", connector=connector) as control:
            async with control.request(method, url, data=body) as reply:
                assert reply.status == code
            assert dict(server.faults.switches) == {}

    play(scenario, control=path)


def test_the_server_stops_although_watches_and_hanging_requests_are_open() -> None:
    """Promptly."""

    async def scenario() -> None:
        began = time.monotonic()
        async with aiohttp.ClientSession() as session:
            async with ApiServer() as server:
                server.faults.add(Fault(action=Action.HANG, verbs=frozenset({"create"})))
                url = server.url + CONFIG_MAPS
                watch = await session.get(url, params={"watch": "true"})
                hanging = asyncio.ensure_future(session.post(url, json=named("one")))
                while not server.requests.total(verb="create"):  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0)
            with pytest.raises(aiohttp.ClientError):
                await hanging
            watch.close()
        assert time.monotonic() - began < 5

    asyncio.run(scenario())


def test_several_addresses_share_one_port() -> None:
    """IPv4 and IPv6, for clusters of both."""

    async def scenario() -> None:
        async with ApiServer(host=["127.0.0.1", "::1"]) as server:
            port = server.url.rpartition(":")[2]
            async with aiohttp.ClientSession() as session:
                for host in ("127.0.0.1", "[::1]"):
                    async with session.get(f"http://{host}:{port}/readyz") as reply:
                        assert await reply.text() == "ok"

    asyncio.run(scenario())


def test_an_error_of_the_user_comes_out_as_it_is() -> None:
    """Not wrapped in a group, so that a failed assertion reads as one."""

    async def scenario() -> None:
        async with ApiServer():
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(scenario())


def test_a_definition_that_cannot_be_loaded_stops_the_start(tmp_path: Path) -> None:
    """With what is wrong with it."""
    (tmp_path / "broken.yaml").write_text(
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, "
        "metadata: {name: broken.example}, spec: {group: example, scope: Nowhere}}"
    )

    async def scenario() -> None:
        async with ApiServer(crds=tmp_path):
            pass

    with pytest.raises(ApiError, match=r"spec\.scope"):
        asyncio.run(scenario())
