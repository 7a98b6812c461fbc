"""Compiles a BGPConfiguration's policies into one chain of statements for each direction.

The engine applies a neighbor's own policy to route-server clients only (its documentation says so),
therefore a neighbor's statements go into the global chain with a condition on the neighbor, and end
with its default action. The most specific policy of a neighbor counts: its own, else its group's,
else that of the whole speaker.

Belongs here: that compilation, and IPv6 next hops of IPv4 sessions. Does not: which neighbors this
node has (`desired`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from bgp.core.model import (
    AfiSafi,
    Change,
    DefinedSet,
    Match,
    Policies,
    PrefixMatch,
    SetKind,
    Statement,
)
from purelb.api.addresses import IPAddress, IPNetwork
from purelb.api.bgp import ApplyPolicy, BgpSpec, PolicyActions, PolicyRefs, PolicyStatement
from purelb.api.bgp import DefinedSet as DefinedSetSpec

OWN = "purelb-own"  # the statement that keeps import policies off the routes we originate
PREFIX = "purelb-"  # of the names that compilation adds
HOP = f"{PREFIX}hop-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom statements are for: a neighbor, or a range of them.

    `name` is unique; `own` and `groups` are the policies the user gave to it and to its group.
    `next_hop` is for IPv6 routes over an IPv4 session, None where none is needed; `lacks_next_hop`
    where one is needed and not there.
    """

    name: str
    network: IPNetwork
    own: ApplyPolicy | None = None
    groups: ApplyPolicy | None = None
    next_hop: IPAddress | None = None
    lacks_next_hop: bool = False


def compile_policies(spec: BgpSpec, subjects: Sequence[Subject]) -> Policies:
    """Return the policies of this node; `subjects` sorted by name."""
    book = _Book(spec)
    overall = spec.global_.apply_policy
    imports = overall.import_policy if overall is not None else None
    exports = overall.export_policy if overall is not None else None
    chain_in = [
        statement
        for subject in subjects
        for statement in book.special(subject, _import_of(subject), "in")
    ]
    chain_out = [hop for subject in subjects for hop in _next_hops(subject)] + [
        statement
        for subject in subjects
        for statement in book.special(subject, _export_of(subject), "out")
    ]
    chain_in += book.plain(imports, "in")
    chain_out += book.plain(exports, "out")
    if chain_in or _rejects(imports):
        chain_in.insert(0, Statement(name=OWN, is_own=True, accepts=True))
    statements = (*chain_in, *chain_out)
    return Policies(
        sets=_used(book.sets(subjects), statements),
        imports=tuple(chain_in),
        exports=tuple(chain_out),
        accepts_imports=not _rejects(imports),
        accepts_exports=not _rejects(exports),
    )


class _Book:
    """The user's policies and sets by name."""

    def __init__(self, spec: BgpSpec) -> None:
        definitions = spec.policy_definitions or ()
        self._policies = {policy.name: policy.statements or () for policy in definitions}
        self._sets = {(one.type, one.name): one for one in spec.defined_sets or ()}

    def special(
        self, subject: Subject, refs: PolicyRefs | None, direction: str
    ) -> Iterator[Statement]:
        """Yield a subject's own statements; whatever they do not decide ends with the last."""
        if refs is None:
            return
        only = (SetKind.NEIGHBOR, Match.ANY, _set_name(subject))
        for name, entry in self._entries(refs):
            if not self._concerns(entry, subject):
                continue
            found = _statement(f"{PREFIX}{direction}-{subject.name}-{name}", entry)
            kept = tuple(one for one in found.sets if one[0] is not SetKind.NEIGHBOR)
            yield replace(found, sets=(only, *kept))
        yield Statement(
            name=f"{PREFIX}{direction}-{subject.name}", sets=(only,), accepts=not _rejects(refs)
        )

    def plain(self, refs: PolicyRefs | None, direction: str) -> Iterator[Statement]:
        """Yield the statements that are for all neighbors."""
        if refs is not None:
            for name, entry in self._entries(refs):
                yield _statement(f"{PREFIX}{direction}-{name}", entry)

    def sets(self, subjects: Sequence[Subject]) -> tuple[DefinedSet, ...]:
        """Return the user's sets and one for each subject."""
        own = tuple(
            DefinedSet(
                kind=SetKind.NEIGHBOR, name=_set_name(subject), texts=(str(subject.network),)
            )
            for subject in subjects
        )
        return (*(_set(one) for one in self._sets.values()), *own)

    def _entries(self, refs: PolicyRefs) -> Iterator[tuple[str, PolicyStatement]]:
        for name in refs.policies or ():
            for statement in self._policies[name]:
                yield f"{name}-{statement.name}", statement

    def _concerns(self, entry: PolicyStatement, subject: Subject) -> bool:
        """Tell whether a statement's condition on neighbors holds for the subject.

        Each statement has room for one such condition, which the subject takes.
        """
        condition = entry.conditions.neighbor_set
        if condition is None:
            return True
        texts = self._sets[SetKind.NEIGHBOR.value, condition.name].list or ()
        is_listed = any(_contains(text, subject.network) for text in texts)
        return is_listed is not (condition.match == Match.INVERT.value)


def hopless(policies: Policies) -> frozenset[str]:
    """Return whom IPv6 routes are kept from because this node has no next hop for them."""
    return frozenset(
        one.name.removeprefix(HOP)
        for one in policies.exports
        if one.name.startswith(HOP) and one.accepts is False
    )


def _import_of(subject: Subject) -> PolicyRefs | None:
    own, group = subject.own, subject.groups
    if own is not None and own.import_policy is not None:
        return own.import_policy
    return group.import_policy if group is not None else None


def _export_of(subject: Subject) -> PolicyRefs | None:
    own, group = subject.own, subject.groups
    if own is not None and own.export_policy is not None:
        return own.export_policy
    return group.export_policy if group is not None else None


def _next_hops(subject: Subject) -> Iterator[Statement]:
    """Yield what gives IPv6 routes a next hop on an IPv4 session, or keeps them from it.

    Left to itself the engine sends an IPv4-mapped one, which no router can use (measured).
    """
    only = (SetKind.NEIGHBOR, Match.ANY, _set_name(subject))
    name = f"{HOP}{subject.name}"
    if subject.next_hop is not None:
        hop = subject.next_hop
        yield Statement(name=name, sets=(only,), family=AfiSafi.IPV6, next_hop=hop)
    elif subject.lacks_next_hop:
        yield Statement(name=name, sets=(only,), family=AfiSafi.IPV6, accepts=False)


def _rejects(refs: PolicyRefs | None) -> bool:
    return refs is not None and refs.default_action == "reject"


def _set_name(subject: Subject) -> str:
    return f"{PREFIX}{subject.name}"


def _contains(text: str, network: IPNetwork) -> bool:
    """Tell whether an entry of a neighbor set, an address or a prefix, holds all of a network."""
    entry = ip_network(text, strict=False)
    return network.prefixlen >= entry.prefixlen and network.network_address in entry


def _statement(name: str, entry: PolicyStatement) -> Statement:
    conditions, actions = entry.conditions, entry.actions
    sets = tuple(
        (kind, Match(match.match or Match.ANY.value), match.name)
        for kind, match in (
            (SetKind.PREFIX, conditions.prefix_set),
            (SetKind.NEIGHBOR, conditions.neighbor_set),
            (SetKind.AS_PATH, conditions.as_path_set),
            (SetKind.COMMUNITY, conditions.community_set),
        )
        if match is not None
    )
    found = Statement(name=name, sets=sets, rpki=conditions.rpki_result)
    return _with_actions(found, actions)


def _with_actions(statement: Statement, actions: PolicyActions) -> Statement:
    community, med, prepend = actions.community, actions.med, actions.as_prepend
    return replace(
        statement,
        accepts=actions.route_action == "accept",
        communities=None
        if community is None
        else (Change(community.type), community.communities or ()),
        med=None if med is None else (med.type == "mod", med.value),
        prepend=None if prepend is None else (prepend.asn, prepend.repeat),
        local_pref=actions.local_pref,
    )


def _set(one: DefinedSetSpec) -> DefinedSet:
    return DefinedSet(
        kind=SetKind(one.type),
        name=one.name,
        texts=one.list or (),
        prefixes=tuple(
            _prefix(entry.ip_prefix, entry.mask_length_min, entry.mask_length_max)
            for entry in one.prefixes or ()
        ),
    )


def _prefix(text: str, least: int | None, most: int | None) -> PrefixMatch:
    """Return one entry of a prefix set; a bound that is missing is the prefix's own length.

    With only a lower bound every longer prefix matches.
    """
    network = ip_network(text, strict=False)
    length = network.prefixlen
    longest = most or (network.max_prefixlen if least else length)
    return PrefixMatch(prefix=str(network), shortest=least or length, longest=longest)


def _used(
    sets: tuple[DefinedSet, ...], statements: tuple[Statement, ...]
) -> tuple[DefinedSet, ...]:
    """Return the sets that some statement needs, in order."""
    named = {(kind, name) for one in statements for kind, _, name in one.sets}
    by_key: Mapping[tuple[SetKind, str], DefinedSet] = {(one.kind, one.name): one for one in sets}
    return tuple(by_key[key] for key in sorted(named, key=lambda key: (key[0].value, key[1])))
