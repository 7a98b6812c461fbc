"""Which namespaces are bound to which pools. Pure.

Belongs here: the index over `namespaces`, `enforceNamespaces` and `namespaceDefault` of accepted
groups. Does not: the choice for one Service (`select`). Built once per PoolSet.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from purelb.api.groups import GroupView
from purelb.api.identifiers import PoolName


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """What the groups say about namespaces.

    `eligible`: the groups that list a namespace, sorted; never empty. `defaults`: the one of them
    that serves a Service which names no group; absent where that is ambiguous. `claimants`: those
    that set namespaceDefault, sorted. `confined`: every group that is eligible in some enforcing
    namespace.
    """

    eligible: Mapping[str, tuple[PoolName, ...]]
    defaults: Mapping[str, PoolName]
    claimants: Mapping[str, tuple[PoolName, ...]]
    enforcing: frozenset[str]
    confined: frozenset[PoolName]


def bind(groups: Collection[GroupView]) -> Bindings:
    """Index the namespaces of accepted groups; a namespace listed twice counts once."""
    ordered = sorted(groups, key=lambda group: group.name)
    eligible: dict[str, list[GroupView]] = {}
    for group in ordered:
        for namespace in sorted(set(group.namespaces)):
            eligible.setdefault(namespace, []).append(group)
    names = {ns: tuple(group.name for group in bound) for ns, bound in eligible.items()}
    claimants = {
        ns: tuple(group.name for group in bound if group.is_default)
        for ns, bound in eligible.items()
    }
    enforcing = frozenset(
        ns for ns, bound in eligible.items() if any(group.enforces for group in bound)
    )
    return Bindings(
        eligible=names,
        defaults={
            ns: only[0]
            for ns in eligible
            if len(only := names[ns] if len(names[ns]) == 1 else claimants[ns]) == 1
        },
        claimants=claimants,
        enforcing=enforcing,
        confined=frozenset(name for ns in enforcing for name in names[ns]),
    )
