"""The checks of `validate` about LBNodeAgents."""

from collections.abc import Iterator, Sequence

from nodeagent.core.config import DEFAULT_LINK, choose, matching_of
from plugin.core.checks import CheckRow, bad, doubtful, good
from plugin.core.nodeconfig import Governed, State, agent_key, governed, in_order
from plugin.core.snapshot import Snapshot
from purelb.api.identifiers import NodeName
from purelb.api.patterns import parse_pattern
from purelb.api.resources import Node, NodeAgent
from purelb.api.views import NodeView
from purelb.core.selectors import defect_of, is_catch_all


def agent_checks(snapshot: Snapshot) -> Iterator[CheckRow]:
    """Yield the verdicts about every LBNodeAgent, then those about nodes."""
    agents = in_order(snapshot.agents)
    if not agents:
        yield doubtful("No LBNodeAgent configured: no node announces a local address; create one")
        return
    for agent in agents:
        yield _selection(agent, snapshot.nodes)
        yield from _pattern(agent)
    yield from _fields(agents, snapshot.nodes)
    configs = {
        node.metadata.name: governed(agents, node.metadata.labels or {}) for node in snapshot.nodes
    }
    yield from _nodes(configs)


def _selection(agent: NodeAgent, nodes: Sequence[Node]) -> CheckRow:
    title, selector = f'LBNodeAgent "{agent_key(agent)}"', agent.spec.node_selector
    if not nodes:
        return good(f"{title}: configured")
    selected = sum(bool(matching_of([agent], node.metadata.labels or {})) for node in nodes)
    if not selected:
        defect = defect_of(selector) if selector is not None else None
        why = f": {defect}" if defect else " (it has no effect)"
        return doubtful(f"{title}: nodeSelector matches 0 of {len(nodes)} nodes{why}")
    scope = "all nodes" if is_catch_all(selector) else f"{selected} of {len(nodes)} nodes"
    return good(f"{title}: configured, selects {scope}")


def _pattern(agent: NodeAgent) -> Iterator[CheckRow]:
    text = agent.spec.local.local_interface if agent.spec.local else DEFAULT_LINK
    if text in ("", DEFAULT_LINK):
        return
    title = f'LBNodeAgent "{agent_key(agent)}": localInterface "{text}"'
    try:
        parse_pattern(text)
    except ValueError:
        yield bad(f"{title} is not a valid regex: the nodes it selects announce nothing")
        return
    if not (text.startswith("^") and text.endswith("$")):
        yield doubtful(
            f"{title} is unanchored: it matches every interface whose name contains it, those of"
            f' Pods too; write "^{text}$"'
        )


def _fields(agents: Sequence[NodeAgent], nodes: Sequence[Node]) -> Iterator[CheckRow]:
    """Yield what the node agents themselves would find wrong with fields that have a default."""
    found: dict[str, None] = {}
    for node in nodes:
        view = NodeView(name=NodeName(node.metadata.name), labels=node.metadata.labels or {})
        for finding in choose(agents, view).findings:
            if finding.reason == "ConfigurationWarning":
                found[f'LBNodeAgent "{finding.key}": {finding.subject}: {finding.message}'] = None
    yield from map(doubtful, found)


def _nodes(configs: dict[str, Governed]) -> Iterator[CheckRow]:
    orphans = sorted(name for name, one in configs.items() if one.state == State.DESELECTED)
    if orphans:
        yield doubtful(
            f"{len(orphans)} node(s) selected by no LBNodeAgent, announcing nothing:"
            f" {', '.join(orphans)}"
        )
    plain = _detail(configs, is_contested=False)
    if plain:
        yield good(f"{len(plain)} node(s) using a scoped LBNodeAgent override: {'; '.join(plain)}")
    contested = _detail(configs, is_contested=True)
    if contested:
        yield doubtful(
            f"{len(contested)} node(s) matched by multiple specific nodeSelectors, of which the"
            f" first by name counts: {'; '.join(contested)}"
        )


def _detail(configs: dict[str, Governed], *, is_contested: bool) -> list[str]:
    return [
        f"{name} (using {one.agent}, over {', '.join(one.ignored)})"
        for name, one in sorted(configs.items())
        if one.ignored and one.contested is is_contested
    ]
