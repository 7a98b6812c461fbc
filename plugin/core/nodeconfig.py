"""Which LBNodeAgent configures a node, by the node agent's own rule."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from nodeagent.core.config import DUMMY, NodeConfig, choose, matching_of
from plugin.core.document import Document
from purelb.api.identifiers import NodeName
from purelb.api.resources import NodeAgent
from purelb.api.views import NodeView
from purelb.core.selectors import is_catch_all


class State(StrEnum):
    """How a node is configured; finer than the agent's metric, which says `default` for two."""

    CONFIGURED = "configured"
    DESELECTED = "deselected"
    REMOTE = "remote"
    INVALID = "invalid"
    NO_CONFIG = "no-config"
    UNKNOWN = "unknown"


class Governed(Document, frozen=True):
    """The configuration of one node. `contested`: only the name decided between selectors."""

    state: str
    agent: str = ""
    ignored: tuple[str, ...] = ()
    contested: bool = False
    reason: str = ""


def in_order(agents: Collection[NodeAgent]) -> list[NodeAgent]:
    """Return LBNodeAgents as their precedence has them: by namespace and name."""
    return sorted(agents, key=lambda agent: (agent.metadata.namespace, agent.metadata.name))


def agent_key(agent: NodeAgent) -> str:
    """Return namespace/name."""
    return f"{agent.metadata.namespace}/{agent.metadata.name}"


def governed(agents: Sequence[NodeAgent], labels: Mapping[str, str] | None) -> Governed:
    """Return what configures a node with these labels; None for labels that nobody knows."""
    if labels is None:
        return Governed(state=State.UNKNOWN, reason="there is no such Node")
    if not agents:
        return Governed(state=State.NO_CONFIG, reason="there is no LBNodeAgent")
    matching = matching_of(agents, labels)
    if not matching:
        return Governed(state=State.DESELECTED, reason="no LBNodeAgent selects this node")
    first = next((agent for agent in matching if agent.spec.local is not None), None)
    chosen = first or matching[0]
    specific = [agent for agent in matching if not is_catch_all(agent.spec.node_selector)]
    ignored = tuple(agent_key(agent) for agent in matching if agent is not chosen)
    state, reason = _state(agents, labels, first)
    return Governed(
        state=state,
        agent=agent_key(chosen),
        ignored=ignored,
        contested=len(specific) > 1,
        reason=reason,
    )


def _state(
    agents: Sequence[NodeAgent], labels: Mapping[str, str], first: NodeAgent | None
) -> tuple[State, str]:
    if first is None:
        return State.REMOTE, "the LBNodeAgent of this node has no spec.local"
    config = choose(agents, NodeView(name=NodeName(""), labels=labels))
    if isinstance(config, NodeConfig):
        return State.CONFIGURED, ""
    text = first.spec.local.local_interface if first.spec.local else ""
    return State.INVALID, f'localInterface "{text}" is not a valid regular expression'


def dummies(agents: Collection[NodeAgent]) -> tuple[str, ...]:
    """Return the names of the links for remote addresses, sorted; never empty."""
    names = {
        agent.spec.local.dummy_interface or DUMMY
        for agent in agents
        if agent.spec.local is not None
    }
    return tuple(sorted(names)) or (DUMMY,)
