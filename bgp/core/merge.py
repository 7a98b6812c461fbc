"""One configuration out of several BGPConfigurations of a namespace, and what of it is in use.

Belongs here: the order in which they count, conflicts, and that a bad one leaves the last good one
in place. Does not: what is bad (`check`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bgp.core.check import check
from bgp.core.check_sessions import key_of
from bgp.core.findings import Finding, remark
from purelb.api.bgp import BgpConfiguration, BgpSpec

T = TypeVar("T")

# Lists of a spec by attribute: their names in the API, and what entries are told apart by.
_LISTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "neighbors": ("neighbors", key_of),
    "peer_groups": ("peerGroups", lambda one: str(one.config.peer_group_name)),
    "dynamic_neighbors": ("dynamicNeighbors", lambda one: str(one.prefix)),
    "vrfs": ("vrfs", lambda one: str(one.name)),
    "defined_sets": ("definedSets", lambda one: f"{one.type} {one.name}"),
    "policy_definitions": ("policyDefinitions", lambda one: str(one.name)),
}
_SECTIONS = {"netlink_import": "netlinkImport", "netlink_export": "netlinkExport"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What this node acts by. `accepted` are the last good specs by uid; `spec` None: nothing.

    `findings` by the name of the object, in the order in which the objects count.
    """

    spec: BgpSpec | None = None
    accepted: Mapping[str, BgpSpec] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The findings of all objects."""
        return tuple(one for found in self.findings.values() for one in found)


NOTHING = InUse()


def accept(before: InUse, objects: Iterable[BgpConfiguration]) -> InUse:
    """Return what is in use after a change; what is bad stays as it was, what is gone goes."""
    accepted: dict[str, BgpSpec] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    specs: list[tuple[str, BgpSpec]] = []
    present = (one for one in objects if one.metadata.deletion_timestamp is None)
    for each in sorted(present, key=lambda one: one.metadata.name):
        meta = each.metadata
        found = check(each.spec)
        findings[meta.name] = found
        if not any(finding.is_fatal for finding in found):
            accepted[meta.uid] = each.spec
        elif meta.uid in before.accepted:
            accepted[meta.uid] = before.accepted[meta.uid]
        if meta.uid in accepted:
            specs.append((meta.name, accepted[meta.uid]))
    if not specs:
        return InUse(findings=findings)
    spec = specs[0][1]
    for name, other in specs[1:]:
        spec, conflicts = _merge(spec, other, specs[0][0])
        findings[name] = (*findings[name], *conflicts)
    return InUse(spec=spec, accepted=accepted, findings=findings)


def _merge(spec: BgpSpec, other: BgpSpec, first: str) -> tuple[BgpSpec, list[Finding]]:
    """Add to a spec what another one has beside it; the first one's entries count."""
    conflicts: list[Finding] = []
    parts: dict[str, object] = {}
    if other.global_ != spec.global_:
        conflicts.append(remark("spec.global", f"differs from that of {first!r}, which counts"))
    for name, (path, key) in _LISTS.items():
        own, more = getattr(spec, name) or (), getattr(other, name) or ()
        parts[name], twice = _added(path, own, more, key)
        conflicts += twice
    for name, path in _SECTIONS.items():
        own, more = getattr(spec, name), getattr(other, name)
        parts[name] = own or more
        if own is not None and more is not None and own != more:
            note = f"differs from that of {first!r}, which counts"
            conflicts.append(remark(f"spec.{path}", note))
    return _replaced(spec, **parts), conflicts


def _added(
    path: str, own: Sequence[T], more: Sequence[T], key: Callable[[T], str]
) -> tuple[tuple[T, ...], list[Finding]]:
    """Return two lists as one, without what is in both, and remarks about that."""
    known = {key(one) for one in own}
    conflicts = [
        remark(
            f"spec.{path}[{position}]",
            f"{key(one)!r} is in another BGPConfiguration already, which counts",
        )
        for position, one in enumerate(more)
        if key(one) in known
    ]
    return (*own, *(one for one in more if key(one) not in known)), conflicts


def _replaced(spec: BgpSpec, **parts: object) -> BgpSpec:
    values = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return BgpSpec(**(values | parts))
