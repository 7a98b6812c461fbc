"""Groups of remote addresses, and agents that have some, for tests."""

from dataclasses import replace

from nodeagent.core.remote import read_groups
from purelb.api.addresses import Family
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.identifiers import LinkName, PoolName
from purelb.api.links import (
    Link,
)
from tests.agent import Agent
from tests.unit.nodeagent.builders import (
    WEB,
    agent,
    facts,
    service,
)

INSTALL = "purelb-system"
FAR, FAR6 = "198.51.100.7", "2001:db8:f::7"
KUBE_LB0 = LinkName("kube-lb0")


def span(pool: str, subnet: str, aggregation: str = "default") -> RangeEntry:
    """Build a range."""
    family = Family.IPV6 if ":" in pool else Family.IPV4
    return RangeEntry(family=family, text=pool, subnet=subnet, aggregation=aggregation)


def group(
    name: str, *entries: RangeEntry, kind: GroupKind = GroupKind.REMOTE, announce: str = ""
) -> GroupView:
    """Build a ServiceGroup, by default a remote one."""
    return GroupView(
        namespace=INSTALL, name=PoolName(name), kind=kind, entries=entries, announce=announce
    )


FAR_AWAY = group(
    "far",
    span("198.51.100.0/24", "198.51.100.0/24"),
    span("2001:db8:f::/120", "2001:db8:f::/64"),
)
POOLS = read_groups([FAR_AWAY], INSTALL)


def remote_agent(*addresses: str, policy: str = "Cluster", **others: object) -> Agent:
    """Build a node with a Service of the remote pool."""
    one = service(WEB, *addresses or (FAR,), pool_type="remote", allocated_from="far")
    known = facts(replace(one, external_policy=policy))
    return agent(replace(known, pools=POOLS, **others))  # type: ignore[arg-type]  # by field


def dummy_of(one: Agent) -> Link | None:
    """Return the link called kube-lb0, if there is one."""
    return next((link for link in one.kernel.links if link.name == KUBE_LB0), None)


def on_dummy(one: Agent) -> tuple[str, ...]:
    """Return what stands on kube-lb0."""
    found = dummy_of(one)
    assert found is not None
    return one.kernel.listing(found.index)
