"""What an API server makes of BGPConfigurations and of the status that sidecars write."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bgp.core.model import Vrf
from bgp.core.status import node_object
from playground.apiserver import ApiServer
from purelb.api.identifiers import Uid
from tests.component.test_crd_admission import CRDS, contains
from tests.unit.bgp.builders import body, group, neighbor
from tests.unit.bgp.everything import everything
from tests.unit.bgp.nodestates import ENGINE, state, told

Body = dict[str, Any]
GROUP = "/apis/bgp.purelb.io/v1"

GOOD: Mapping[str, Body] = {
    "the smallest": {"global": {"asn": 1}},
    "every field": everything(),
    "an ASN that int32 cannot hold": body(**{"global": {"asn": 4_294_967_295}}),
    "values that make no sense, and never had an effect": body(
        definedSets=[{"type": "neighbours", "name": ""}],
        policyDefinitions=[
            {
                "name": "p",
                "statements": [
                    {"name": "s", "conditions": {}, "actions": {"routeAction": "maybe"}}
                ],
            }
        ],
        netlinkExport={"enabled": False, "routeProtocol": 9999},
    ),
    "a password by reference without a name": body(
        neighbors=[neighbor(config={"authPasswordSecretRef": {"key": "k"}})],
        peerGroups=[group()],
    ),
}
BAD: Mapping[str, tuple[Body, str]] = {
    "no global part": ({}, "spec.global: Required value"),
    "no ASN": ({"global": {}}, "spec.global.asn: Required value"),
    "a negative ASN": ({"global": {"asn": -1}}, "spec.global.asn: Invalid value"),
    "an ASN of five bytes": ({"global": {"asn": 2**32}}, "spec.global.asn: Invalid value"),
    "a neighbor without an address": (
        body(neighbors=[{"config": {"peerAsn": 1}}]),
        "set config.neighborAddress, or config.neighborInterface for an unnumbered session",
    ),
    "a neighbor without an ASN": (
        body(neighbors=[{"config": {"neighborAddress": "192.0.2.1"}}]),
        "spec.neighbors[0].config.peerAsn: Required value",
    ),
    "TTL security with multihop": (
        body(neighbors=[neighbor(ttlSecurity={"enabled": True}, ebgpMultihop={"enabled": True})]),
        "ttlSecurity and ebgpMultihop cannot go together",
    ),
    "a community that is none": (
        body(netlinkExport={"enabled": True, "rules": [{"name": "r", "communityList": ["x"]}]}),
        "spec.netlinkExport.rules[0].communityList[0]: Invalid value",
    ),
    "a short heartbeat": (
        body(**{"global": {"asn": 1, "nodeStatus": {"heartbeatSeconds": 9}}}),
        "spec.global.nodeStatus.heartbeatSeconds: Invalid value",
    ),
    "a text for a number": (
        body(**{"global": {"asn": "64512"}}),
        "spec.global.asn: Invalid value",
    ),
}


def create(spec: Body) -> tuple[int, Body]:
    """Create a BGPConfiguration on a fresh server; returns the HTTP status and the answer."""
    content = {
        "apiVersion": "bgp.purelb.io/v1",
        "kind": "BGPConfiguration",
        "metadata": {"name": "default"},
        "spec": spec,
    }

    async def scenario() -> tuple[int, Body]:
        async with (
            ApiServer(crds=CRDS) as server,
            aiohttp.ClientSession() as http,
            http.post(f"{server.url}{GROUP}/namespaces/default/configs", json=content) as reply,
        ):
            return reply.status, await reply.json()

    return asyncio.run(scenario())


@pytest.mark.parametrize("name", GOOD)
def test_a_configuration_is_accepted_and_stored_as_it_is(name: str) -> None:
    """Also what conditions have something to say about."""
    status, answer = create(GOOD[name])
    assert (status, answer.get("message")) == (201, None)
    assert contains(answer["spec"], GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_never_worked_is_refused_with_its_path(name: str) -> None:
    """Before it is stored."""
    spec, message = BAD[name]
    status, answer = create(spec)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert message in answer["message"]


def test_nothing_of_a_written_status_is_refused_or_dropped() -> None:
    """The schema has every field that a sidecar writes."""
    full = replace(
        state(),
        uid=Uid(""),  # objects whose owner is not there are deleted
        actual=replace(ENGINE, vrfs={"red": Vrf(name="red", number=1, distinguisher="64512:1")}),
    )
    status = told(full)

    async def scenario() -> Body:
        async with ApiServer(crds=CRDS) as server, aiohttp.ClientSession() as http:
            base = f"{server.url}{GROUP}/bgpnodestatuses"
            async with http.post(base, json=node_object(full)) as reply:
                assert reply.status == 201, await reply.text()
            patch = {"Content-Type": "application/merge-patch+json"}
            async with http.patch(
                f"{base}/node-a/status", json={"status": status}, headers=patch
            ) as reply:
                answer: Body = await reply.json()
                assert reply.status == 200, answer
                return answer

    assert asyncio.run(scenario())["status"] == status
