"""Whether defined sets and policies of a BGPConfiguration make sense."""

import re
from collections.abc import Iterator, Mapping

from bgp.core import fields
from bgp.core.findings import Finding, remark
from bgp.core.model import Change, Match, SetKind
from purelb.api.bgp import (
    BgpSpec,
    DefinedSet,
    MatchSet,
    PolicyActions,
    PolicyConditions,
    PrefixRange,
)

KINDS = tuple(kind.value for kind in SetKind if kind is not SetKind.LARGE_COMMUNITY)
MATCHES = tuple(match.value for match in Match)
CHANGES = tuple(change.value for change in Change)
MED_TYPES = ("mod", "replace")
RPKI_RESULTS = ("valid", "invalid", "not-found")
MOST_PREPENDED = 64  # routers refuse paths that are much longer

Sets = Mapping[tuple[str, str], DefinedSet]  # by kind and name


def check_policies(spec: BgpSpec) -> Iterator[Finding]:
    """Yield what is wrong with spec.definedSets and spec.policyDefinitions."""
    sets: dict[tuple[str, str], DefinedSet] = {}
    for position, each in enumerate(spec.defined_sets or ()):
        path = f"spec.definedSets[{position}]"
        yield from fields.word(f"{path}.type", each.type, KINDS)
        if not each.name:
            yield Finding(f"{path}.name", "a name is missing")
        if (each.type, each.name) in sets:
            note = f"a {each.type} set {each.name!r} is there already; rename one of them"
            yield Finding(f"{path}.name", note)
        sets[each.type, each.name] = each
        yield from _check_content(path, each)
    policies = spec.policy_definitions or ()
    yield from fields.names("spec.policyDefinitions[{}].name", [one.name for one in policies])
    for position, policy in enumerate(policies):
        path = f"spec.policyDefinitions[{position}]"
        statements = policy.statements or ()
        where = f"{path}.statements[{{}}].name"
        yield from fields.names(where, [statement.name for statement in statements])
        for number, statement in enumerate(statements):
            place = f"{path}.statements[{number}]"
            yield from _check_conditions(f"{place}.conditions", statement.conditions, sets)
            yield from _check_actions(f"{place}.actions", statement.actions)


def _check_content(path: str, value: DefinedSet) -> Iterator[Finding]:
    if value.type == SetKind.PREFIX.value:
        yield from _check_prefixes(path, value)
        return
    if value.prefixes:
        yield Finding(f"{path}.prefixes", f"a {value.type} set has a list instead")
    if not value.list:
        yield Finding(f"{path}.list", "is empty; nothing can match")
    for position, text in enumerate(value.list or ()):
        yield from _check_entry(f"{path}.list[{position}]", value.type, text)


def _check_entry(path: str, kind: str, text: str) -> Iterator[Finding]:
    match kind:
        case SetKind.NEIGHBOR.value:
            if fields.parsed_address(text) is None and fields.parsed_prefix(text) is None:
                yield Finding(path, f"{text!r} is neither an address nor a prefix")
        case SetKind.COMMUNITY.value if re.fullmatch(r"\d+:\d+", text) or text.isalpha():
            yield from fields.community(path, text)
        case _:
            try:
                re.compile(text)
            except re.error as error:
                yield Finding(path, f"{text!r} is no regular expression: {error}")


def _check_prefixes(path: str, value: DefinedSet) -> Iterator[Finding]:
    if value.list:
        yield Finding(f"{path}.list", "a prefix set has prefixes instead")
    if not value.prefixes:
        yield Finding(f"{path}.prefixes", "is empty; nothing can match")
    for position, entry in enumerate(value.prefixes or ()):
        yield from _check_range(f"{path}.prefixes[{position}]", entry)
    networks = [fields.parsed_prefix(entry.ip_prefix) for entry in value.prefixes or ()]
    if len({network.version for network in networks if network is not None}) > 1:
        note = "mixes IPv4 and IPv6; make two sets"
        yield Finding(f"{path}.prefixes", note)


def _check_range(path: str, entry: PrefixRange) -> Iterator[Finding]:
    network = fields.parsed_prefix(entry.ip_prefix)
    if network is None:
        yield from fields.prefix(f"{path}.ipPrefix", entry.ip_prefix)
        return
    least, most = entry.mask_length_min, entry.mask_length_max
    bits = network.max_prefixlen
    if least:
        yield from fields.number(f"{path}.maskLengthMin", least, network.prefixlen, bits)
    if most:
        yield from fields.number(f"{path}.maskLengthMax", most, network.prefixlen, bits)
    if least and most and least > most:
        yield Finding(f"{path}.maskLengthMax", f"is below maskLengthMin, {least}")


def _check_conditions(path: str, value: PolicyConditions, sets: Sets) -> Iterator[Finding]:
    for name, kind, match in (
        ("prefixSet", SetKind.PREFIX, value.prefix_set),
        ("neighborSet", SetKind.NEIGHBOR, value.neighbor_set),
        ("asPathSet", SetKind.AS_PATH, value.as_path_set),
        ("communitySet", SetKind.COMMUNITY, value.community_set),
    ):
        if match is not None:
            yield from _check_match(f"{path}.{name}", kind, match, sets)
    yield from fields.word(f"{path}.rpkiResult", value.rpki_result, RPKI_RESULTS, may_lack=True)
    if value.rpki_result in RPKI_RESULTS:
        note = "no RPKI server can be configured, so every route is not-found"
        yield remark(f"{path}.rpkiResult", note)


def _check_match(path: str, kind: SetKind, match: MatchSet, sets: Sets) -> Iterator[Finding]:
    if (kind.value, match.name) not in sets:
        note = f"no {kind.value} set is called {match.name!r}; define it in definedSets"
        yield Finding(f"{path}.name", note)
    yield from fields.word(f"{path}.match", match.match, MATCHES, may_lack=True)
    if kind is SetKind.PREFIX and match.match == Match.ALL.value:
        note = "a prefix cannot match all of a set; use any or invert"
        yield Finding(f"{path}.match", note)


def _check_actions(path: str, value: PolicyActions) -> Iterator[Finding]:
    yield from fields.word(f"{path}.routeAction", value.route_action, fields.ACTIONS)
    if (community := value.community) is not None:
        yield from fields.word(f"{path}.community.type", community.type, CHANGES)
        for position, text in enumerate(community.communities or ()):
            yield from fields.community(f"{path}.community.communities[{position}]", text)
    if (med := value.med) is not None:
        yield from fields.word(f"{path}.med.type", med.type, MED_TYPES)
        least = 0 if med.type == "replace" else -fields.LARGEST_U32
        yield from fields.number(f"{path}.med.value", med.value, least, fields.LARGEST_U32)
    if (prepend := value.as_prepend) is not None:
        yield from fields.asn(f"{path}.asPrepend.asn", prepend.asn)
        yield from fields.number(f"{path}.asPrepend.repeat", prepend.repeat, 1, MOST_PREPENDED)
    if value.local_pref is not None:
        where = f"{path}.localPref"
        yield from fields.number(where, value.local_pref, 0, fields.LARGEST_U32)
