"""What the daemons may do is what their code does: every verb has a caller, and no verb is missing.

The table is kept by hand, from the code; what is really called is asked of a real API server's
audit log in `tests/e2e`.
"""

from collections.abc import Mapping, Sequence

import pytest

from tests.rights import (
    ACCOUNTS,
    DAEMONS,
    NAMESPACE,
    PROGRAMS,
    RBAC,
    SIDECAR,
    Grant,
    Object,
    granted,
    grants,
    of_kind,
)

INFORMER = "purelb.runtime.informer: LIST and WATCH"
MIRROR = "purelb.runtime: kopf_guest watches, kopf_host's mirror lists"
EVENTS = "purelb.runtime.events"
LEASES = "purelb.runtime.leases"
GUARDS = "allocator.shell.guards"
LEADERSHIP = "purelb.runtime.leadership: takes, renews and gives back the Lease"
CORE, PURELB, COORDINATION = "", "purelb.io", "coordination.k8s.io"
DISCOVERY, BGP = "discovery.k8s.io", "bgp.purelb.io"

# Of the whole cluster: group, resource, verbs → which module needs them.
CLUSTER: Mapping[str, Mapping[tuple[str, str, str], str]] = {
    "allocator": {
        (CORE, "services", "list watch"): INFORMER,
        (CORE, "services", "patch"): "allocator.shell.writer: spec, and what a status write drops",
        (CORE, "services/status", "patch"): "allocator.shell.writer",
        (CORE, "nodes", "list watch"): GUARDS,
        ("networking.k8s.io", "servicecidrs", "list watch"): GUARDS,
        ("discovery.k8s.io", "endpointslices:kubernetes", "list watch"): GUARDS,
        (CORE, "events", "create patch"): EVENTS,
        (PURELB, "servicegroups", "list watch"): MIRROR,
        (PURELB, "servicegroups/status", "patch"): "allocator.shell.groups: server-side apply",
    },
    "lbnodeagent": {
        (CORE, "services", "list watch"): INFORMER,
        (CORE, "services", "patch"): "nodeagent.shell.slots",
        (CORE, "nodes", "list watch"): f"{MIRROR}; nodeagent.shell.census: list",
        (CORE, "events", "create patch"): EVENTS,
        (PURELB, "lbnodeagents", "list watch"): MIRROR,
        (PURELB, "servicegroups", "list watch"): MIRROR,
        (DISCOVERY, "endpointslices", "list watch"): INFORMER,
    },
    SIDECAR: {
        (CORE, "nodes", "list watch"): MIRROR,
        (CORE, "events", "create patch"): EVENTS,
        (BGP, "configs", "list watch"): MIRROR,
        (BGP, "bgpnodestatuses", "get create delete"): "bgp.shell.status",
        (BGP, "bgpnodestatuses", "list"): "bgp.shell.cluster",
        (BGP, "bgpnodestatuses/status", "patch"): "bgp.shell.status",
    },
}
# In the install namespace only.
INSTALL: Mapping[str, Mapping[tuple[str, str, str], str]] = {
    "allocator": {
        (COORDINATION, "leases", "list watch"): INFORMER,
        (COORDINATION, "leases", "create"): LEADERSHIP,
        (COORDINATION, "leases:purelb-allocator", "get patch"): LEADERSHIP,
        (CORE, "configmaps", "list create patch"): "allocator.shell.journal",
    },
    "lbnodeagent": {
        (COORDINATION, "leases", "list watch"): INFORMER,
        (COORDINATION, "leases", "create patch delete"): LEASES,
        (COORDINATION, "leases", "get"): f"{LEASES}: whose it is, if it changed before its end",
    },
    SIDECAR: {
        (BGP, "configs", "patch"): "bgp.shell.cluster: the last good spec; takes a finalizer off",
        (BGP, "configs/status", "patch"): "bgp.shell.cluster",
        (CORE, "secrets", "get"): "bgp.shell.world: passwords, by their names",
        (CORE, "pods", "patch"): "bgp.app: annotations of the own Pod",
        (COORDINATION, "leases", "list watch"): INFORMER,
        (COORDINATION, "leases", "create"): LEADERSHIP,
        (COORDINATION, "leases:purelb-bgp", "get patch"): LEADERSHIP,
    },
}


def needed(table: Mapping[tuple[str, str, str], str]) -> list[Grant]:
    """Return a table's grants, sorted."""
    return sorted(
        (group, resource, verb) for group, resource, verbs in table for verb in verbs.split()
    )


@pytest.mark.parametrize("daemon", PROGRAMS)
def test_in_the_cluster_a_daemon_may_do_what_it_does_and_nothing_else(daemon: str) -> None:
    """Each verb of a ClusterRole has a module that uses it."""
    assert granted("ClusterRole", daemon) == needed(CLUSTER[daemon])


@pytest.mark.parametrize("daemon", PROGRAMS)
def test_leases_are_granted_in_the_install_namespace_only(daemon: str) -> None:
    """Each verb of a Role has a module that uses it, and no ClusterRole knows Leases."""
    assert granted("Role", daemon) == needed(INSTALL[daemon])
    assert not [one for one in granted("ClusterRole", daemon) if one[0] == COORDINATION]


def test_nothing_is_granted_by_wildcard_and_secrets_are_read_by_one_program_only() -> None:
    """Nor anything that leads to more rights; Secrets of the install namespace, none is listed."""
    forbidden = {"*", "secrets", "pods", "roles", "clusterroles", "serviceaccounts/token"}
    forbidden |= {"escalate", "bind", "impersonate"}
    allowed = {(CORE, "secrets", "get"), (CORE, "pods", "patch")}
    own = {grant for grant in granted("Role", SIDECAR) if grant in allowed}
    every = {grant for role in _roles() for grant in grants(role)}
    assert not {word for grant in every - own for word in grant} & forbidden


def test_every_role_is_bound_to_its_own_daemon_under_its_own_name() -> None:
    """A binding has its role's name, and its only subject is the program's ServiceAccount."""
    for kind in ("ClusterRole", "Role"):
        for binding in of_kind(f"{kind}Binding"):
            name = binding["metadata"]["name"]
            (subject,) = binding["subjects"]
            assert binding["roleRef"]["name"] == name
            assert binding["roleRef"]["kind"] == kind
            assert subject["name"] == ACCOUNTS[name.split(":")[1]]
    roles = sorted(role["metadata"]["name"] for role in _roles())
    assert roles == sorted(found["metadata"]["name"] for found in RBAC if "roleRef" in found)


def test_names_and_namespaces_are_those_that_users_know() -> None:
    """Tools look for them; what is namespaced is in the install namespace."""
    assert sorted(role["metadata"]["name"] for role in of_kind("ClusterRole")) == [
        "purelb:allocator",
        "purelb:k8gobgp",
        "purelb:lbnodeagent",
    ]
    assert [one["metadata"]["name"] for one in of_kind("Namespace")] == [NAMESPACE]
    assert [one["metadata"]["name"] for one in of_kind("ServiceAccount")] == list(DAEMONS)
    placed = of_kind("ServiceAccount") + of_kind("Role") + of_kind("RoleBinding")
    assert {one["metadata"]["namespace"] for one in placed} == {NAMESPACE}


def _roles() -> Sequence[Object]:
    return of_kind("ClusterRole") + of_kind("Role")
