"""Types of the names that travel through the suite, so that one cannot be taken for another."""

from typing import NewType, TypeAlias

ServiceKey = NewType("ServiceKey", str)  # "namespace/name"
PoolName = NewType("PoolName", str)  # metadata.name of a ServiceGroup
NodeName = NewType("NodeName", str)
LinkName = NewType("LinkName", str)  # a network interface, as in `ip link`
SharingKey = NewType("SharingKey", str)  # annotation allow-shared-ip; empty shares with nobody
Uid = NewType("Uid", str)  # metadata.uid: tells an object from a namesake created later

NO_SHARING = SharingKey("")

Instant: TypeAlias = float  # seconds on this host's CLOCK_BOOTTIME; never sent to another host


def service_key(namespace: str, name: str) -> ServiceKey:
    """Join the two parts of a Service's identity."""
    return ServiceKey(f"{namespace}/{name}")


def split_key(key: ServiceKey) -> tuple[str, str]:
    """Return (namespace, name)."""
    namespace, _, name = key.partition("/")
    return namespace, name
