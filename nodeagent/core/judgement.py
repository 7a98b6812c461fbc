"""What this node does about one address: the questions, in their order.

Does a selected link reach it (`links`)? May this node hold anything (`fence`)? Who wins
(`election`)? Has the last holder let go (`fence`)? May it be added now (`gate`)? Does a stranger
have it (`inquiry`)? Each is asked only if those before let the address pass.

Does not belong here: the answers, and what is common to all addresses (`desired`, the caller).
"""

import math
from dataclasses import replace
from typing import Final

from nodeagent.core import handover
from nodeagent.core.config import Lifetimes, NodeConfig
from nodeagent.core.context import Context
from nodeagent.core.election import Winner
from nodeagent.core.endpoints import may_announce
from nodeagent.core.fence import denial, outlasts, take_at, unsure_until
from nodeagent.core.gate import CLEAR, Blocked, Cause, Gate, WaitUntil, cause
from nodeagent.core.inputs import Common
from nodeagent.core.inquiry import inquire
from nodeagent.core.links import Ambiguous, Home, Nic
from nodeagent.core.peers import NOTHING_HEARD
from nodeagent.core.refusals import forbidden, unreachable
from nodeagent.core.remote import Placement
from nodeagent.core.verdicts import (
    Away,
    Here,
    Judgement,
    Reason,
    Tenure,
    Terms,
    Verdict,
    Wait,
)
from nodeagent.core.vips import Vip
from purelb.api.addresses import IPAddress
from purelb.api.annotations import Slot
from purelb.api.groups import Fencing
from purelb.api.identifiers import Instant, NodeName
from purelb.api.links import (
    FOREVER,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    LinkAddress,
    network_of,
)
from purelb.core.lease import LeaseState

ENDPOINTS_WAIT: Final = 1.0  # seconds for EndpointSlices to arrive before affinity is given up


def judge(context: Context, vip: Vip) -> Judgement:
    """Decide about one address."""
    slot = handover.holder(context.facts, vip)
    before = context.facts.memory.tenures.get(vip.address)
    if before is None:
        before = Tenure(seen_at=context.now, slot=slot)
    fencing = context.common.pools.fencing_of(vip.address)
    home = _home(context, vip, fencing)
    if isinstance(home, Placement):
        verdict, changes = _judge_remote(context, vip, home)
        return Judgement(verdict, handover.lost(before, slot), changes)
    if isinstance(home, Away):
        return Judgement(home, handover.lost(before, slot))
    if context.common.denial:
        return _outlast(context, vip, home, replace(before, slot=slot))
    winner = _winner(context, vip, home, before, slot)
    if isinstance(winner, Wait):
        return Judgement(winner, handover.lost(before, slot), (winner.at,))
    if winner is None:
        away = Away(address=vip.address, reason=Reason.NO_ELIGIBLE_NODES)
        return Judgement(away, handover.lost(before, slot))
    if winner.node != context.facts.me:
        away = Away(
            address=vip.address,
            reason=Reason.LOST_ELECTION,
            winner=winner.node,
            link=home.nic.link,
        )
        return Judgement(away, handover.lost(before, slot), (), winner.fell_back)
    won = handover.won(before, slot, context.facts.me, context.now)
    return _judge_won(context, vip, home, won, fell_back=winner.fell_back)


def _judge_won(
    context: Context, vip: Vip, home: Home, won: Tenure, *, fell_back: bool
) -> Judgement:
    """Decide about an address that the election gives to this node."""
    needs_silence = _needs_silence(context, home, vip.address, won.slot)
    wait = _wait(context, home, vip.address, won, needs_silence=needs_silence)
    if wait is not None:
        return Judgement(wait, won, (wait.at,), fell_back)
    entry = context.entry(home.nic.link, vip.address, vip.address.max_prefixlen)
    here = replace(
        _succeeding(_here(context, vip, home, entry), won.succeeds),
        needs_silence=needs_silence,
        outlasts=context.common.pools.fencing_of(vip.address) is Fencing.AVAILABLE,
    )
    if (wait := inquire(context.facts, here, won.slot, context.now)) is not None:
        wait = replace(wait, silence_on=home.nic.link if needs_silence else None)
        return Judgement(wait, won, (wait.at,), fell_back)
    tenure = handover.taken(context.facts, vip, won)
    changes = _changes(here, context, entry)
    if tenure is not won:  # with a claim of its own the next pass sees another holder
        changes = (*changes, context.now)
    return Judgement(here, tenure, changes, fell_back)


def _outlast(context: Context, vip: Vip, home: Home, tenure: Tenure) -> Judgement:
    """Decide about an address whose group lets it outlast the right."""
    entry = context.entry(home.nic.link, vip.address, vip.address.max_prefixlen)
    if entry is None or not outlasts(context.facts.lease, tenure.slot, context.facts.me):
        return Judgement(_denied(context, vip.address), handover.lost(tenure, tenure.slot))
    here = replace(_here(context, vip, home, entry), outlasts=True)
    return Judgement(here, tenure, _changes(here, context, entry))


def _home(context: Context, vip: Vip, fencing: Fencing) -> Home | Placement | Away:
    """Return where the address belongs, or why it cannot be on this node at all.

    A link that reaches it comes before the kind of its pool.
    """
    address = vip.address
    if not isinstance(context.common.config, NodeConfig):
        return Away(address=address, reason=Reason.NO_CONFIG)
    home = context.selection.home_of(address)
    if home is None:
        if (placement := context.common.pools.placement(vip)) is not None:
            return placement
        detail = unreachable(vip, context.electorate, context.common.me)
        return Away(address=address, reason=Reason.NO_LOCAL_INTERFACE, detail=detail)
    for one in home.homes if isinstance(home, Ambiguous) else (home,):
        if detail := forbidden(address, one, context.common.routes):
            return Away(address=address, reason=Reason.NO_LOCAL_INTERFACE, detail=detail)
    if address in context.common.own and (name := context.selection.holder_of(address)) is not None:
        detail = f"{address} is this node's own address on {name}"
        return Away(address=address, reason=Reason.NO_LOCAL_INTERFACE, detail=detail)
    if context.common.denial and fencing is not Fencing.AVAILABLE:
        return _denied(context, address)
    if isinstance(home, Ambiguous):
        return _refuge(context.common, home, address)
    reach = context.common.reach.get(home.nic.link.index)
    detail = denial(context.facts.lease, reach, context.now)
    if detail and fencing is not Fencing.AVAILABLE:
        return Away(address=address, reason=Reason.NO_ELIGIBLE_NODES, detail=detail)
    return home


def _denied(context: Context, address: IPAddress) -> Away:
    leaving = context.facts.lease.state in (LeaseState.DRAINING, LeaseState.RELEASED)
    reason = Reason.WITHDRAW_ALL if leaving else Reason.NO_ELIGIBLE_NODES
    return Away(address=address, reason=reason, detail=context.common.denial)


def _judge_remote(
    context: Context, vip: Vip, placement: Placement
) -> tuple[Verdict, tuple[Instant, ...]]:
    """Decide about a remote address: every node has it, whatever its right to hold local ones."""
    common, address = context.common, vip.address
    if common.is_leaving:
        return Away(address=address, reason=Reason.WITHDRAW_ALL), ()
    if defect := placement.defect or common.dummy.trouble:
        return Away(address=address, reason=Reason.NO_LOCAL_INTERFACE, detail=defect), ()
    nodes = context.facts.endpoints
    if not any(may_announce(s, common.me, nodes.get(s.key, ())) for s in vip.services):
        if common.has_endpoints:
            return Away(address=address, reason=Reason.NO_ENDPOINTS), ()
        if not context.stands_on(common.dummy.place, address):
            reason = "its endpoints are not known yet"
            return Wait(address=address, at=math.inf, reason=reason), ()
    entry = context.entry(common.dummy.place, address, placement.prefix)
    here = _here_remotely(context, address, placement, entry)
    return here, _changes(here, context, entry)


def _here_remotely(
    context: Context, address: IPAddress, placement: Placement, entry: LinkAddress | None
) -> Here:
    link, lifetimes = context.common.dummy.place, context.common.remote_lifetimes
    is_missing = context.common.dummy.link is None
    gate = context.obstacle(link, address, placement.prefix) or CLEAR
    return Here(
        address=address,
        link=link,
        prefix=placement.prefix,
        flags=_route_flag(lifetimes),
        preferred_limit=lifetimes.preferred,
        gate=WaitUntil(math.inf) if is_missing else _patient(context, address, gate),
        is_standing=entry is not None,
        is_repair=entry is None and address in context.facts.installed,
        group=placement.group,
    )


def _refuge(common: Common, found: Ambiguous, address: IPAddress) -> Home | Away:
    """Return the dummy link for an address that could belong on several links: nobody guesses."""
    misfit = _ambiguity(found, address)
    if common.dummy.trouble:
        detail = f"{misfit}; {common.dummy.trouble}"
        return Away(address=address, reason=Reason.NO_LOCAL_INTERFACE, detail=detail)
    network = network_of(address, address.max_prefixlen)
    return Home(Nic(link=common.dummy.place), network, misfit=misfit)


def _ambiguity(found: Ambiguous, address: IPAddress) -> str:
    routes, links = "; ".join(found.routes), " and ".join(found.links)
    return (
        f"default routes of one metric ({routes}) lead to links that each have the network of "
        f"{address}: give one of {links} a lower metric, or name it in localInterface"
    )


def _winner(
    context: Context, vip: Vip, home: Home, tenure: Tenure, slot: Slot | None
) -> Winner | Wait | None:
    """Return who is to announce the address: by wish, affinity, incumbency, and the formula."""
    address, pools = vip.address, context.common.pools
    candidates = context.candidates(home, pools.fencing_of(address))
    if (wished := candidates.wished(address, vip.wish)) is not None:
        return wished
    preferred = _preferred(context, vip, home, tenure)
    if isinstance(preferred, Wait):
        return preferred
    holder, stays = slot.node if slot is not None else None, pools.is_non_revertive(address)
    incumbent = candidates.incumbent(address, holder, stays=stays)
    return candidates.winner(address, preferred, incumbent)


def _preferred(
    context: Context, vip: Vip, home: Home, tenure: Tenure
) -> frozenset[NodeName] | Wait:
    preferred = vip.preferred(context.facts.endpoints)
    if preferred is not None:
        return preferred
    if context.entry(home.nic.link, vip.address, vip.address.max_prefixlen) is not None:
        return frozenset({context.facts.me})  # in place from before: judged when they are known
    if context.now >= (at := tenure.seen_at + ENDPOINTS_WAIT):
        return frozenset()
    return Wait(address=vip.address, at=at, reason="its endpoints are not known yet")


def _needs_silence(context: Context, home: Home, address: IPAddress, slot: Slot | None) -> bool:
    """Tell whether only silence on the wire lets the winner add the address."""
    if _is_placed(context, home, address, slot):
        return False
    return context.neighbors(home).needs_silence(slot, context.facts.me)


def _is_placed(context: Context, home: Home, address: IPAddress, slot: Slot | None) -> bool:
    """Tell whether the address is here, or was a moment ago, and nobody else is on record."""
    entry = context.entry(home.nic.link, address, address.max_prefixlen)
    is_here = entry is not None or address in context.facts.installed
    return is_here and (slot is None or slot.node == context.facts.me)


def _is_strict_about(context: Context, home: Home, address: IPAddress, slot: Slot | None) -> bool:
    """Tell whether an address must not be taken from a node that only its Lease may judge."""
    if slot is None or slot.node == context.facts.me:
        return False
    reach = context.neighbors(home).reach or NOTHING_HEARD
    is_strict = context.common.pools.fencing_of(address) is Fencing.STRICT
    return is_strict and slot.node not in reach.heard


def _wait(
    context: Context, home: Home, address: IPAddress, tenure: Tenure, *, needs_silence: bool
) -> Wait | None:
    """Return for how long the winner waits for the last holder to let go, None if not at all."""
    slot, me = tenure.slot, context.facts.me
    won_at = context.now if tenure.won_at is None else tenure.won_at
    neighbors = context.neighbors(home)
    if neighbors.is_out_of_sight(slot, is_usurped=tenure.is_usurped):
        at = math.inf
    elif needs_silence:
        is_free = address in context.facts.silent and not _is_strict_about(
            context, home, address, slot
        )
        at = -math.inf if is_free else math.inf
    else:
        at = take_at(slot, me, neighbors, won_at)
        if neighbors.reach is None and not context.stands_on(home.nic.link, address):
            facts = context.facts
            at = max(at, unsure_until(facts.lease, facts.services_heard_at))
    if not _is_placed(context, home, address, slot):
        is_handed_over = slot is None and tenure.succeeds
        at = max(at, context.settled_at(home, address, is_handed_over=is_handed_over))
    if context.now >= at:
        return None
    name = slot.node if slot is not None else "another node"
    link = home.nic.link if needs_silence else None
    return Wait(address=address, at=at, reason=f"{name} may still have it", silence_on=link)


def _here(context: Context, vip: Vip, home: Home, entry: LinkAddress | None) -> Here:
    address, lifetimes = vip.address, context.common.lifetimes
    gate = _patient(context, address, context.gate_of(home, address))
    is_duplicate = entry is not None and bool(entry.flags & IFA_F_DADFAILED)
    if is_duplicate and not isinstance(gate, Blocked):
        gate = WaitUntil(math.inf)  # it goes first, and then its owner is asked for
    is_in_place = entry is not None and not is_duplicate
    must_go = isinstance(gate, Blocked) and gate.withdraws
    is_repair = entry is None and address in context.facts.installed
    return Here(
        address=address,
        link=home.nic.link,
        prefix=address.max_prefixlen,
        flags=_route_flag(lifetimes) | (IFA_F_NODAD if vip.skips_dad else 0),
        # Deprecated from the start, so that the node never chooses it as a source.
        preferred_limit=lifetimes.preferred if address.version == 4 else 0,
        gate=gate,
        is_standing=is_in_place and not must_go,
        is_repair=is_repair,
        cause=cause(home, context.facts.unrest) if is_repair else Cause.REMOVED,
        misfit=home.misfit,
    )


def _succeeding(here: Here, succeeds: bool) -> Here:
    if not succeeds or here.address.version == 4 or here.flags & IFA_F_NODAD:
        return here
    return replace(here, flags=here.flags | IFA_F_NODAD, succeeds=True)


def _route_flag(lifetimes: Lifetimes) -> int:
    return 0 if lifetimes.has_prefix_route else IFA_F_NOPREFIXROUTE


def _patient(context: Context, address: IPAddress, gate: Gate) -> Gate:
    """Return a gate that opens no sooner than a struggle allows."""
    struggle = context.facts.struggles.get(address)
    if struggle is None or isinstance(gate, Blocked) or context.now >= struggle.open_at:
        return gate
    at = struggle.open_at
    return WaitUntil(max(at, gate.at) if isinstance(gate, WaitUntil) else at)


def _changes(here: Here, context: Context, entry: LinkAddress | None) -> tuple[Instant, ...]:
    """Return when the gate opens, for what is missing or out of order, and when to refresh."""
    changes = [here.gate.at] if isinstance(here.gate, WaitUntil) else []
    refresh = _refresh_at(context, context.terms_of(here), entry)
    if refresh is not None:
        changes.append(refresh)
    if here.outlasts:  # no renewal wakes for it
        changes.append(context.now + context.lasting_terms.gain)
    return tuple(changes)


def _refresh_at(context: Context, terms: Terms, entry: LinkAddress | None) -> Instant | None:
    """Return when a lifetime that the user limits has shrunk by the gain, always ahead.

    None for one that the right limits: it grows with the next renewal, which wakes by itself.
    """
    now = context.now
    if terms.valid_limit == FOREVER or terms.is_bounded(now):
        return None
    if entry is not None:
        valid = min(entry.valid_seconds, terms.valid_limit)  # a longer one is cut now
        at = context.observed.read_at + valid - terms.valid_limit + terms.gain
        if at > now:
            return at
    return now + terms.gain  # added or refreshed now
