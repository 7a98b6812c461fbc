"""How this node is doing, as conditions that keep apart what a person would do about it.

Not configured, a session that is down, a prefix that nobody gets, a next hop that is missing: each
has a condition of its own. Belongs here: those judgments. Does not: the shape of the status
(`status`), times.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bgp.core.desired import Absent
from bgp.core.exports import Exported
from bgp.core.findings import Finding, listed
from bgp.core.imports import NO_IMPORTS, Imports
from bgp.core.model import STOPPED, Engine, PeerName, Route
from bgp.core.observed import LearnedPath, SessionFacts
from bgp.core.policy import hopless
from bgp.core.routerid import RouterId
from purelb.api.addresses import IPNetwork
from purelb.api.bgp import Neighbor
from purelb.api.identifiers import NodeName, Uid
from purelb.api.routes import RouteKey

READY, CONFIGURED, SESSIONS = "Ready", "Configured", "SessionsEstablished"
PREFIXES, NEXT_HOPS = "PrefixesAdvertised", "NextHopsResolved"
VRFS = "VrfsPresent"
ALL_HEALTHY, DEGRADED, SHUTDOWN = "AllHealthy", "Degraded", "AgentShutdown"
NOT_CONFIGURED, INVALID, CONFIGURED_WELL = "NotConfigured", "ConfigurationInvalid", "AsConfigured"
ENGINE_DOWN, ENGINE_REFUSES = "EngineDown", "EngineRefuses"
SESSION_DOWN, ALL_UP = "SessionDown", "AllEstablished"
NOT_ACCEPTED, ALL_SENT = "PrefixNotAccepted", "AllAdvertised"
HOP_MISSING, ALL_HOPS = "NextHopMissing", "AllResolved"
VRF_MISSING, ALL_VRFS = "VrfMissing", "AllPresent"
NO_CONNECTION = (
    "no connection: the neighbor does not answer, or does not accept our address or password"
)
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """Everything that is told about this node.

    `wanted` and `actual` are the engine's states; `entries` this node's neighbors, `sessions` what
    the engine says of them and of dynamic ones, `errors` their last by address. `paths` are what
    neighbors sent, `sent` which prefixes each gets by address. `hops` are IPv6 next hops by
    neighbor, None where one is missing. `installed` are our routes in the kernel.
    """

    node: NodeName
    uid: Uid
    heartbeat: int = 60
    router_id: RouterId | None = None
    is_configured: bool = False
    is_engine_up: bool = False
    engine_failure: str = ""
    findings: tuple[Finding, ...] = ()
    refusals: tuple[str, ...] = ()  # what the engine refused, with its words
    wanted: Engine = STOPPED
    actual: Engine = STOPPED
    entries: Mapping[PeerName, Neighbor] = field(default_factory=dict)
    absent: tuple[Absent, ...] = ()
    sessions: tuple[SessionFacts, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    imports: Imports = NO_IMPORTS
    is_import_on: bool = False
    import_vrf: str = ""
    paths: tuple[LearnedPath, ...] = ()
    sent: Mapping[str, frozenset[IPNetwork]] = field(default_factory=dict)
    sent_of: frozenset[Route] = frozenset()  # what could have been sent when that was asked
    hops: Mapping[str, object] = field(default_factory=dict)
    protocol: int | None = None  # of exported routes; None: nothing is exported
    rules: tuple[tuple[str, int, int], ...] = ()  # name, metric, table
    exported: tuple[Exported, ...] = ()
    installed: frozenset[RouteKey] = frozenset()
    lacking_vrfs: tuple[Finding, ...] | None = None  # of the kernel; None: none is to get routes
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Judgment:
    """One condition without its times."""

    type: str
    is_true: bool
    reason: str
    message: str = ""


def judge(state: NodeState) -> tuple[Judgment, ...]:
    """Return all conditions; the first is Ready, which sums up the others."""
    parts = (
        _configured(state),
        _sessions(state),
        _prefixes(state),
        _next_hops(state),
        *_vrfs(state),
    )
    return (_ready(state, parts), *parts)


def is_healthy(state: NodeState) -> bool:
    """Tell whether nothing is wrong."""
    return judge(state)[0].is_true


def _ready(state: NodeState, parts: tuple[Judgment, ...]) -> Judgment:
    if state.is_leaving:
        return Judgment(READY, False, SHUTDOWN, "the sidecar stops")
    if not state.is_configured and not state.findings:
        return Judgment(READY, True, NOT_CONFIGURED, "no BGPConfiguration is there")
    wrong = [part for part in parts if not part.is_true]
    if not wrong:
        return Judgment(READY, True, ALL_HEALTHY)
    return Judgment(
        READY, False, DEGRADED, "; ".join(f"{one.type}: {one.message}" for one in wrong)
    )


def _configured(state: NodeState) -> Judgment:
    fatal = [finding for finding in state.findings if finding.is_fatal]
    if fatal:
        kept = " (the one before it stays)" if state.is_configured else ""
        return Judgment(CONFIGURED, False, INVALID, listed(fatal) + kept)
    if not state.is_configured:
        return Judgment(CONFIGURED, False, NOT_CONFIGURED, "no BGPConfiguration is there")
    if not state.is_engine_up:
        return Judgment(CONFIGURED, False, ENGINE_DOWN, state.engine_failure or "not started yet")
    if state.refusals:
        return Judgment(CONFIGURED, False, ENGINE_REFUSES, _some(state.refusals))
    remarks = listed(finding for finding in state.findings if not finding.is_fatal)
    return Judgment(CONFIGURED, True, CONFIGURED_WELL, remarks)


def _sessions(state: NodeState) -> Judgment:
    down = list(_down(state))
    if down:
        return Judgment(SESSIONS, False, SESSION_DOWN, _some(down))
    if state.is_configured and not state.entries and not state.wanted.ranges:
        return Judgment(SESSIONS, False, "NoMatchingNeighbors", "no neighbor selects this node")
    return Judgment(SESSIONS, True, ALL_UP)


def _down(state: NodeState) -> Iterator[str]:
    """Yield every neighbor that should be up and is not, with the reason."""
    for one in state.absent:
        yield f"{one.name}: {one.message}"
    facts = {session.address: session for session in state.sessions}
    for name, peer in sorted(state.wanted.peers.items()):
        session = facts.get(peer.address)
        if peer.is_down or (session is not None and session.is_up):
            continue
        yield f"{name}: {why_down(peer.address, session, state.errors)}"


def why_down(address: str, session: SessionFacts | None, errors: Mapping[str, str]) -> str:
    """Return why a session is not up, for people."""
    if session is not None and session.is_over_limit:
        return "the neighbor has sent more prefixes than its limit"
    return errors.get(address, NO_CONNECTION)


def _prefixes(state: NodeState) -> Judgment:
    lacking = sorted(str(one.prefix) for one in state.wanted.routes - state.actual.routes)
    if lacking:
        return Judgment(PREFIXES, False, NOT_ACCEPTED, f"not in the table: {_some(lacking)}")
    if any(session.is_up for session in state.sessions):
        everywhere = frozenset().union(*state.sent.values())
        mute = sorted(
            str(one.prefix)
            for one in state.actual.routes & state.sent_of
            if not one.vrf and one.prefix not in everywhere
        )
        if mute and state.sent:
            note = f"sent to no neighbor, by policy, family or next hop: {_some(mute)}"
            return Judgment(PREFIXES, False, NOT_ACCEPTED, note)
    return Judgment(PREFIXES, True, ALL_SENT)


def _next_hops(state: NodeState) -> Judgment:
    """Judge IPv6 next hops towards neighbors, and those of routes for the kernel."""
    lacking = [
        f"{name}: this node has no global IPv6 address on the link towards it"
        for name, hop in sorted(state.hops.items())
        if hop is None and _sends_v6(state, name)
    ]
    lacking += [f"{one.key.prefix}: {one.reason}" for one in state.exported if one.route is None]
    lacking += [
        f"{one.key.prefix}: not in the kernel's table {one.key.table}"
        for one in state.exported
        if one.route is not None and one.key not in state.installed
    ]
    if lacking:
        return Judgment(NEXT_HOPS, False, HOP_MISSING, _some(lacking))
    return Judgment(NEXT_HOPS, True, ALL_HOPS)


def _vrfs(state: NodeState) -> Iterator[Judgment]:
    """Judge the kernel's VRFs, where routes are to be in one."""
    if state.lacking_vrfs:
        yield Judgment(VRFS, False, VRF_MISSING, listed(state.lacking_vrfs))
    elif state.lacking_vrfs is not None:
        yield Judgment(VRFS, True, ALL_VRFS)


def _sends_v6(state: NodeState, name: str) -> bool:
    """Tell whether a neighbor or range is to have IPv6 routes, and there are any."""
    if not any(route.prefix.version == 6 for route in state.wanted.routes):
        return False
    return name in hopless(state.wanted.policies)


def _some(texts: list[str] | tuple[str, ...]) -> str:
    more = len(texts) - MOST_NAMED
    return "; ".join(texts[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
