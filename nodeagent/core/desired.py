"""What this node should carry, out of everything that is known. Pure, and the same for every cause.

Belongs here: what is common to all addresses, and when to look again. Does not: the decision about
one address (`judgement`), nor how the kernel gets there (`plan`). Called by the shell's loop on
every wake-up.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from nodeagent.core.config import LOCAL, NodeConfig, Unconfigured
from nodeagent.core.election import Electorate
from nodeagent.core.facts import Facts
from nodeagent.core.fence import Hold, Neighbors, Withdraw, hold
from nodeagent.core.judgement import Context, judge
from nodeagent.core.links import Observed, select
from nodeagent.core.verdicts import DesiredState, Memory, Past, Wait
from nodeagent.core.vips import Vip, gather
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.links import LinkAddress
from purelb.api.views import NodeView, ServiceView
from purelb.core.lease import LeaseState


def desire(facts: Facts, now: Instant) -> DesiredState:
    """Return what this node should carry now.

    A process that has never renewed its Lease adds nothing and withdraws nothing: what it finds was
    its predecessor's and ends by its kernel lifetime. If nothing but lifetimes and the time have
    changed since the last state, and none of its times has come, that state is returned again.
    """
    services, config, observed = facts.services, facts.config, facts.observed
    if services is None or config is None or observed is None:
        return DesiredState(is_whole=False, memory=facts.memory)
    inputs = _Inputs.of(facts, services, observed, now)
    if (known := _same_again(facts.memory, inputs, now)) is not None:
        return known
    vips = gather(services)
    own = frozenset(facts.node.addresses) if facts.node is not None else frozenset()
    memory = _configured(facts.memory, config)
    selection = select(observed, config, vips.keys() - own, presence=memory.presence, now=now)
    memory = replace(memory, presence=selection.presence)
    if facts.electorate is None or facts.lease.state is LeaseState.ABSENT:
        # Which networks are here is known nevertheless, for the Lease to show.
        return DesiredState(
            is_whole=False,
            selection=selection,
            next_change=selection.expires_at,
            memory=memory,
        )
    context = Context(
        facts=facts,
        is_configured=isinstance(config, NodeConfig),
        lifetimes=config.local if isinstance(config, NodeConfig) else LOCAL,
        selection=selection,
        electorate=facts.electorate,
        right=inputs.right,
        neighbors=Neighbors(
            live=facts.electorate.live, expired=facts.expired, renewed=facts.renewed
        ),
        present=_present(observed),
        occupied=_occupied(observed),
        own=own,
        gain=math.floor(facts.lease.duration / 6),
        now=now,
    )
    return _decide(context, vips, memory, inputs)


def _configured(memory: Memory, config: NodeConfig | Unconfigured) -> Memory:
    """Return what is remembered under a configuration: a new one forgets which networks were."""
    if memory.config == config:
        return memory
    return Memory(tenures=memory.tenures, config=config, epoch=memory.epoch + 1)


def _decide(
    context: Context, vips: Mapping[IPAddress, Vip], memory: Memory, inputs: "_Inputs"
) -> DesiredState:
    config = memory.config
    judged = {address: judge(context, vip) for address, vip in vips.items()}
    changes = chain(_common_changes(context), *(one.changes for one in judged.values()))
    state = DesiredState(
        is_whole=True,
        verdicts={address: one.verdict for address, one in judged.items()},
        vips=vips,
        selection=context.selection,
        garp=config.garp if isinstance(config, NodeConfig) else None,
        epoch=memory.epoch,
        fallbacks=tuple(address for address, one in judged.items() if one.fell_back),
        next_change=min((at for at in changes if context.now < at < math.inf), default=None),
    )
    tenures = {address: one.tenure for address, one in judged.items()}
    return replace(state, memory=replace(memory, tenures=tenures, past=Past(inputs, state)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """All that a state follows from, but for the time and what only shrinks with it.

    Cheap to compare: most parts are the same objects from pass to pass.
    """

    services: Mapping[ServiceKey, ServiceView]
    config: NodeConfig | Unconfigured | None
    node: NodeView | None
    electorate: Electorate | None
    expired: frozenset[NodeName]
    endpoints: Mapping[ServiceKey, frozenset[NodeName]]
    lease: tuple[LeaseState, float]
    right: Hold | Withdraw
    kernel: tuple[object, ...]
    gate: tuple[object, ...]

    @classmethod
    def of(
        cls,
        facts: Facts,
        services: Mapping[ServiceKey, ServiceView],
        observed: Observed,
        now: Instant,
    ) -> "_Inputs":
        entries = [(e.index, e.prefix, e.flags, e.mark, e.address) for e in observed.addresses]
        return cls(
            services=dict(services),  # the caller's may change in place
            config=facts.config,
            node=facts.node,
            electorate=facts.electorate,
            expired=facts.expired,
            endpoints=dict(facts.endpoints),
            lease=(facts.lease.state, facts.lease.duration),
            right=hold(facts.lease, now),
            kernel=(observed.links, observed.routes, observed.record, entries),
            gate=(facts.unrest, facts.installed),
        )


def _same_again(memory: Memory, inputs: _Inputs, now: Instant) -> DesiredState | None:
    past = memory.past
    if past is None or past.inputs != inputs:
        return None
    state = past.state
    if state.next_change is not None and state.next_change <= now:
        return None
    if state.selection.expires_at is not None:
        return None  # some networks are present, some were: each has its own time
    if any(isinstance(verdict, Wait) for verdict in state.verdicts.values()):
        return None  # it may wait for a sign that is not among the inputs
    presence = dict.fromkeys(memory.presence, now)
    return replace(state, memory=replace(memory, presence=presence))


def _common_changes(context: Context) -> Iterator[Instant]:
    if isinstance(context.right, Hold):
        yield context.right.until
    if context.selection.expires_at is not None:
        yield context.selection.expires_at


def _present(observed: Observed) -> dict[tuple[int, IPAddress], LinkAddress]:
    return {
        (entry.index, entry.address): entry
        for entry in observed.addresses
        if entry.prefix == entry.address.max_prefixlen
    }


def _occupied(observed: Observed) -> set[tuple[int, IPAddress]]:
    return {
        (entry.index, entry.address)
        for entry in observed.addresses
        if entry.address.version == 6
        and entry.prefix != entry.address.max_prefixlen
        and not observed.is_ours(entry)
    }
