"""Which LBNodeAgent configures this node, and what it says.

Belongs here: choice, defaults, limits and defects of users' texts. Does not: which links that
selects (`links`). Called by the shell whenever an LBNodeAgent or the own Node changes.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from nodeagent.core import selectors
from nodeagent.core.notices import Kind, Notice
from purelb.api.durations import parse_duration
from purelb.api.identifiers import LinkName
from purelb.api.links import FOREVER
from purelb.api.patterns import Pattern, parse_pattern
from purelb.api.problems import NoticeType
from purelb.api.resources import AddressConfig, AddressConfigs, GarpConfig, LocalSpec, NodeAgent
from purelb.api.views import NodeView

DEFAULT_LINK = "default"  # localInterface: the interface of the default route
DUMMY = LinkName("kube-lb0")
SHORTEST_LIFETIME = 60  # seconds; a user's shorter one is raised
LOCAL_LIFETIME = 300  # seconds, if the user says nothing
MOST_ROUNDS = 10  # rounds of one burst, as the CRD has it


class SelectorState(StrEnum):
    """How this node is configured; values of the label `state` of `selector_state`."""

    DEFAULT = "default"
    CONFIGURED = "configured"
    DESELECTED = "deselected"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Garp:
    """How addresses are announced. Times in seconds; `refresh_every` 0 means never again."""

    initial_delay: float = 0.0
    interval: float = 0.5
    count: int = 3
    verifies: bool = True
    refresh_every: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """Upper limits of an address's lifetimes in seconds, FOREVER without end."""

    valid: int
    preferred: int
    has_prefix_route: bool


LOCAL = Lifetimes(valid=LOCAL_LIFETIME, preferred=LOCAL_LIFETIME, has_prefix_route=False)
REMOTE = Lifetimes(valid=FOREVER, preferred=FOREVER, has_prefix_route=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What the effective LBNodeAgent says. `pattern` None: the interface of the default route.

    `source` is "namespace/name" of the LBNodeAgent; `extra` are exact names in order of preference;
    `garp` None: nothing is ever sent. `remarks` are defects that have a default, for the log.
    """

    source: str
    pattern: Pattern | None = None
    extra: tuple[LinkName, ...] = ()
    dummy: LinkName = DUMMY
    garp: Garp | None = Garp()
    local: Lifetimes = LOCAL
    remote: Lifetimes = REMOTE
    notices: tuple[Notice, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def state(self) -> SelectorState:
        """The state of a node that has a configuration."""
        return SelectorState.CONFIGURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfigured:
    """This node announces nothing.

    In state `default` it still shows the subnets of its default-route interfaces.
    """

    state: SelectorState
    notices: tuple[Notice, ...] = ()


def choose(agents: Collection[NodeAgent], node: NodeView) -> NodeConfig | Unconfigured:
    """Return this node's configuration out of all LBNodeAgents; their order does not matter.

    Specific selectors come before catch-alls, each by namespace/name. The first *with* `spec.local`
    is effective; the others that match are told so.
    """
    ordered = sorted(agents, key=lambda agent: (agent.metadata.namespace, agent.metadata.name))
    broken = tuple(_broken_selectors(ordered))
    matching = _matching(ordered, node)
    effective = next((agent for agent in matching if agent.spec.local is not None), None)
    if effective is None:
        nothing = not ordered or bool(matching)
        state = SelectorState.DEFAULT if nothing else SelectorState.DESELECTED
        return Unconfigured(state=state, notices=broken)
    ignored = tuple(
        _notice(agent, "ConfigIgnored", f"{_key(effective)} takes precedence on node {node.name}")
        for agent in matching
        if agent is not effective
    )
    return _read(effective, node, broken + ignored)


def _key(agent: NodeAgent) -> str:
    return f"{agent.metadata.namespace}/{agent.metadata.name}"


def _notice(agent: NodeAgent, reason: str, message: str) -> Notice:
    return Notice(
        kind=Kind.NODE_AGENT,
        key=_key(agent),
        severity=NoticeType.WARNING,
        reason=reason,
        message=message,
    )


def _broken_selectors(agents: Collection[NodeAgent]) -> Iterator[Notice]:
    for agent in agents:
        selector = agent.spec.node_selector
        if selector is None or (defect := selectors.defect_of(selector)) is None:
            continue
        yield _notice(agent, "InvalidNodeSelector", f"nodeSelector matches no node: {defect}")


def _matching(agents: Collection[NodeAgent], node: NodeView) -> tuple[NodeAgent, ...]:
    specific, general = [], []
    for agent in agents:
        selector = agent.spec.node_selector
        if selector is None or selectors.is_catch_all(selector):
            general.append(agent)
        elif selectors.defect_of(selector) is None and selectors.matches(selector, node.labels):
            specific.append(agent)
    return (*specific, *general)


def _read(
    agent: NodeAgent, node: NodeView, notices: tuple[Notice, ...]
) -> NodeConfig | Unconfigured:
    local = agent.spec.local or LocalSpec()
    try:
        pattern = _pattern(local.local_interface)
    except ValueError as error:
        text = f"node {node.name} is announcing nothing: localInterface {error}"
        broken = _notice(agent, "ConfigError", text)
        return Unconfigured(state=SelectorState.INVALID, notices=(*notices, broken))
    dummy = LinkName(local.dummy_interface) if local.dummy_interface else DUMMY
    garp, remarks = _garp(local.garp_config)
    lifetimes = local.address_config or AddressConfigs()
    return NodeConfig(
        source=_key(agent),
        pattern=pattern,
        extra=tuple(LinkName(name) for name in local.interfaces or () if name and name != dummy),
        dummy=dummy,
        garp=garp,
        local=_lifetimes(lifetimes.local_interface, LOCAL_LIFETIME, has_prefix_route=False),
        remote=_lifetimes(lifetimes.dummy_interface, 0, has_prefix_route=True),
        notices=notices,
        remarks=remarks,
    )


def _pattern(text: str) -> Pattern | None:
    return None if text in ("", DEFAULT_LINK) else parse_pattern(text)


def _garp(config: GarpConfig | None) -> tuple[Garp | None, tuple[str, ...]]:
    if config is None:
        return Garp(), ()
    if not config.enabled:
        return None, ()
    standard, remarks = GarpConfig(), []

    def seconds(name: str, text: str, otherwise: str) -> float:
        try:
            if (value := parse_duration(text)) >= 0:
                return value
            raise ValueError(f"{text!r} is negative")
        except ValueError as error:
            remarks.append(f"garpConfig.{name}: {error}; {otherwise} is used")
            return parse_duration(otherwise)

    garp = Garp(
        initial_delay=seconds("initialDelay", config.initial_delay, standard.initial_delay),
        interval=seconds("interval", config.interval, standard.interval),
        count=min(max(1, config.count), MOST_ROUNDS),
        verifies=config.verify_before_send,
        refresh_every=seconds(
            "refreshInterval", config.refresh_interval, standard.refresh_interval
        ),
    )
    return garp, tuple(remarks)


def _lifetimes(config: AddressConfig | None, default: int, *, has_prefix_route: bool) -> Lifetimes:
    config = config or AddressConfig()
    valid = default if config.valid_lifetime is None else config.valid_lifetime
    if valid <= 0:  # what has no end cannot become deprecated
        valid = preferred = FOREVER
    else:
        valid = max(valid, SHORTEST_LIFETIME)
        wished = valid if config.preferred_lifetime is None else config.preferred_lifetime
        preferred = min(wished, valid)
    has_route = has_prefix_route if config.no_prefix_route is None else not config.no_prefix_route
    return Lifetimes(valid=valid, preferred=preferred, has_prefix_route=has_route)
