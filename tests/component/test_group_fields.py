"""Every field of a ServiceGroup with a value that cannot be used: refused, or told on the group.

And none of these groups keeps another one from serving.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import yaml

from playground.apiserver import ApiServer
from tests.component.harness import CRDS, NAMESPACE, Api, allocator, scenario

GROUPS = f"/apis/purelb.io/v2/namespaces/{NAMESPACE}/servicegroups"
REFUSED = ""  # by the API server, with the field's path in its message


@dataclass(frozen=True, slots=True)
class Invalid:
    """The group is not accepted, and says why in words of which these are a part."""

    words: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The group serves, and says what of it is not used."""

    words: str


Outcome = str | Invalid | Warned
Rows = list[tuple[object, Outcome]]

# `#` is a number of each case's own. What stands beside the field is in BESIDE.
V4_POOL: Rows = [
    ("10.#.0.0", Invalid("'10.#.0.0' has no prefix length; write 10.#.0.0/32, a wider one,")),
    ("10.#.0.0/255.255.255.0", Invalid("which is not a number")),
    ("10.#.0.0/33", Invalid("has a prefix length outside 0..32")),
    ("010.#.0.0/24", Invalid("'010.#.0.0' is not an IP address")),
    ("10.#.0.9-10.#.0.1", Invalid("10.#.0.9 comes after 10.#.0.1")),
    ("10.#.0.1-2001:db8::1", Invalid("are of different families")),
    ("10.#.0.1-", Invalid("'' is not an IP address")),
    ("", Invalid("has no prefix length")),
    ("2001:db8:#::/64", Invalid("is of the other family; move it")),
    ("10.#.1.0/24", Invalid('"10.#.1.0/24" is not inside its subnet "10.#.0.0/24"; widen')),
    ("10.#.0.200-10.#.1.3", Invalid("is not inside its subnet")),
    (7, REFUSED),
]
V4_SUBNET: Rows = [
    ("10.#.0.0", Invalid("'10.#.0.0' has no prefix length")),
    ("10.#.0.0/25", Invalid('"10.#.0.0/24" is not inside its subnet "10.#.0.0/25"')),
    ("2001:db8:#::/64", Invalid("is of the other family; move it")),
    ("", Invalid("has no prefix length")),
    (7, REFUSED),
]
V6_POOL: Rows = [
    ("2001:db8:#::", Invalid("has no prefix length")),
    ("2001:db8:#::/129", Invalid("has a prefix length outside 0..128")),
    ("2001:db8:#::9-2001:db8:#::1", Invalid("comes after")),
    ("fe80::1%eth0/64", Invalid("has a zone; write the address without it")),
    ("10.#.0.0/24", Invalid("is of the other family; move it")),
    ("2001:db8:#:1::/64", Invalid("is not inside its subnet")),
    (7, REFUSED),
]
V6_SUBNET: Rows = [
    ("2001:db8:#::", Invalid("has no prefix length")),
    ("10.#.0.0/24", Invalid("is of the other family; move it")),
    (7, REFUSED),
]
AGGREGATION: Rows = [("24", REFUSED), ("", REFUSED), ("/7", REFUSED), ("/129", REFUSED)]
OTHER: Rows = [(7, REFUSED), ("yes", REFUSED)]

FIELDS: dict[str, Rows] = {
    "local": [([], REFUSED), ({}, Invalid("it has no range; add one to v4pools or v6pools"))],
    "remote": [([], REFUSED), ({}, Invalid("it has no range; add one to v4pools or v6pools"))],
    "external": [([], REFUSED)],
    "external.provider": [("", REFUSED), (7, REFUSED)],
    "external.announce": [("both", REFUSED), ("", REFUSED), (7, REFUSED)],
    "external.socket": [(7, REFUSED), ("/nowhere/ipam.sock", Invalid("does not answer on socket"))],
    "namespaces": [("shop", REFUSED), (["Shop"], REFUSED), ([""], REFUSED), (["a" * 64], REFUSED)],
    "enforceNamespaces": [("yes", REFUSED), (True, REFUSED)],
    "namespaceDefault": [("yes", REFUSED), (True, REFUSED)],
    "coolDown": [("10", REFUSED), ("-1m", REFUSED), ("soon", REFUSED), (600, REFUSED)],
    "reservations": [("10.#.0.1", REFUSED)],
    "reservations[].address": [
        ("first", REFUSED),
        (7, REFUSED),
        ("10.#.0", Warned('its reservation of "10.#.0" for shop/web is not kept')),
        ("10.#.1.1", Warned("no range of the group has the address")),
        ("2001:db8::1", Warned("no range of the group has the address")),
    ],
    "reservations[].service": [("web", REFUSED), ("shop/Web", REFUSED), (7, REFUSED)],
    "local.skipIPv6DAD": OTHER,
    "local.fencing": [("none", REFUSED), (7, REFUSED)],
    "local.nonRevertive": [("yes", REFUSED), (7, REFUSED)],
}
for kind in ("local", "remote"):
    FIELDS |= {f"{kind}.multiPool": OTHER, f"{kind}.balancePools": OTHER}
    for family, pool, subnet in (("v4", V4_POOL, V4_SUBNET), ("v6", V6_POOL, V6_SUBNET)):
        for shape in ("pool", "pools[]"):
            path = f"{kind}.{family}{shape}"
            FIELDS[path.removesuffix("[]")] = [("10.0.0.0/24", REFUSED), (7, REFUSED)]
            FIELDS |= {f"{path}.pool": pool, f"{path}.subnet": subnet}
            FIELDS[f"{path}.aggregation"] = AGGREGATION
            if (kind, family) == ("remote", "v4"):
                told = Warned('the aggregation /64 of its range "10.#.0.0/24" is longer than IPv4')
                FIELDS[f"{path}.aggregation"] = [*AGGREGATION, ("/64", told)]

RANGE = {
    "v4": {"pool": "10.#.0.0/24", "subnet": "10.#.0.0/24"},
    "v6": {"pool": "2001:db8:#::/64", "subnet": "2001:db8:#::/64"},
}
LOCAL = {"local": {"v4pool": RANGE["v4"]}}
RESERVATION = {"address": "10.#.0.1", "service": "shop/web"}
EXTERNAL = {"provider": "ipam", "announce": "local"}

Case = tuple[str, object, Outcome]
CASES: list[Case] = [
    (path, value, outcome) for path, values in FIELDS.items() for value, outcome in values
]


def spec_of(path: str, value: object) -> dict[str, Any]:
    """Build a spec with one field, and what it needs beside it."""
    if "." not in path:
        kinds = {path: value} if path in ("local", "remote", "external") else {path: value} | LOCAL
        return kinds
    parents, _, last = path.rpartition(".")
    if parents == "external":
        return {"external": EXTERNAL | {last: value}}
    if parents == "reservations[]":
        return LOCAL | {"reservations": [RESERVATION | {last: value}]}
    kind, _, shape = parents.partition(".")
    if not shape:
        return {kind: {"v4pool": RANGE["v4"], last: value}}
    entry = RANGE[shape[:2]] | {last: value}
    return {kind: {shape.removesuffix("[]"): [entry] if shape.endswith("[]") else entry}}


def numbered(spec: dict[str, Any], number: int) -> dict[str, Any]:
    """Put the case's number into all texts."""
    found: dict[str, Any] = json.loads(json.dumps(spec).replace("#", str(number)))
    return found


def paths(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the path of every field of a schema."""
    for name, field in schema.get("properties", {}).items():
        path = f"{above}{name}"
        yield path
        yield from paths(field, f"{path}.")
        yield from paths(field.get("items", {}), f"{path}[].")


def test_the_table_has_every_field_of_the_schema() -> None:
    """A new field needs a line here."""
    crd = yaml.safe_load((CRDS / "servicegroups.purelb.io.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(paths(schema)) == set(FIELDS)


def test_what_the_schema_can_see_is_refused_by_name() -> None:
    """The message of the API server has the path of the field, or the rule in words."""

    async def work() -> None:
        async with ApiServer(crds=CRDS) as server, aiohttp.ClientSession(server.url) as http:
            for number, (path, value, outcome) in enumerate(CASES):
                if outcome != REFUSED:
                    continue
                body = manifest(f"g{number}", numbered(spec_of(path, value), number))
                url = "/apis/purelb.io/v2/namespaces/default/servicegroups"
                async with http.post(url, json=body) as reply:
                    answer = await reply.json()
                    assert reply.status == 422, (path, value, answer)
                    field = path.split("[]")[0].split(".")
                    said = answer["message"]
                    assert ".".join(field) in said or field[-1] in said, (path, value, said)

    asyncio.run(work())


def manifest(name: str, spec: object) -> dict[str, Any]:
    """Complete a ServiceGroup."""
    meta = {"name": name}
    return {"apiVersion": "purelb.io/v2", "kind": "ServiceGroup", "metadata": meta, "spec": spec}


TOLD = {number: case for number, case in enumerate(CASES) if case[2] != REFUSED}


def test_all_others_are_told_on_their_group_and_no_other_group_suffers() -> None:
    """All of them at once, between a good group that was there before and one that comes after."""

    async def work(api: Api) -> None:
        await api.group()
        for number, (path, value, _) in TOLD.items():
            spec = numbered(spec_of(path, value), number)
            await api.send("POST", GROUPS, manifest(f"g{number}", spec))
        async with allocator(api):
            await api.service("before")
            for number, (path, _, _) in TOLD.items():
                if path.startswith("external"):  # what a provider cannot do shows once it is asked
                    await api.service(f"asks{number}", {"purelb.io/service-group": f"g{number}"})
            await api.until(lambda: _is_told(api), "every group says what is wrong with it")
            v4 = {"pool": "198.51.100.0/30", "subnet": "198.51.100.0/24"}
            await api.group("last", local={"v4pool": v4})
            await api.service("after", {"purelb.io/service-group": "last"})
            assert await api.addresses("before") == ["192.0.2.0"]
            assert await api.addresses("after") == ["198.51.100.0"]
        for group in await api.items(GROUPS):
            if group["metadata"]["name"].startswith("g"):
                check(group, await _events(api))

    scenario(work)


def check(group: dict[str, Any], events: dict[str, list[str]]) -> None:
    """Compare what a group says with its line of the table."""
    name = group["metadata"]["name"]
    number = int(name.removeprefix("g"))
    path, value, outcome = TOLD[number]
    conditions = {one["type"]: one for one in group["status"]["conditions"]}
    ready, about = conditions["Ready"], (path, value, conditions)
    assert not isinstance(outcome, str)
    words = outcome.words.replace("#", str(number))
    assert words in ready["message"], about
    assert ready["status"] == ("True" if isinstance(outcome, Warned) else "False"), about
    if path.startswith("external"):
        return
    assert conditions["Invalid"]["status"] == ("False" if isinstance(outcome, Warned) else "True")
    assert any(words in text for text in events[name]), about


async def _is_told(api: Api) -> bool:
    events = await _events(api)
    return all(
        any(one["type"] == "Ready" for one in group.get("status", {}).get("conditions", ()))
        and (group["metadata"]["name"] in events or "external" in group["spec"])
        and ("external" not in group["spec"] or "does not answer" in str(group["status"]))
        for group in await api.items(GROUPS)
        if group["metadata"]["name"].startswith("g")
    )


async def _events(api: Api) -> dict[str, list[str]]:
    """Return the texts of all Warnings about groups, by name."""
    found: dict[str, list[str]] = {}
    for event in await api.items(f"/api/v1/namespaces/{NAMESPACE}/events"):
        if event["type"] == "Warning":
            found.setdefault(event["involvedObject"]["name"], []).append(event["message"])
    return found


@pytest.mark.parametrize("text", ["both", "true"])
def test_what_excludes_each_other_is_told_to_the_service(text: str) -> None:
    """`multiPool` and `balancePools` of one group, by its fields or by the annotation."""

    async def work(api: Api) -> None:
        await api.group()
        fields = {"balancePools": True, "multiPool": text == "both"}
        await api.group("mixed", local=numbered(LOCAL["local"], 1) | fields)
        keys = {"purelb.io/service-group": "mixed"}
        async with allocator(api):
            await api.service(
                "web", keys | ({} if text == "both" else {"purelb.io/multi-pool": text})
            )
            event = await api.warning("web")
            await api.service("good")
            await api.addresses("good")
        assert "mutually exclusive" in event["message"]

    scenario(work)
