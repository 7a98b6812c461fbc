"""Every annotation of a Service with a value that is of no use: what becomes of it.

Either the Service waits and says why, or it is served as if the annotation were not there.
"""

import pytest

from purelb.api import annotations
from tests.component.harness import Api, allocator, ingress, scenario

SERVED = ""  # with the lowest free address
FREE = "192.0.2.1"  # the lowest one beside the holder's
P = annotations.PREFIX

# Annotation → values, and what the Warning says about each; SERVED where there is none.
TABLE: dict[str, dict[str, str]] = {
    annotations.SERVICE_GROUP: {
        "": 'unknown pool "": there is no such ServiceGroup',
        "Default": 'unknown pool "Default": there is no such ServiceGroup',
        " default": 'unknown pool " default"',
        "wrong": 'unknown pool "wrong": ServiceGroup purelb-system/wrong is not usable: ',
        "shop-only": 'namespace denied: pool "shop-only" serves only shop',
    },
    # Read only where the group is full, and told then.
    annotations.FALLBACK_GROUPS: {"": SERVED, ",": SERVED, "nowhere": SERVED},
    annotations.ADDRESSES: {
        "": "invalid user-specified address: purelb.io/addresses is empty",
        " ": "invalid user-specified address: purelb.io/addresses is empty",
        "192.0.2.1/32": "invalid user-specified address: '192.0.2.1/32' is not an IP address",
        "192.0.2.01": "invalid user-specified address",
        "192.0.2.1,": "invalid user-specified address: '' is not an IP address",
        "192.0.2.1;192.0.2.2": "invalid user-specified address",
        "www.example.com": "invalid user-specified address: 'www.example.com'",
        "fe80::1%eth0": "invalid user-specified address: 'fe80::1%eth0' has a zone",
        "2001:db8::1": "invalid user-specified address: purelb.io/addresses has 2001:db8::1, but",
        "192.0.2.1,192.0.2.2": "a Service gets one IPv4 address",
        "192.0.2.1,192.0.2.1": "a Service gets one IPv4 address",
        "203.0.113.7": '"203.0.113.7" does not belong to any group',
        "192.0.2.0": "192.0.2.0 is already in use by Service default/holder",
        "198.51.100.1": 'namespace denied: pool "shop-only" serves only shop',
    },
    annotations.SHARING_KEY: {
        "": SERVED,  # shares with nobody
        "key": "port TCP/80 on 192.0.2.0 is already in use by Service default/holder, which shares",
        "Key": SERVED,  # nobody else has it
    },
    annotations.ALLOW_LOCAL: {"": SERVED, "no": SERVED},  # it is there: that is all
    annotations.MULTI_POOL: {"": SERVED, "TRUE": SERVED, "yes": SERVED, "false": SERVED},
    annotations.RE_EVALUATE: {"": SERVED, "True": SERVED, "yes": SERVED},
    annotations.NODE_AFFINITY: {"": SERVED, "node-a": SERVED},
    # What only the suite writes, before it has given anything.
    annotations.ALLOCATED_BY: {"": SERVED, "somebody": SERVED, annotations.BRAND: SERVED},
    annotations.ALLOCATED_FROM: {"": SERVED, "nowhere": SERVED},
    annotations.POOL_TYPE: {"": SERVED, "nowhere": SERVED},
    annotations.SKIP_IPV6_DAD: {"": SERVED, "yes": SERVED},
    f"{P}announcing-IPv4": {"": SERVED, "node-a,eth0": SERVED, "a,b,192.0.2.0": SERVED},
    f"{P}announcing-IPv6": {"": SERVED, "a,b,2001:db8::": SERVED},
    f"{P}announcing": {"": SERVED},
    f"{P}announcing-unknown": {"": SERVED},
    annotations.ANNOUNCE_NODE: {"": SERVED, "nobody": SERVED},
    annotations.EVACUATE: {"true": SERVED},  # that of a Node
    f"{P}announce-nod": {"node-a": SERVED},  # none of ours
}
CASES = [
    pytest.param(key, value, words, id=f"{key.removeprefix(P)}={value}")
    for key, values in TABLE.items()
    for value, words in values.items()
]


def test_the_table_has_every_annotation() -> None:
    """A new one needs a line here."""
    named = {
        value
        for name, value in vars(annotations).items()
        if name.isupper() and not name.startswith("LEASE") and isinstance(value, str)
    }
    known = {key for key in named if key.startswith(P)} - {P, annotations.ANNOUNCING_PREFIX}
    known |= set(annotations.ANNOUNCING.values()) | set(annotations.ANNOUNCING_LEGACY)
    assert known <= set(TABLE)


@pytest.mark.parametrize(("key", "value", "words"), CASES)
def test_a_value_of_no_use_is_told_or_does_no_harm(key: str, value: str, words: str) -> None:
    """The next Service is served in any case, and what was written stays as it was written."""

    async def work(api: Api) -> None:
        await _arrange(api)
        async with allocator(api):
            await api.service("holder", {annotations.SHARING_KEY: "key"})
            assert await api.addresses("holder") == ["192.0.2.0"]
            await api.service("bad", {key: value}, ipFamilies=["IPv4"])
            if words == SERVED:
                assert await api.addresses("bad") == [FREE]
            else:
                event = await api.warning("bad")
                assert words in event["message"]
                assert event["message"].startswith("default/bad: ")
            await api.service("good")
            await api.addresses("good")
            bad = await api.get("bad")
        if words != SERVED:
            assert ingress(bad) == []
            assert bad["metadata"]["annotations"] == {key: value}
            assert any(words in one["message"] for one in bad["status"]["conditions"])
        elif key not in annotations.OURS:
            assert bad["metadata"]["annotations"][key] == value

    scenario(work)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("www.example.com", "invalid user-specified address", id="name"),
        pytest.param(" ", "spec.loadBalancerIP is empty", id="blank"),
        pytest.param("2001:db8::1", "spec.loadBalancerIP has 2001:db8::1, but", id="family"),
        pytest.param("203.0.113.7", '"203.0.113.7" does not belong to any group', id="outside"),
        pytest.param("192.0.2.0", "192.0.2.0 is already in use by", id="taken"),
    ],
)
def test_the_field_that_pins_an_address_is_judged_like_the_annotation(
    text: str, words: str
) -> None:
    """`spec.loadBalancerIP`: the API server takes any text."""

    async def work(api: Api) -> None:
        await _arrange(api)
        async with allocator(api):
            await api.service("holder")
            assert await api.addresses("holder") == ["192.0.2.0"]
            await api.service("bad", loadBalancerIP=text, ipFamilies=["IPv4"])
            assert words in (await api.warning("bad"))["message"]
            await api.service("good")
            await api.addresses("good")
            assert ingress(await api.get("bad")) == []

    scenario(work)


async def _arrange(api: Api) -> None:
    """Create a good group, one that is not accepted, and one for another namespace."""
    await api.group()
    await api.group("wrong", local={"v4pool": {"pool": "10.0.0.0", "subnet": "10.0.0.0/24"}})
    shop = {"v4pool": {"pool": "198.51.100.0/24", "subnet": "198.51.100.0/24"}}
    await api.group("shop-only", local=shop, namespaces=["shop"], enforceNamespaces=True)
