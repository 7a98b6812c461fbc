"""One configuration out of several BGPConfigurations of a namespace, and what of it is in use.

Belongs here: the order in which they count, conflicts, and that a bad one leaves the last good one
in place, also for a sidecar that starts meanwhile. Does not: what is bad (`check`), the text in
which the last good one is kept (`purelb.api.bgpkept`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bgp.core.check import check
from bgp.core.check_sessions import key_of
from bgp.core.findings import Finding, remark
from purelb.api.annotations import BGP_LAST_GOOD
from purelb.api.bgp import BgpConfiguration, BgpSpec
from purelb.api.bgpkept import LONGEST, Kept, kept_in, kept_text

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
TOO_LARGE = (
    f"is larger than {LONGEST // 1024} KiB, and therefore not kept for sidecars that start while"
    " this object is bad; divide it among several BGPConfigurations"
)
_SECTIONS = {"netlink_import": "netlinkImport", "netlink_export": "netlinkExport"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What this node acts by. `accepted` are the last good specs by uid; `spec` None: nothing.

    `findings` by the name of the object, in the order in which the objects count.
    """

    spec: BgpSpec | None = None
    accepted: Mapping[str, Kept] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The findings of all objects."""
        return tuple(one for found in self.findings.values() for one in found)


NOTHING = InUse()


@dataclass(frozen=True, slots=True)
class Keeping:
    """What an object's annotation is to become; `text` None: it must go."""

    text: str | None


def accept(before: InUse, objects: Iterable[BgpConfiguration]) -> InUse:
    """Return what is in use after a change; what is bad stays as it was, what is gone goes."""
    accepted: dict[str, Kept] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    specs: list[tuple[str, BgpSpec]] = []
    present = (one for one in objects if one.metadata.deletion_timestamp is None)
    for each in sorted(present, key=lambda one: one.metadata.name):
        meta = each.metadata
        good, findings[meta.name] = _last_good(each, before.accepted.get(meta.uid))
        if good is not None:
            accepted[meta.uid] = good
            specs.append((meta.name, good.spec))
    if not specs:
        return InUse(findings=findings)
    spec = specs[0][1]
    for name, other in specs[1:]:
        spec, conflicts = _merge(spec, other, specs[0][0])
        findings[name] = (*findings[name], *conflicts)
    return InUse(spec=spec, accepted=accepted, findings=findings)


def keep(each: BgpConfiguration, accepted: Kept | None) -> Keeping | None:
    """Return how the last good spec is to be kept on an object, None if it is as it should be.

    What others have kept of a later generation stays.
    """
    there = kept_in(each)
    if accepted is None or (there is not None and accepted.generation < there.generation):
        return None
    text = kept_text(accepted)
    is_there = BGP_LAST_GOOD in (each.metadata.annotations or {})
    is_right = there == accepted if text is not None else not is_there
    return None if is_right else Keeping(text)


def _last_good(
    each: BgpConfiguration, known: Kept | None
) -> tuple[Kept | None, tuple[Finding, ...]]:
    """Return the spec of an object that counts, and what is wrong with the present one.

    That of the latest generation counts: this process may have slept while others accepted more.
    """
    meta, findings = each.metadata, check(each.spec)
    if not _is_bad(findings):
        good = Kept(uid=meta.uid, generation=meta.generation, spec=each.spec)
        large = [] if kept_text(good) is not None else [remark("spec", TOO_LARGE)]
        return good, (*findings, *large)
    kept = kept_in(each)
    if kept is None or _is_bad(check(kept.spec)):
        return known, findings
    return (known if known is not None and known.generation > kept.generation else kept), findings


def _is_bad(findings: Iterable[Finding]) -> bool:
    return any(finding.is_fatal for finding in findings)


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
