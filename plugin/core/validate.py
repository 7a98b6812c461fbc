"""`validate`: what is wrong with ServiceGroups, LBNodeAgents and BGPConfigurations.

Belongs here: the order of the checks, and those about ServiceGroups. The others are in
`agentchecks` and `bgpchecks`.
"""

from collections.abc import Iterator, Sequence

from allocator.core.pool import Fault, GroupProblem, PoolSet
from allocator.core.select import DEFAULT
from plugin.core.agentchecks import agent_checks
from plugin.core.allocation import pools_of
from plugin.core.bgpchecks import bgp_checks
from plugin.core.checks import CheckRow, ValidateReport, bad, doubtful, good, graded
from plugin.core.coverage import groups_of, is_covered
from plugin.core.snapshot import NodeLease, Snapshot
from purelb.api.addresses import AddressRange, parse_network, parse_range
from purelb.api.groups import GroupKind, GroupView, RangeEntry
from purelb.api.resources import ServiceGroupSpec


def validate(snapshot: Snapshot) -> ValidateReport:
    """Return all verdicts, in the order in which PureLB's plugin has them."""
    pools = pools_of(snapshot)
    groups = groups_of(pools)
    has_remote = any(group.kind is GroupKind.REMOTE for group in groups)
    checks = (
        *_out_of_scope(pools, snapshot.namespace),
        *(row for group in groups for row in _group(group, pools, snapshot)),
        *_bindings(pools),
        *_overlaps(groups),
        *agent_checks(snapshot),
        *bgp_checks(snapshot, has_remote=has_remote),
    )
    counted = [f"{len(groups)} ServiceGroup(s)", f"{len(snapshot.agents)} LBNodeAgent(s)"]
    if snapshot.bgp_configs:
        counted.append(f"{len(snapshot.bgp_configs)} BGPConfiguration(s)")
    return graded(checks, ", ".join(counted))


def _out_of_scope(pools: PoolSet, namespace: str) -> Iterator[CheckRow]:
    for problem in pools.problems.values():
        if problem.fault is Fault.OUT_OF_SCOPE:
            group = problem.group
            loss = (
                "addresses from it are withdrawn from every node"
                if group.kind is GroupKind.REMOTE
                else "no Service gets an address from it"
            )
            yield bad(
                f'ServiceGroup "{group.name}" is in namespace "{group.namespace}", not the PureLB'
                f' install namespace "{namespace}": {loss}; move it, or name the install'
                " namespace with -n"
            )


def _group(group: GroupView, pools: PoolSet, snapshot: Snapshot) -> Iterator[CheckRow]:
    found = [
        *_shape(group, snapshot),
        *(row for entry in group.entries for row in _range(group, entry, snapshot.leases)),
    ]
    yield from found
    problem = pools.problems.get(group.key)
    if problem is not None and not any(row.status == "FAIL" for row in found):
        yield from _rejection(problem)
    accepted = pools.pools.get(group.name)
    if accepted is not None and accepted.group is group:
        for text in accepted.warnings:
            yield doubtful(f'ServiceGroup "{group.name}": {text}')


def _shape(group: GroupView, snapshot: Snapshot) -> Iterator[CheckRow]:
    title = f'ServiceGroup "{group.name}"'
    if group.kind is None:
        spec = next(
            one.spec
            for one in snapshot.groups
            if (one.metadata.namespace, one.metadata.name) == group.key
        )
        if spec == ServiceGroupSpec():
            yield bad(f"{title}: empty spec; it needs one of local, remote, external")
        elif not (spec.local or spec.remote or spec.external):
            yield bad(f"{title}: no local, remote, or external spec")
        else:
            yield bad(f"{title}: it has several of local, remote, external; leave exactly one")
    if group.multi_pool and group.balance:
        yield bad(f"{title}: multiPool and balancePools are mutually exclusive; leave one of them")


def _range(group: GroupView, entry: RangeEntry, leases: Sequence[NodeLease]) -> Iterator[CheckRow]:
    title = f'ServiceGroup "{group.name}"'
    try:
        addresses = parse_range(entry.text)
    except ValueError as error:
        yield bad(f'{title}: invalid pool range "{entry.text}": {error}')
        return
    try:
        subnet = parse_network(entry.subnet)
    except ValueError as error:
        yield bad(f'{title}: invalid subnet "{entry.subnet}": {error}')
        return
    if addresses.first not in subnet or addresses.last not in subnet:
        yield bad(f"{title}: range {entry.text} is not contained by subnet {entry.subnet}")
    if group.kind is GroupKind.LOCAL and not is_covered(addresses, leases):
        yield doubtful(
            f"{title}: range {entry.text} (subnet {entry.subnet}) is not covered by any node"
        )


def _rejection(problem: GroupProblem) -> Iterator[CheckRow]:
    if not problem.rivals:  # overlaps have a check of their own
        yield bad(f'ServiceGroup "{problem.group.name}": {problem.detail}')


def _bindings(pools: PoolSet) -> Iterator[CheckRow]:
    bindings = pools.bindings
    for namespace in sorted(bindings.eligible):
        eligible = bindings.eligible[namespace]
        claimants = bindings.claimants[namespace]
        if len(eligible) < 2 or len(claimants) == 1:
            continue
        what = (
            f"{', '.join(claimants)} all set namespaceDefault"
            if claimants
            else "none sets namespaceDefault"
        )
        outcome = (
            "are refused"
            if namespace in bindings.enforcing
            else f'get an address from "{DEFAULT}" instead'
        )
        yield bad(
            f'Namespace "{namespace}" is served by {", ".join(eligible)}, and {what}; exactly one'
            f" must: until then Services there that name no group {outcome}"
        )


def _overlaps(groups: Sequence[GroupView]) -> Iterator[CheckRow]:
    ranges = sorted(_parsed(groups), key=lambda one: (one[0].family, int(one[0].first)))
    clashes: list[str] = []
    active: list[tuple[AddressRange, str, str]] = []
    for addresses, name, text in ranges:
        active = [one for one in active if _reaches(one[0], addresses)]
        clashes += [
            f"Overlapping ranges: {other}/{other_text} and {name}/{text}"
            for _, other, other_text in active
            if other != name
        ]
        active.append((addresses, name, text))
    yield from (bad(clash) for clash in clashes)
    if len(ranges) > 1 and not clashes:
        yield good("No overlapping pool ranges detected")


def _parsed(groups: Sequence[GroupView]) -> Iterator[tuple[AddressRange, str, str]]:
    for group in groups:
        for entry in group.entries:
            try:
                yield parse_range(entry.text), group.name, entry.text
            except ValueError:
                continue


def _reaches(one: AddressRange, other: AddressRange) -> bool:
    return one.family is other.family and int(one.last) >= int(other.first)
