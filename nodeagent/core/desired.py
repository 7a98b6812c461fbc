"""What this node should carry, out of everything that is known. Pure, and the same for every cause.

Belongs here: what is common to all addresses, and when to look again. Does not: the decision about
one address (`judgement`), which decisions of the last pass still hold (`reuse`), nor how the kernel
gets there (`plan`). Called by the shell's loop on every wake-up.
"""

import math
from collections.abc import Collection, Container, Mapping
from dataclasses import replace
from itertools import chain

from nodeagent.core.config import NodeConfig, Unconfigured
from nodeagent.core.context import Context
from nodeagent.core.dummy import Dummy, look_up, wish_of
from nodeagent.core.election import NOBODY
from nodeagent.core.facts import Facts
from nodeagent.core.fence import Hold, Withdraw, hold
from nodeagent.core.inputs import Common, Inputs, Listing
from nodeagent.core.judgement import judge
from nodeagent.core.links import Observed, Selection
from nodeagent.core.peers import Reach
from nodeagent.core.remote import NO_POOLS
from nodeagent.core.rest import is_at_rest
from nodeagent.core.reuse import Work, patched, remaining
from nodeagent.core.selection import may_tear, select
from nodeagent.core.settling import joined_after
from nodeagent.core.verdicts import DesiredState, Judgement, Memory, Past, Terms, Verdict
from purelb.api.addresses import IPAddress
from purelb.api.groups import Fencing
from purelb.api.identifiers import Instant, ServiceKey
from purelb.api.views import ServiceView
from purelb.core.lease import MARGIN, LeaseState
from purelb.core.steps import Steps, chunks, finished


def desire(facts: Facts, now: Instant) -> DesiredState:
    """Return what this node should carry now, in one go."""
    return finished(desire_in_steps(facts, now))


def desire_in_steps(facts: Facts, now: Instant) -> Steps[DesiredState]:
    """Return what this node should carry now.

    A process that has never renewed its Lease adds nothing and withdraws nothing: what it finds was
    its predecessor's and ends by its kernel lifetime. What the last pass found is used again as far
    as it holds; without it the same would be found.
    """
    services, config, observed = facts.services, facts.config, facts.observed
    if services is None or config is None or observed is None or facts.pools is None:
        return DesiredState(is_whole=False, memory=facts.memory)
    facts = replace(facts, endpoints=dict(facts.endpoints))  # they change while others have turns
    return (yield from _from_known(facts, services, config, observed, now))


def _from_known(
    facts: Facts,
    services: Mapping[ServiceKey, ServiceView],
    config: NodeConfig | Unconfigured,
    observed: Observed,
    now: Instant,
) -> Steps[DesiredState]:
    right, listing, pools = hold(facts.lease, now), Listing.of(observed), facts.pools or NO_POOLS
    has_use = not facts.is_leaving and (not pools.is_empty or may_tear(observed, config))
    wish = wish_of(config, has_use=has_use, failure=facts.failure)
    dummy = look_up(wish, observed.links, listing.carried(), now)
    common = _common(facts, config, observed, dummy, now)
    common = replace(common, denial=right.reason if isinstance(right, Withdraw) else "")
    terms = _terms(common, right)
    inputs = Inputs(
        common=common,
        is_bounded=terms.is_bounded(now),
        services=services,
        endpoints=facts.endpoints,
        listing=listing,
        installed=facts.installed,
        conflicts=facts.conflicts,
        unrest=facts.unrest,
        announced=observed.announced,
        claims=dict(facts.claims),
        silent=facts.silent,
    )
    yield
    work = remaining(facts.memory, inputs, now)
    yield
    memory = _configured(facts.memory, config)
    selection = _selection(common, observed, work, memory, now)
    memory = _remembered(memory, facts, common, selection, now)
    if facts.electorate is None or facts.lease.state is LeaseState.ABSENT:
        return _unready(selection, memory)
    context = Context(
        facts=facts,
        common=common,
        observed=observed,
        electorate=facts.electorate,
        terms=terms,
        remote_terms=_remote_terms(common),
        lasting_terms=_lasting_terms(common, terms, now),
        selection=selection,
        joined=memory.joined,
        entries=work.entries,
        now=now,
    )
    return (yield from _decide(context, inputs, work, memory))


def _unready(selection: Selection, memory: Memory) -> DesiredState:
    """Return the state in which nothing is decided; the Lease shows the networks nevertheless."""
    return DesiredState(
        is_whole=False, selection=selection, next_change=selection.expires_at, memory=memory
    )


def _common(
    facts: Facts,
    config: NodeConfig | Unconfigured,
    observed: Observed,
    dummy: Dummy,
    now: Instant,
) -> Common:
    return Common(
        me=facts.me,
        config=config,
        node=facts.node,
        electorate=facts.electorate,
        expired=facts.expired,
        lease=(facts.lease.state, facts.lease.duration),
        links=observed.links,
        routes=observed.routes,
        has_marks=observed.has_marks,
        pools=facts.pools or NO_POOLS,
        dummy=dummy,
        has_endpoints=facts.has_endpoints,
        is_leaving=facts.is_leaving,
        reach=_counting(facts, now),
        is_kept=facts.lease.is_kept(now),
        has_api=facts.has_api or not facts.reach,
    )


def _counting(facts: Facts, now: Instant) -> Mapping[int, Reach]:
    """Return what counts of what is heard: what others say of themselves always does.

    Silence counts against a node only while we could see its Lease end, or nobody can. What has
    counted goes on to count: an API server that returns must hand nothing back to the dead.
    """
    if facts.is_fresh or facts.lease.is_kept(now):
        return facts.reach
    before = facts.memory.away
    return {
        index: replace(one, absent=one.absent & before.get(index, NOBODY))
        for index, one in facts.reach.items()
    }


def _terms(common: Common, right: Hold | Withdraw) -> Terms:
    (_, duration), limit = common.lease, common.lifetimes.valid
    return Terms(
        until=right.until if isinstance(right, Hold) else -math.inf,
        valid_limit=limit,
        gain=max(1, min(math.floor(duration / 6), limit // 2)),
    )


def _lasting_terms(common: Common, terms: Terms, now: Instant) -> Terms:
    """Return the terms of what outlasts the right: as if it had just been renewed."""
    if Fencing.AVAILABLE not in common.pools.fencing.values():
        return terms
    _, duration = common.lease
    return replace(terms, until=max(terms.until, now + duration - MARGIN))


def _remote_terms(common: Common) -> Terms:
    """Return the terms of remote addresses: no right ends them, half a lifetime is renewed."""
    limit = common.remote_lifetimes.valid
    return Terms(until=math.inf, valid_limit=limit, gain=limit // 2)


def _configured(memory: Memory, config: NodeConfig | Unconfigured) -> Memory:
    """Return what is remembered under a configuration: a new one forgets which networks were."""
    if memory.config == config:
        return memory
    epoch = memory.epoch + 1
    return Memory(
        tenures=memory.tenures,
        config=config,
        epoch=epoch,
        away=memory.away,
        joined=memory.joined,
    )


def _remembered(
    memory: Memory, facts: Facts, common: Common, selection: Selection, now: Instant
) -> Memory:
    """Return what is remembered of networks: which are here, who is away, since when we joined."""
    away = {index: one.absent for index, one in common.reach.items() if one.absent}
    joined = memory.joined
    if facts.electorate is not None:
        joined = joined_after(joined, selection.nics, facts.electorate, facts.me, now)
    return replace(memory, presence=selection.presence, away=away, joined=joined)


def _selection(
    common: Common, observed: Observed, work: Work, memory: Memory, now: Instant
) -> Selection:
    if work.past is not None:  # what was there is there
        return work.past.state.selection
    vips = work.vips.keys() - common.own
    return select(observed, common.config, vips, presence=memory.presence, now=now)


def _decide(context: Context, inputs: Inputs, work: Work, memory: Memory) -> Steps[DesiredState]:
    past, touched, config = work.past, work.touched, inputs.common.config
    before = past.state if past is not None else DesiredState(is_whole=False)
    judged: dict[IPAddress, Judgement] = {}
    restless = before.restless - touched
    for some in chunks(touched):
        judged |= {a: judge(context, vip) for a in some if (vip := work.vips.get(a)) is not None}
        yield
    changing = {address: one for address, one in judged.items() if one.changes}
    timed = patched(past.timed if past is not None else {}, changing, touched)
    verdicts = {address: one.verdict for address, one in judged.items()}
    garp = config.garp if isinstance(config, NodeConfig) else None
    epoch = memory.epoch if garp is not None else None
    for some in chunks(touched):
        restless |= _restless(context, verdicts, some, epoch)
        yield
    state = DesiredState(
        is_whole=True,
        verdicts=patched(before.verdicts, verdicts, touched),
        vips=work.vips,
        selection=context.selection,
        terms=context.terms,
        dummy=context.common.dummy,
        remote_terms=context.remote_terms,
        lasting_terms=context.lasting_terms,
        garp=garp,
        epoch=memory.epoch,
        fallbacks=_fallbacks(before, judged, touched),
        next_change=_next_change(context, timed),
        restless=restless,
        changed=touched,
        before=before.verdicts if past is not None else None,
    )
    tenures = {address: one.tenure for address, one in judged.items()}
    return replace(
        state,
        memory=replace(
            memory,
            tenures=patched(memory.tenures if past is not None else {}, tenures, touched),
            past=Past(inputs=inputs, state=state, timed=timed),
        ),
    )


def _restless(
    context: Context,
    verdicts: Mapping[IPAddress, Verdict],
    touched: Collection[IPAddress],
    epoch: int | None,
) -> frozenset[IPAddress]:
    return frozenset(
        address
        for address in touched
        if not is_at_rest(
            verdicts.get(address), context.entries.get(address, ()), context.observed, epoch
        )
    )


def _fallbacks(
    before: DesiredState, judged: Mapping[IPAddress, Judgement], touched: Container[IPAddress]
) -> tuple[IPAddress, ...]:
    kept = (address for address in before.fallbacks if address not in touched)
    return (*kept, *(address for address, one in judged.items() if one.fell_back))


def _next_change(context: Context, timed: Mapping[IPAddress, Judgement]) -> Instant | None:
    facts, expires_at = context.facts, context.selection.expires_at
    retry_at = facts.failure.retry_at if facts.failure is not None else math.inf
    confirmed_until = context.facts.lease.confirmed_until if context.common.reach else math.inf
    common = (
        context.terms.until,
        confirmed_until,
        expires_at if expires_at is not None else math.inf,
        retry_at,
    )
    changes = chain(common, *(one.changes for one in timed.values()))
    return min((at for at in changes if context.now < at < math.inf), default=None)
