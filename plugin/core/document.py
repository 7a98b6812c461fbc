"""Base of all values that the plugin prints as JSON and YAML.

A field with a default is left out while it has it; one without is always there. Keys are spelled as
PureLB's plugin spells them, because scripts read them.
"""

from typing import Any

from purelb.api.resources import Wire, to_json

_WORDS = {
    "asn": "ASN",
    "bgp": "BGP",
    "id": "ID",
    "ip": "IP",
    "ips": "IPs",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "rib": "RIB",
}
MOST = 2**64 - 1  # readers of the JSON keep counts in 64 bits


def spelled(name: str) -> str:
    """Return the JSON key of a field: `router_id_mode` → `routerIDMode`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(_WORDS.get(word, word.capitalize()) for word in rest)


class Document(Wire, frozen=True, rename=spelled):
    """One printed object."""


def fields(document: Document) -> dict[str, Any]:
    """Return the JSON object of a document, keys in the order of its fields."""
    return to_json(document)


def counted(number: int) -> int:
    """Return a number as JSON shows it: of what is larger the largest that readers can hold."""
    return min(number, MOST)


def percent(part: int, whole: int) -> float:
    """Return how many percent a part is; 0 of nothing."""
    return part / whole * 100 if whole else 0.0
