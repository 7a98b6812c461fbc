"""What must be true of Services and ServiceGroups, judged from the objects alone.

A second opinion: it reads the JSON that a person sees with kubectl, knows nothing of the
allocator's code, and compares everything with everything. Each function returns one sentence per
fault and nothing for a sound cluster. ServiceGroups are taken for valid, disjoint and in scope.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]
Address: TypeAlias = IPv4Address | IPv6Address

CLASSES = (None, "purelb.io/purelb", "purelb.io/purelbv2")
PREFIX = "purelb.io/"


def doubles(services: Collection[Object]) -> list[str]:
    """Return the addresses that two Services show without a right to share them."""
    found = []
    for address, holders in _holders(services).items():
        for number, one in enumerate(holders):
            for other in holders[number + 1 :]:
                if not may_share(one, other):
                    found.append(f"{address} is given to both {name(one)} and {name(other)}")
    return found


def misbranded(services: Collection[Object], groups: Collection[Object]) -> list[str]:
    """Return Services whose annotations do not tell where their addresses are from."""
    by_name = {group["metadata"]["name"]: group for group in groups}
    found = []
    for service in services:
        if not shown(service):
            continue
        sources = annotation(service, "allocated-from").split(", ")
        if annotation(service, "allocated-by") != "PureLB":
            found.append(f"{name(service)} has addresses and no brand")
        for address in shown(service):
            if not any(group in by_name and has(by_name[group], address) for group in sources):
                found.append(f"{name(service)} has {address}, which is not of {sources}")
    return found


def miscounted(services: Collection[Object], groups: Collection[Object]) -> list[str]:
    """Return ServiceGroups whose status counts other addresses than those that are shown."""
    found = []
    for group in groups:
        for family in ("IPv4", "IPv6"):
            counted = group.get("status", {}).get(f"allocated{family}")
            actual = sum(
                1 for one in _holders(services) if family_of(one) == family and has(group, one)
            )
            if counted != actual:
                text = f"counts {counted} {family} addresses, shown are {actual}"
                found.append(f"group {group['metadata']['name']} {text}")
    return found


def starving(services: Collection[Object], groups: Collection[Object]) -> list[str]:
    """Return Services that lack an address although one could be given to them.

    Those that want an address of each range (multi-pool) are not judged, nor those with an address
    that is not ours: the brand is missing.
    """
    return [
        f"{name(service)} lacks {missing}, and could have it"
        for service in services
        if is_served(service)
        and (not shown(service) or annotation(service, "allocated-by") == "PureLB")
        and (missing := _missing(service))
        and _could_have(service, missing, services, groups)
    ]


class History:
    """What each Service has shown so far: an address once given never goes while it is wanted."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._before: dict[str, Object] = {}  # by uid

    def note(self, service: Object) -> None:
        """Take in a Service as it is now."""
        before = self._before.get(service["metadata"]["uid"])
        self._before[service["metadata"]["uid"]] = service
        if before is None or not is_served(service):
            return
        asked = service["spec"].get("ipFamilies", ())
        for address in shown(before):
            if address not in shown(service) and family_of(address) in asked:
                self.faults.append(f"{name(service)} lost {address}")


def name(service: Object) -> str:
    """Return namespace and name."""
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def annotation(service: Object, key: str) -> str:
    """Return one of our annotations, empty without it."""
    value: str = (service["metadata"].get("annotations") or {}).get(PREFIX + key, "")
    return value


def shown(service: Object) -> tuple[Address, ...]:
    """Return the addresses in a Service's status."""
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return tuple(ip_address(entry["ip"]) for entry in entries)


def is_served(service: Object) -> bool:
    """Tell whether a Service may have addresses from us, the default announcer."""
    spec = service["spec"]
    return (
        spec.get("type") == "LoadBalancer"
        and spec.get("loadBalancerClass") in CLASSES
        and "deletionTimestamp" not in service["metadata"]
    )


def family_of(address: Address) -> str:
    """Return the family as spec.ipFamilies spells it."""
    return f"IPv{address.version}"


def may_share(one: Object, other: Object) -> bool:
    """Tell whether two Services may have one address: the same key, and no port in common."""
    key = annotation(one, "allow-shared-ip")
    return (
        bool(key)
        and key == annotation(other, "allow-shared-ip")
        and not _ports(one) & _ports(other)
    )


def ranges(group: Object) -> Iterator[tuple[Address, Address]]:
    """Yield first and last address of each range of a ServiceGroup."""
    spec = group["spec"].get("local") or group["spec"].get("remote") or {}
    singles = [spec[key] for key in ("v4pool", "v6pool") if key in spec]
    for entry in [*spec.get("v4pools", ()), *spec.get("v6pools", ()), *singles]:
        first, dash, last = entry["pool"].partition("-")
        if dash:
            yield ip_address(first.strip()), ip_address(last.strip())
        else:
            network = ip_network(entry["pool"], strict=False)
            yield ip_address(first.partition("/")[0]), network.broadcast_address


def has(group: Object, address: Address) -> bool:
    """Tell whether a range of the group has the address."""
    return any(
        first.version == address.version and int(first) <= int(address) <= int(last)
        for first, last in ranges(group)
    )


def _holders(services: Iterable[Object]) -> dict[Address, list[Object]]:
    holders: dict[Address, list[Object]] = {}
    for service in services:
        for address in dict.fromkeys(shown(service)):
            holders.setdefault(address, []).append(service)
    return holders


def _ports(service: Object) -> set[tuple[str, int]]:
    return {
        (port.get("protocol", "TCP"), port["port"]) for port in service["spec"].get("ports", ())
    }


def _missing(service: Object) -> list[str]:
    have = {family_of(address) for address in shown(service)}
    return [family for family in service["spec"].get("ipFamilies", ()) if family not in have]


def _could_have(
    service: Object,
    missing: Collection[str],
    services: Collection[Object],
    groups: Collection[Object],
) -> bool:
    pins = _pins(service)
    if pins is None:
        return False
    others = [one for one in services if one is not service]
    pinned = [pin for pin in pins if family_of(pin) in missing]
    if not all(_is_open(service, pin, others, groups) for pin in pinned):
        return False
    rest = [family for family in missing if family not in map(family_of, pinned)]
    if not rest:
        return True
    group = _group_of(service, groups)
    is_eager = service["spec"].get("ipFamilyPolicy") == "PreferDualStack"
    if group is None:
        return bool(pinned) and is_eager
    if _is_multi(service, group):
        return False
    chain = [group, *_fallbacks(service, groups)]
    found = [_has_room(service, family, chain, others, groups) for family in rest]
    return bool(pinned) or any(found) if is_eager else all(found)


def _pins(service: Object) -> list[Address] | None:
    """Return the addresses asked for by name, None if they cannot be granted in any case."""
    key = f"{PREFIX}addresses"
    if key not in (service["metadata"].get("annotations") or {}):
        return []
    pins = [ip_address(text.strip()) for text in annotation(service, "addresses").split(",")]
    asked = service["spec"].get("ipFamilies", ())
    families = [family_of(pin) for pin in pins]
    if len(set(families)) < len(families) or not set(families) <= set(asked):
        return None
    return pins


def _is_multi(service: Object, group: Object) -> bool:
    wish = annotation(service, "multi-pool")
    spec = group["spec"].get("local") or group["spec"].get("remote") or {}
    return wish == "true" if wish else bool(spec.get("multiPool"))


def _group_of(service: Object, groups: Collection[Object]) -> Object | None:
    """Return the group that serves a Service which pins nothing."""
    namespace = service["metadata"]["namespace"]
    bound = [group for group in groups if namespace in group["spec"].get("namespaces", ())]
    defaults = [group for group in bound if group["spec"].get("namespaceDefault")]
    wanted = annotation(service, "service-group")
    if f"{PREFIX}service-group" not in (service["metadata"].get("annotations") or {}):
        choice = bound if len(bound) == 1 else defaults
        if len(choice) == 1:
            wanted = choice[0]["metadata"]["name"]
        elif any(group["spec"].get("enforceNamespaces") for group in bound):
            return None
        else:
            wanted = "default"
    for group in groups:
        if group["metadata"]["name"] == wanted and _is_allowed(namespace, group, groups):
            return group
    return None


def _is_allowed(namespace: str, group: Object, groups: Collection[Object]) -> bool:
    enforcing = {
        each
        for one in groups
        for each in one["spec"].get("namespaces", ())
        if any(
            each in other["spec"].get("namespaces", ()) and other["spec"].get("enforceNamespaces")
            for other in groups
        )
    }
    listed = group["spec"].get("namespaces", ())
    return namespace in listed or not (enforcing & set(listed) or namespace in enforcing)


def _fallbacks(service: Object, groups: Collection[Object]) -> list[Object]:
    """Return the groups that may serve a Service whose own is full, in its order."""
    by_name = {group["metadata"]["name"]: group for group in groups}
    names = annotation(service, "fallback-groups").split(",")
    found = [by_name[one.strip()] for one in names if one.strip() in by_name]
    namespace = service["metadata"]["namespace"]
    return [group for group in found if _is_allowed(namespace, group, groups)]


def _has_room(
    service: Object,
    family: str,
    chain: Collection[Object],
    others: Collection[Object],
    groups: Collection[Object],
) -> bool:
    """Tell whether one of the groups has an address; only those that are full are passed over."""
    for group in chain:
        if _first_open(service, family, group, others, groups) is not None:
            return True
        key = annotation(service, "allow-shared-ip")
        named = [one for one, owner in _reserved(group).items() if owner == name(service)]
        for other in others:
            if annotation(other, "allocated-by") == "PureLB" and key:
                named += shown(other) if annotation(other, "allow-shared-ip") == key else ()
        if any(has(group, one) and family_of(one) == family for one in named):
            return False  # one address alone would do, and cannot be had
    return False


def _first_open(
    service: Object,
    family: str,
    group: Object,
    others: Collection[Object],
    groups: Collection[Object],
) -> Address | None:
    own = [one for one, owner in _reserved(group).items() if owner == name(service)]
    for candidate in own:
        if family_of(candidate) == family:
            return candidate if _is_open(service, candidate, others, groups) else None
    for first, last in ranges(group):
        if family_of(first) != family:
            continue
        for number in range(int(first), int(last) + 1):
            candidate = type(first)(number)
            if _is_open(service, candidate, others, groups):
                return candidate
    return None


def _is_open(
    service: Object, address: Address, others: Collection[Object], groups: Collection[Object]
) -> bool:
    """Tell whether a Service may have an address now."""
    home = next((group for group in groups if has(group, address)), None)
    if home is None or not _is_allowed(service["metadata"]["namespace"], home, groups):
        return False
    if _reserved(home).get(address, name(service)) != name(service):
        return False
    key, bound = annotation(service, "allow-shared-ip"), []
    for other in others:
        is_ours = annotation(other, "allocated-by") == "PureLB"  # others share with nobody
        if address in shown(other) and not (is_ours and may_share(service, other)):
            return False
        if is_ours and key and key == annotation(other, "allow-shared-ip"):
            bound += [one for one in shown(other) if has(home, one)]
    bound = sorted(one for one in bound if one.version == address.version)
    return not bound or bound[0] == address


def _reserved(group: Object) -> dict[Address, str]:
    entries = group["spec"].get("reservations", ())
    return {ip_address(entry["address"]): entry["service"] for entry in entries}
