"""Every field of an LBNodeAgent with a value that cannot be used: refused, or told by name."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from nodeagent.core.config import NodeConfig, choose
from playground.apiserver import ApiServer
from purelb.api.identifiers import NodeName
from purelb.api.resources import NodeAgent, convert
from purelb.api.views import NodeView

CRDS = Path(__file__).parents[2] / "crds"
NODE = NodeView(name=NodeName("node-a"))
REFUSED = ""  # by the API server, with the field's path in its message
SELECTOR = "spec.nodeSelector"
LOCAL = "spec.local"

# Path of the field → values that cannot be used, and what the agent's finding names.
FIELDS: dict[str, list[tuple[object, str]]] = {
    "nodeSelector": [("zone=a", REFUSED)],
    "nodeSelector.matchLabels": [({"no/such/key": "a"}, SELECTOR), ({"zone": 7}, REFUSED)],
    "nodeSelector.matchExpressions": [({}, REFUSED)],
    "nodeSelector.matchExpressions[].key": [("-rack", SELECTOR), (7, REFUSED)],
    "nodeSelector.matchExpressions[].operator": [("Like", SELECTOR), (7, REFUSED)],
    "nodeSelector.matchExpressions[].values": [([], SELECTOR), (["a b"], SELECTOR), ("a", REFUSED)],
    "local": [([], REFUSED)],
    "local.localInterface": [("eth[", f"{LOCAL}.localInterface"), (7, REFUSED)],
    "local.dummyInterface": [("kube lb0", f"{LOCAL}.dummyInterface"), (7, REFUSED)],
    "local.interfaces": [
        (["eth1", "a-name-that-is-too-long"], f"{LOCAL}.interfaces[1]"),
        (["kube-lb0"], f"{LOCAL}.interfaces[0]"),
        ([7], REFUSED),
    ],
    "local.nonRevertive": [("yes", REFUSED), (7, REFUSED)],
    "local.garpConfig": [(True, REFUSED)],
    "local.garpConfig.enabled": [("yes", REFUSED)],
    "local.garpConfig.initialDelay": [("100", f"{LOCAL}.garpConfig.initialDelay"), (7, REFUSED)],
    "local.garpConfig.count": [(0, REFUSED), (11, REFUSED), ("3", REFUSED)],
    "local.garpConfig.interval": [("-1s", f"{LOCAL}.garpConfig.interval"), (7, REFUSED)],
    "local.garpConfig.verifyBeforeSend": [("yes", REFUSED)],
    "local.garpConfig.refreshInterval": [("soon", f"{LOCAL}.garpConfig.refreshInterval")],
    "local.addressConfig": [([], REFUSED)],
}
FIELDS |= {
    f"local.addressConfig.{kind}{field}": list(values)
    for kind in ("localInterface", "dummyInterface")
    for field, values in {
        "": ((300, REFUSED),),
        ".validLifetime": (
            (1, f"{LOCAL}.addressConfig.{kind}.validLifetime"),
            (2**32, f"{LOCAL}.addressConfig.{kind}.validLifetime"),
            (-1, REFUSED),
            ("5m", REFUSED),
        ),
        ".preferredLifetime": (
            (2**31, f"{LOCAL}.addressConfig.{kind}.preferredLifetime"),
            (-1, REFUSED),
        ),
        ".noPrefixRoute": (("yes", REFUSED),),
    }.items()
}
# What a field needs beside it to make sense.
BESIDE: dict[str, dict[str, object]] = {
    "nodeSelector.matchExpressions[].key": {"operator": "Exists"},
    "nodeSelector.matchExpressions[].operator": {"key": "rack"},
    "nodeSelector.matchExpressions[].values": {"key": "rack", "operator": "In"},
    "local.addressConfig.dummyInterface.preferredLifetime": {"validLifetime": 600},
}
CASES = [
    pytest.param(path, value, subject, id=f"{path}={value}")
    for path, values in FIELDS.items()
    for value, subject in values
]


def nested(path: str, value: object) -> dict[str, Any]:
    """Build a spec with one field, and what it needs."""
    *parents, last = path.split(".")
    body: Any = BESIDE.get(path, {}) | {last: value}
    for name in reversed(parents):
        body = {name.removesuffix("[]"): [body] if name.endswith("[]") else body}
    found: dict[str, Any] = body
    return found


def create(spec: dict[str, Any], validation: str = "Ignore") -> tuple[int, dict[str, Any]]:
    """Create an LBNodeAgent on a fresh server; returns the HTTP status and the answer."""
    body = {
        "apiVersion": "purelb.io/v2",
        "kind": "LBNodeAgent",
        "metadata": {"name": "x"},
        "spec": spec,
    }
    path = f"/apis/purelb.io/v2/namespaces/default/lbnodeagents?fieldValidation={validation}"

    async def scenario() -> tuple[int, dict[str, Any]]:
        async with (
            ApiServer(crds=CRDS) as server,
            aiohttp.ClientSession() as http,
            http.post(server.url + path, json=body) as reply,
        ):
            return reply.status, await reply.json()

    return asyncio.run(scenario())


def paths(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the path of every field of a schema."""
    for name, field in schema.get("properties", {}).items():
        path = f"{above}{name}"
        yield path
        yield from paths(field, f"{path}.")
        yield from paths(field.get("items", {}), f"{path}[].")


@pytest.mark.parametrize(("path", "value", "subject"), CASES)
def test_a_value_that_cannot_be_used_is_refused_or_told(
    path: str, value: object, subject: str
) -> None:
    """The server's message or the agent's finding names the field."""
    status, answer = create(nested(path, value))
    if subject == REFUSED:
        assert status == 422
        assert f"spec.{path.split('[]')[0]}" in answer["message"]
        return
    assert status == 201, answer
    found = choose([convert(answer, NodeAgent)], NODE)
    assert [one.subject for one in found.findings] == [subject]
    goes_on = isinstance(found, NodeConfig)
    assert goes_on is (subject not in (SELECTOR, f"{LOCAL}.localInterface"))


def test_the_table_has_every_field_of_the_schema() -> None:
    """A new field needs a line here."""
    crd = yaml.safe_load((CRDS / "lbnodeagents.purelb.io.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(paths(schema)) == set(FIELDS)


def test_an_unknown_field_is_refused_where_the_client_asks_for_that() -> None:
    """As kubectl does; other clients' unknown fields are dropped, as before."""
    spec = {"local": {"localInterfaces": "default"}}
    status, answer = create(spec, "Strict")
    assert status == 400
    assert 'unknown field "spec.local.localInterfaces"' in answer["message"]
    status, answer = create(spec)
    assert (status, "localInterfaces" in answer["spec"]["local"]) == (201, False)
