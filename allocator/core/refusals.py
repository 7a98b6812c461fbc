"""What a person reads when an address cannot be given. Pure.

Belongs here: the texts. Each names the pool or address, who holds it, and what to do; parts of them
are matched by users' tools. Does not: when they apply (`place`, `multi`, `decide`).
"""

from collections.abc import Sequence
from dataclasses import replace

from allocator.core.guards import Guard
from allocator.core.holdings import Objection
from allocator.core.ledger import Ledger
from allocator.core.pool import Pool, PoolSet
from allocator.core.rests import Rest
from purelb.api.addresses import Family, IPAddress
from purelb.api.identifiers import PoolName, ServiceKey, SharingKey
from purelb.api.problems import Problem, Reason

SHOWN = 200  # characters of a provider's message
MOST_TOLD = 3  # things that are wrong with one Service
ALSO = "; also: "
ELSEWHERE = (
    "delete a Service that holds one, or name another ServiceGroup in annotation"
    " purelb.io/service-group"
)
FULL = "exhausted: no available addresses"


def all_of(problems: Sequence[Problem]) -> Problem | None:
    """Return one problem that tells of all, each once; the first one is the one that is counted."""
    told = {gist(problem.detail): problem for problem in reversed(problems)}
    different = tuple(reversed(told.values()))
    if len(different) < 2:
        return different[0] if different else None
    details = [problem.detail for problem in different[:MOST_TOLD]]
    if len(different) > MOST_TOLD:
        details.append(f"{len(different) - MOST_TOLD} more")
    return replace(different[0], detail=ALSO.join(details))


def is_news(problem: Problem, known: Problem | None) -> bool:
    """Tell whether a person who was told `known` should be told this."""
    if known is None:
        return True
    return (problem.reason, problem.pool) != (known.reason, known.pool) or (
        gist(problem.detail) != gist(known.detail)
    )


def gist(detail: str) -> tuple[str, ...]:
    """Return what of a text, or of several in one, is worth telling anew when it changes.

    A full pool stays full while its holders, and with them the text, change.
    """
    return tuple(_head(part) for part in detail.split(ALSO))


def _head(part: str) -> str:
    before, full, after = part.partition(FULL)
    return before + full + after.partition(": ")[0] if full else part


def exhausted(pool: Pool, family: Family, ledger: Ledger) -> Problem:
    """No address of a family is left; the text has sizes and one of the holders."""
    ranges = pool.ranges[family]
    start = f'pool "{pool.name}" {FULL} for {family}'
    if not ranges:
        return Problem(
            reason=Reason.EXHAUSTED,
            detail=f"{start}: it has no {family} range, its size is 0 and 0 are free; add one to"
            f" {'v4pools' if family is Family.IPV4 else 'v6pools'}, or change spec.ipFamilies",
            pool=pool.name,
        )
    texts = ", ".join(found.text for found in ranges)
    is_open = pool.capacity(family) == pool.size(family)
    beside = "" if is_open else " that are neither the cluster's own nor reserved"
    resting = sum(ledger.taken(span) - ledger.used(span) for span in pool.extents[family])
    use = f"in use or, {resting} of them, at rest after their release" if resting else "in use"
    first = ledger.lowest_used(ranges[0].addresses)
    holder = f" ({first} is held by {ledger.owners(first)[0]})" if first else ""
    return Problem(
        reason=Reason.EXHAUSTED,
        detail=f"{start}: all {pool.capacity(family)} {family} addresses of {texts}{beside} are"
        f" {use} and 0 are free{holder}; add a range, {ELSEWHERE}",
        pool=pool.name,
    )


def guarded(address: IPAddress, guard: Guard, pool: Pool) -> Problem:
    """The address belongs to the cluster itself."""
    return _of(
        pool,
        f'{address} of pool "{pool.name}" belongs to {guard.owner} and is given to no'
        " Service; choose another address, and take it out of the ServiceGroup's range",
    )


def reserved(address: IPAddress, service: ServiceKey, pool: Pool) -> Problem:
    """The address is kept for another Service."""
    return _of(
        pool,
        f'{address} of pool "{pool.name}" is reserved for Service {service}; choose another'
        " address, or change spec.reservations of the ServiceGroup",
    )


def resting(rest: Rest, pool: Pool) -> Problem:
    """The address was released a short while ago."""
    return _of(
        pool,
        f'{rest.address} of pool "{pool.name}" was released by Service {rest.key} less than'
        f" {pool.group.cool_down} ago and rests for now (spec.coolDown of the"
        " ServiceGroup); wait, or choose another address",
    )


def in_the_way(objection: Objection, sharing: SharingKey, pool: PoolName | None) -> Problem:
    """Another Service holds the address, and the two may not share it."""
    address, holder, port = objection.address, objection.holder, objection.port
    if port is not None:
        return Problem(
            reason=Reason.PORT_CONFLICT,
            detail=f"port {port.protocol}/{port.number} on {address} is already in use by Service"
            f' {holder}, which shares the address under sharing key "{sharing}"; change the port,'
            " or use another key in annotation purelb.io/allow-shared-ip",
            pool=pool,
        )
    ours = f'sharing key "{sharing}" is not that of' if sharing else "no sharing key is common with"
    return Problem(
        reason=Reason.SHARING_KEY_CONFLICT,
        detail=f"{address} is already in use by Service {holder}, and {ours} all who hold it;"
        " release it there, choose another address, or give all of them the same value of"
        " annotation purelb.io/allow-shared-ip",
        pool=pool,
    )


def bound_elsewhere(
    sharing: SharingKey, bound: IPAddress, pin: IPAddress, pool: PoolName
) -> Problem:
    """The sharing key already stands for another address of the pool."""
    return Problem(
        reason=Reason.SHARING_KEY_CONFLICT,
        detail=f'sharing key "{sharing}" is bound to {bound} in pool "{pool}", so {pin} cannot be'
        f" given under it; ask for {bound}, or use another key",
        pool=pool,
    )


def outside(pin: IPAddress, pools: PoolSet) -> Problem:
    """A pinned address is in no pool."""
    ranged = (name for name, pool in pools.pools.items() if not pool.is_external)
    known = ", ".join(sorted(ranged)) or "none"
    return Problem(
        reason=Reason.OTHER,
        detail=f'"{pin}" does not belong to any group; choose an address inside a range of a local'
        f" or remote ServiceGroup ({known}), or add a range that has it",
    )


def silent(pool: Pool) -> Problem:
    """The provider of an external pool does not answer; the text is the same however it fails."""
    return _of(
        pool,
        f"{_provider(pool)} does not answer on socket {pool.group.socket}; it is asked again"
        " by itself as soon as it does: look at the sidecar's log",
    )


def unrecorded(pool: Pool, error: str) -> Problem:
    """What the provider may be asked for cannot be put on record, so that it is not asked."""
    return _of(
        pool,
        f"{_provider(pool)} is not asked, because the ConfigMap that records what it gives"
        f" cannot be written ({error[:SHOWN]}); it is tried again and again: make room for it, or"
        " let the API server take it",
    )


def provider_full(pool: Pool, message: str) -> Problem:
    """The provider has no address left."""
    return Problem(
        reason=Reason.EXHAUSTED,
        detail=f'pool "{pool.name}" {FULL}: {_provider(pool)} says'
        f" {_quoted(message)}; add addresses there, {ELSEWHERE}",
        pool=pool.name,
    )


def provider_refuses(pool: Pool, status: str, message: str) -> Problem:
    """The provider answered with a gRPC status that waiting alone may not cure."""
    return _of(
        pool,
        f"{_provider(pool)} refuses with {status}: {_quoted(message)}; change what it"
        " complains of, there or on the Service; it is asked again now and then",
    )


def nonsense(pool: Pool, said: str) -> Problem:
    """The provider's reply breaks the protocol."""
    return _of(
        pool,
        f"{_provider(pool)} answered with {said}; correct the sidecar, it is asked again now"
        " and then",
    )


def incomplete(pool: Pool, family: Family) -> Problem:
    """The provider's reply has no address of a family that was asked for."""
    return _of(
        pool,
        f"{_provider(pool)} gave no {family} address that was asked for; add some there, or"
        " change spec.ipFamilies or annotation purelb.io/addresses",
    )


def in_a_range(pool: Pool, address: IPAddress, home: Pool) -> Problem:
    """The provider's address lies in one of our own ranges, which give it as well."""
    return _of(
        pool,
        f"{_provider(pool)} gave {address}, which belongs to a range of ServiceGroup"
        f' "{home.name}"; take it out of one of the two',
    )


def _of(pool: Pool, detail: str) -> Problem:
    """Return a problem that is a pool's, and none of those that are counted by themselves."""
    return Problem(reason=Reason.OTHER, detail=detail, pool=pool.name)


def _provider(pool: Pool) -> str:
    return f'the external provider "{pool.group.provider}" of pool "{pool.name}"'


def _quoted(message: str) -> str:
    return f'"{message[:SHOWN]}"' if message else "nothing more"
