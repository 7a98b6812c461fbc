"""What an API server makes of the CRDs: what it takes, and what it says of the rest."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from playground.apiserver import ApiServer

CRDS = Path(__file__).parents[2] / "crds"
PLURALS = {"ServiceGroup": "servicegroups", "LBNodeAgent": "lbnodeagents"}

# Complete objects as PureLB's users have them; nothing may be refused or changed.
GOOD = {
    "local, both families": """
        kind: ServiceGroup
        spec:
          local:
            v4pool: {pool: 10.1.0.240-10.1.0.250, subnet: 10.1.0.0/24, aggregation: default}
            v6pool: {pool: "fd53:9ef0:8683::-fd53:9ef0:8683::3", subnet: "fd53:9ef0:8683::/120"}
            skipIPv6DAD: true
    """,
    "local, several ranges": """
        kind: ServiceGroup
        spec:
          local:
            v4pools:
            - {pool: 192.168.1.240-192.168.1.250, subnet: 192.168.1.0/24}
            - {pool: 192.168.2.240/28, subnet: 192.168.2.0/24, aggregation: /32}
            multiPool: true
    """,
    "multiPool with balancePools, refused only at allocation": """
        kind: ServiceGroup
        spec: {local: {multiPool: true, balancePools: true}}
    """,
    "local without any range": """
        kind: ServiceGroup
        spec: {local: {}}
    """,
    "remote with aggregation": """
        kind: ServiceGroup
        spec:
          remote:
            v4pool: {pool: 10.240.0.0/24, subnet: 10.240.0.0/24, aggregation: /32}
            v6pools: [{pool: "fd00:1::/120", subnet: "fd00:1::/64", aggregation: /128}]
            balancePools: true
    """,
    "shortest aggregation": """
        kind: ServiceGroup
        spec: {remote: {v4pool: {pool: 10.0.0.0/8, subnet: 10.0.0.0/8, aggregation: /8}}}
    """,
    "ranges that make no sense": """
        kind: ServiceGroup
        spec: {local: {v4pool: {pool: 10.0.0.9-10.0.0.1, subnet: "fd00::/64"}}}
    """,
    "external": """
        kind: ServiceGroup
        spec: {external: {provider: netbox, socket: /run/ipam/other.sock, announce: remote}}
    """,
    "namespaces, one of them twice": """
        kind: ServiceGroup
        spec:
          namespaces: [team-a, team-a, 0team]
          enforceNamespaces: true
          namespaceDefault: true
          local: {v4pool: {pool: 10.1.0.0/24, subnet: 10.1.0.0/24}}
    """,
    "namespace flags that are off need no list": """
        kind: ServiceGroup
        spec: {enforceNamespaces: false, namespaceDefault: false, local: {}}
    """,
    "reservations": """
        kind: ServiceGroup
        spec:
          local: {v4pool: {pool: 192.0.2.0/24, subnet: 192.0.2.0/24}}
          reservations: [{address: 192.0.2.1, service: shop/web}]
    """,
    "a cool-down": """
        kind: ServiceGroup
        spec:
          local: {v4pool: {pool: 192.0.2.0/24, subnet: 192.0.2.0/24}}
          coolDown: 1h30m0.5s
    """,
    "empty list of namespaces": """
        kind: ServiceGroup
        spec: {namespaces: [], local: {}}
    """,
    "as installed": """
        kind: LBNodeAgent
        spec: {local: {localInterface: default, dummyInterface: kube-lb0}}
    """,
    "everything an agent can be told": """
        kind: LBNodeAgent
        spec:
          nodeSelector:
            matchLabels: {kubernetes.io/os: linux}
            matchExpressions:
            - {key: rack, operator: In, values: [a, b]}
            - {key: gpu, operator: DoesNotExist}
          local:
            localInterface: ^enp[0-9]+$
            dummyInterface: lb0
            interfaces: [eth1, eth2.100]
            garpConfig: {enabled: false, initialDelay: 1.5s, count: 10, interval: 1m30s,
                         verifyBeforeSend: false}
            addressConfig:
              localInterface: {validLifetime: 0, preferredLifetime: 0, noPrefixRoute: false}
              dummyInterface: {validLifetime: 3600, noPrefixRoute: true}
    """,
    "agent that configures nothing": """
        kind: LBNodeAgent
        spec: {}
    """,
    "expression and selector that do not parse": """
        kind: LBNodeAgent
        spec:
          nodeSelector: {matchExpressions: [{key: rack, operator: Like}]}
          local: {localInterface: "["}
    """,
    "catch-all selector and a duration that does not parse": """
        kind: LBNodeAgent
        spec: {nodeSelector: {}, local: {localInterface: "", garpConfig: {interval: soon}}}
    """,
    "our additions": """
        kind: ServiceGroup
        spec: {local: {fencing: strict, v4pool: {pool: 10.2.0.0/24, subnet: 10.2.0.0/24}}}
    """,
    "our addition to agents": """
        kind: LBNodeAgent
        spec: {local: {garpConfig: {refreshInterval: 0s}}}
    """,
}

# Objects that PureLB refuses as well, with what the person reads.
BAD = {
    "no pool kind": (
        "kind: ServiceGroup\nspec: {}",
        'exactly one of local, remote, or external must be given: write "local" with v4pool',
    ),
    "two pool kinds": (
        "kind: ServiceGroup\nspec: {local: {}, remote: {}}",
        "exactly one of local, remote, or external must be given",
    ),
    "all pool kinds": (
        "kind: ServiceGroup\n"
        "spec: {local: {}, remote: {}, external: {provider: x, announce: local}}",
        "exactly one of local, remote, or external must be given",
    ),
    "enforcing nothing": (
        "kind: ServiceGroup\nspec: {local: {}, enforceNamespaces: true}",
        "enforceNamespaces requires a non-empty namespaces list: write the namespaces that may",
    ),
    "default of nothing": (
        "kind: ServiceGroup\nspec: {local: {}, namespaceDefault: true, namespaces: []}",
        "namespaceDefault requires a non-empty namespaces list: write the namespaces this group",
    ),
    "reservations of an external group": (
        "kind: ServiceGroup\nspec: {external: {provider: x, announce: local}, reservations: []}",
        "reservations need a local or remote group: write them at the external provider",
    ),
    "a cool-down of an external group": (
        "kind: ServiceGroup\nspec: {external: {provider: x, announce: local}, coolDown: 10m}",
        "coolDown needs a local or remote group: write it at the external provider",
    ),
    "a cool-down without a unit": (
        "kind: ServiceGroup\nspec: {local: {}, coolDown: '10'}",
        "spec.coolDown: Invalid value",
    ),
    "a cool-down that is negative": (
        "kind: ServiceGroup\nspec: {local: {}, coolDown: -10m}",
        "spec.coolDown: Invalid value",
    ),
    "a reservation for no Service": (
        "kind: ServiceGroup\nspec: {local: {}, reservations: [{address: 192.0.2.1, service: web}]}",
        "spec.reservations[0].service: Invalid value",
    ),
    "a reservation of no address": (
        "kind: ServiceGroup\n"
        "spec: {local: {}, reservations: [{address: first, service: shop/web}]}",
        "spec.reservations[0].address: Invalid value",
    ),
    "one address reserved twice": (
        "kind: ServiceGroup\nspec: {local: {}, reservations: "
        "[{address: 192.0.2.1, service: shop/a}, {address: 192.0.2.1, service: shop/b}]}",
        "spec.reservations[1]: Duplicate value",
    ),
    "no spec": ("kind: ServiceGroup", "spec: Required value"),
    "aggregation without slash": (
        "kind: ServiceGroup\nspec: {remote: {v4pool: {pool: a, subnet: b, aggregation: '32'}}}",
        "spec.remote.v4pool.aggregation: Invalid value",
    ),
    "aggregation that is empty": (
        "kind: ServiceGroup\nspec: {local: {v4pools: [{pool: a, subnet: b, aggregation: ''}]}}",
        "spec.local.v4pools[0].aggregation: Invalid value",
    ),
    "aggregation too short": (
        "kind: ServiceGroup\nspec: {local: {v6pool: {pool: a, subnet: b, aggregation: /7}}}",
        "spec.local.v6pool.aggregation: Invalid value",
    ),
    "aggregation too long": (
        "kind: ServiceGroup\nspec: {local: {v6pool: {pool: a, subnet: b, aggregation: /129}}}",
        "spec.local.v6pool.aggregation: Invalid value",
    ),
    "range without subnet": (
        "kind: ServiceGroup\nspec: {local: {v4pool: {pool: 10.0.0.0/24}}}",
        "spec.local.v4pool.subnet: Required value",
    ),
    "provider without name": (
        "kind: ServiceGroup\nspec: {external: {provider: '', announce: local}}",
        "spec.external.provider: Invalid value",
    ),
    "provider announced somehow": (
        "kind: ServiceGroup\nspec: {external: {provider: x, announce: both}}",
        'supported values: "local", "remote"',
    ),
    "namespace that is no name": (
        "kind: ServiceGroup\nspec: {local: {}, namespaces: [Team_A]}",
        "spec.namespaces[0]: Invalid value",
    ),
    "unknown fencing": (
        "kind: ServiceGroup\nspec: {local: {fencing: none}}",
        'supported values: "strict", "fast", "available"',
    ),
    "too many transmissions": (
        "kind: LBNodeAgent\nspec: {local: {garpConfig: {count: 11}}}",
        "spec.local.garpConfig.count: Invalid value",
    ),
    "negative lifetime": (
        "kind: LBNodeAgent\nspec: {local: {addressConfig: {localInterface: {validLifetime: -1}}}}",
        "spec.local.addressConfig.localInterface.validLifetime: Invalid value",
    ),
    "expression without operator": (
        "kind: LBNodeAgent\nspec: {nodeSelector: {matchExpressions: [{key: a}]}}",
        "spec.nodeSelector.matchExpressions[0].operator: Required value",
    ),
}


def manifest(text: str) -> dict[str, Any]:
    """Complete a manifest of this file."""
    body: dict[str, Any] = yaml.safe_load(text)
    return {"apiVersion": "purelb.io/v2", "metadata": {"name": "x"}} | body


def create(body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Create an object on a fresh server; returns the HTTP status and the answer."""

    async def scenario() -> tuple[int, dict[str, Any]]:
        async with (
            ApiServer(crds=CRDS) as server,
            aiohttp.ClientSession() as http,
            http.post(
                f"{server.url}/apis/purelb.io/v2/namespaces/default/{PLURALS[body['kind']]}",
                json=body,
            ) as reply,
        ):
            return reply.status, await reply.json()

    return asyncio.run(scenario())


def contains(whole: object, part: object) -> bool:
    """Tell whether a value has all of another; maps may have more keys, which are defaults."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        pairs = zip(whole, part, strict=False)
        return len(whole) == len(part) and all(contains(a, b) for a, b in pairs)
    return whole == part


@pytest.mark.parametrize("name", GOOD)
def test_a_manifest_that_purelb_accepts_is_accepted_as_it_is(name: str) -> None:
    """Every value that was sent is stored."""
    body = manifest(GOOD[name])
    status, answer = create(body)
    assert (status, answer.get("message")) == (201, None)
    assert contains(answer["spec"], body["spec"])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_refused_with_a_message_that_helps(name: str) -> None:
    """Nothing is refused that PureLB takes; what is refused is explained."""
    text, message = BAD[name]
    status, answer = create(manifest(text))
    assert (status, answer["reason"]) == (422, "Invalid")
    assert message in answer["message"]


def test_what_is_left_out_is_filled_in_as_purelb_does() -> None:
    """Only where PureLB's own schema has a default."""
    _, group = create(
        manifest("kind: ServiceGroup\nspec: {external: {provider: x, announce: local}}")
    )
    assert group["spec"] == {
        "external": {"provider": "x", "announce": "local", "socket": "/var/run/purelb/ipam.sock"},
        "enforceNamespaces": False,
        "namespaceDefault": False,
    }
    _, agent = create(manifest("kind: LBNodeAgent\nspec: {local: {garpConfig: {}}}"))
    assert agent["spec"]["local"] == {
        "localInterface": "default",
        "dummyInterface": "kube-lb0",
        "garpConfig": {
            "enabled": True,
            "initialDelay": "100ms",
            "count": 3,
            "interval": "500ms",
            "verifyBeforeSend": True,
        },
    }


def test_an_unknown_field_of_an_older_manifest_is_dropped_not_refused() -> None:
    """DAD is a matter of local pools: PureLB's schema has no such field under remote."""
    text = "kind: ServiceGroup\nspec: {remote: {skipIPv6DAD: true}}"
    status, answer = create(manifest(text))
    assert status == 201
    assert "skipIPv6DAD" not in answer["spec"]["remote"]
