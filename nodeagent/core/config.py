"""Which LBNodeAgent configures this node, and what it says.

Belongs here: choice, defaults, limits and defects of users' texts. Does not: which links that
selects (`links`). Called by the shell whenever an LBNodeAgent or the own Node changes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from nodeagent.core.findings import Check, Finding
from nodeagent.core.notices import Kind, Notice
from purelb.api.durations import parse_duration
from purelb.api.identifiers import LinkName
from purelb.api.links import FOREVER, LONGEST_LIFETIME, is_link_name
from purelb.api.patterns import Pattern, parse_pattern
from purelb.api.problems import NoticeType
from purelb.api.resources import AddressConfig, AddressConfigs, GarpConfig, LocalSpec, NodeAgent
from purelb.api.views import NodeView
from purelb.core import selectors

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
    `garp` None: nothing is ever sent. `is_non_revertive`: addresses that are here stay here.
    `findings` are defects that have a default.
    """

    source: str
    pattern: Pattern | None = None
    extra: tuple[LinkName, ...] = ()
    dummy: LinkName = DUMMY
    garp: Garp | None = Garp()
    local: Lifetimes = LOCAL
    remote: Lifetimes = REMOTE
    is_non_revertive: bool = False
    notices: tuple[Notice, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> SelectorState:
        """The state of a node that has a configuration."""
        return SelectorState.CONFIGURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfigured:
    """This node announces nothing.

    In state `default` it still shows the subnets of its default-route interfaces. `missing` is
    `noConfig` if no LBNodeAgent is for this node, `noLocalSpec` if none of those has `spec.local`.
    """

    state: SelectorState
    missing: str = ""
    notices: tuple[Notice, ...] = ()
    findings: tuple[Finding, ...] = ()


def is_eligible(config: NodeConfig | Unconfigured | None, node: NodeView | None) -> bool:
    """Tell whether this node is a candidate for local addresses while its Lease counts."""
    return isinstance(config, NodeConfig) and not (node is not None and node.is_evacuated)


def choose(agents: Collection[NodeAgent], node: NodeView) -> NodeConfig | Unconfigured:
    """Return this node's configuration out of all LBNodeAgents; their order does not matter.

    Specific selectors come before catch-alls, each by namespace/name. The first *with* `spec.local`
    is effective; the others that match are told so.
    """
    ordered = sorted(agents, key=lambda agent: (agent.metadata.namespace, agent.metadata.name))
    broken = tuple(_broken_selectors(ordered))
    matching = matching_of(ordered, node.labels)
    effective = next((agent for agent in matching if agent.spec.local is not None), None)
    if effective is None:
        nothing = not ordered or bool(matching)
        state = SelectorState.DEFAULT if nothing else SelectorState.DESELECTED
        missing = "noLocalSpec" if matching else "noConfig"
        return Unconfigured(state=state, missing=missing, findings=broken)
    ignored = tuple(
        _ignored(agent, effective, node) for agent in matching if agent is not effective
    )
    config = _read(effective)
    return replace(config, notices=ignored, findings=(*broken, *config.findings))


def _key(agent: NodeAgent) -> str:
    return f"{agent.metadata.namespace}/{agent.metadata.name}"


def _ignored(agent: NodeAgent, effective: NodeAgent, node: NodeView) -> Notice:
    return Notice(
        kind=Kind.NODE_AGENT,
        key=_key(agent),
        severity=NoticeType.WARNING,
        reason="ConfigIgnored",
        message=f"{_key(effective)} takes precedence on node {node.name}",
    )


def _broken_selectors(agents: Collection[NodeAgent]) -> Iterator[Finding]:
    for agent in agents:
        selector = agent.spec.node_selector
        if selector is None or (defect := selectors.defect_of(selector)) is None:
            continue
        yield Finding(
            check=Check.CONFIGURATION,
            subject="spec.nodeSelector",
            message=f"{_key(agent)} matches no node: {defect}",
            key=_key(agent),
            reason="InvalidNodeSelector",
        )


def matching_of(agents: Collection[NodeAgent], labels: Mapping[str, str]) -> tuple[NodeAgent, ...]:
    """Return the LBNodeAgents that select a node with these labels, those with precedence first.

    `agents` are sorted by namespace and name.
    """
    specific, general = [], []
    for agent in agents:
        selector = agent.spec.node_selector
        if selector is None or selectors.is_catch_all(selector):
            general.append(agent)
        elif selectors.defect_of(selector) is None and selectors.matches(selector, labels):
            specific.append(agent)
    return (*specific, *general)


def _read(agent: NodeAgent) -> NodeConfig | Unconfigured:
    local, fields = agent.spec.local or LocalSpec(), _Fields(_key(agent))
    try:
        pattern = _pattern(local.local_interface)
    except ValueError as error:
        broken = Finding(
            check=Check.CONFIGURATION,
            subject="spec.local.localInterface",
            message=f"{error}; this node is announcing nothing until that is corrected",
            key=_key(agent),
            reason="ConfigError",
        )
        return Unconfigured(state=SelectorState.INVALID, findings=(broken,))
    dummy = fields.dummy(local.dummy_interface)
    lifetimes = local.address_config or AddressConfigs()
    return NodeConfig(
        source=_key(agent),
        pattern=pattern,
        extra=fields.interfaces(local.interfaces or (), dummy),
        dummy=dummy,
        garp=fields.garp(local.garp_config),
        local=fields.lifetimes("localInterface", lifetimes.local_interface, LOCAL_LIFETIME),
        remote=fields.lifetimes("dummyInterface", lifetimes.dummy_interface, 0),
        is_non_revertive=local.non_revertive,
        findings=tuple(fields.findings),
    )


def _pattern(text: str) -> Pattern | None:
    return None if text in ("", DEFAULT_LINK) else parse_pattern(text)


class _Fields:
    """Reads the fields of one `spec.local`, and collects what is wrong with them."""

    def __init__(self, key: str) -> None:
        self.findings: list[Finding] = []
        self._key = key

    def dummy(self, text: str) -> LinkName:
        if not text or is_link_name(text):
            return LinkName(text) if text else DUMMY
        self._note("dummyInterface", f"{text!r} is no name for an interface; {DUMMY} is used")
        return DUMMY

    def interfaces(self, names: Sequence[str], dummy: LinkName) -> tuple[LinkName, ...]:
        """Return the names that can be used, each once."""
        usable: dict[LinkName, None] = {}
        for number, name in enumerate(names):
            field = f"interfaces[{number}]"
            if not is_link_name(name):
                self._note(field, f"{name!r} is no name of an interface; it is skipped")
            elif name == dummy:
                self._note(field, f"{name} is the dummyInterface, never a local one; it is skipped")
            else:
                usable[LinkName(name)] = None
        return tuple(usable)

    def garp(self, config: GarpConfig | None) -> Garp | None:
        """Return how addresses are announced, None for not at all."""
        if config is None:
            return Garp()
        if not config.enabled:
            return None
        usual = GarpConfig()
        count = min(max(1, config.count), MOST_ROUNDS)
        if count != config.count:
            self._note(
                "garpConfig.count", f"{config.count} is not 1 to {MOST_ROUNDS}; {count} is used"
            )
        return Garp(
            initial_delay=self._seconds("initialDelay", config.initial_delay, usual.initial_delay),
            interval=self._seconds("interval", config.interval, usual.interval),
            count=count,
            verifies=config.verify_before_send,
            refresh_every=self._seconds(
                "refreshInterval", config.refresh_interval, usual.refresh_interval
            ),
        )

    def lifetimes(self, kind: str, config: AddressConfig | None, default: int) -> Lifetimes:
        """Return the limits for one kind of interface, `localInterface` or `dummyInterface`."""
        config, path = config or AddressConfig(), f"addressConfig.{kind}"
        valid, usual = config.valid_lifetime, default
        wished = valid if valid is not None and 0 <= valid <= LONGEST_LIFETIME else usual
        used = max(wished, SHORTEST_LIFETIME) if wished else 0  # 0: without end
        if valid is not None and used != valid:
            shown = used or "0 (permanent)"
            limits = f"0 or {SHORTEST_LIFETIME} to {LONGEST_LIFETIME}"
            self._note(f"{path}.validLifetime", f"{valid} is not {limits}; {shown} is used")
        return Lifetimes(
            valid=used or FOREVER,
            preferred=self._preferred(path, config.preferred_lifetime, used),
            has_prefix_route=(kind == "dummyInterface")
            if config.no_prefix_route is None
            else not config.no_prefix_route,
        )

    def _preferred(self, path: str, wished: int | None, valid: int) -> int:
        if not valid:
            return FOREVER  # what has no end cannot become deprecated
        if wished is None:
            return valid
        used = min(wished, valid) if wished >= 0 else valid
        if used != wished:
            self._note(
                f"{path}.preferredLifetime",
                f"{wished} is not 0 to the valid lifetime; {used} is used",
            )
        return used

    def _seconds(self, name: str, text: str, otherwise: str) -> float:
        try:
            if (value := parse_duration(text)) >= 0:
                return value
            raise ValueError(f"{text!r} is negative")
        except ValueError as error:
            self._note(f"garpConfig.{name}", f"{error}; {otherwise} is used")
            return parse_duration(otherwise)

    def _note(self, field: str, message: str) -> None:
        self.findings.append(
            Finding(
                check=Check.CONFIGURATION,
                subject=f"spec.local.{field}",
                message=message,
                key=self._key,
                reason="ConfigurationWarning",
            )
        )
