"""Where a router ID comes from, with the values that k8gobgp 0.2 gives."""

from dataclasses import replace

import pytest

from bgp.core.findings import Finding
from bgp.core.routerid import DEFAULT_POOL, RouterId, Source, fnv1a, from_name, resolve
from tests.unit.bgp.builders import NODE

NOWHERE = replace(NODE, addresses=(("Hostname", "node-a"), ("InternalIP", "2001:db8::1")))


@pytest.mark.parametrize(
    ("name", "pool", "address"),
    [
        ("node-a", DEFAULT_POOL, "10.255.191.26"),
        ("node-b", DEFAULT_POOL, "10.255.194.173"),
        ("worker-1", DEFAULT_POOL, "10.255.26.34"),
        ("node-a", "10.9.8.0/24", "10.9.8.52"),
    ],
)
def test_a_name_gives_the_same_router_id_as_ever(name: str, pool: str, address: str) -> None:
    """A changed one would restart every session of an upgraded cluster."""
    assert from_name(name, pool) == address


def test_the_hash_is_fnv1a() -> None:
    """Published vectors."""
    assert fnv1a(b"node-a") == 0x04C3B593
    assert fnv1a(b"worker-1") == 0x73F9322D


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", RouterId("10.0.0.1", Source.EXPLICIT)),
        ("${NODE_IP}", RouterId("192.0.2.11", Source.TEMPLATE)),
        ("${NODE_IPV4}", RouterId("192.0.2.11", Source.TEMPLATE)),
        ("${NODE_EXTERNAL_IP}", RouterId("198.51.100.11", Source.TEMPLATE)),
        ("${node.annotations['example.com/id']}", RouterId("10.0.0.7", Source.TEMPLATE)),
        ("", RouterId("192.0.2.11", Source.NODE)),
    ],
)
def test_each_source_has_its_own_rule(text: str, expected: RouterId) -> None:
    """Explicit, templates, and the Node's own address."""
    assert resolve(text, "", NODE) == expected


def test_a_node_without_ipv4_gets_one_from_its_name() -> None:
    """Of the default pool."""
    assert resolve("", "", NOWHERE) == RouterId("10.255.191.26", Source.HASH)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("${NODE_IP}", "the Node has no IPv4 InternalIP"),
        ("${node.annotations['example.com/other']}", "lacks the annotation"),
        ("${node.annotations['example.com/bad']}", "is not an IPv4 address"),
    ],
)
def test_a_template_without_a_value_says_what_is_missing(text: str, fragment: str) -> None:
    """There is no fallback: the user asked for this one."""
    node = replace(NOWHERE, annotations={"example.com/bad": "x"})
    found = resolve(text, "", node)
    assert isinstance(found, Finding)
    assert fragment in found.message
