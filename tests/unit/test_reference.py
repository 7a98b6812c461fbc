"""The reference in docs/ says what the programs do: no metric or Event is missing there."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from allocator.core.ledger import Ledger
from allocator.shell.metrics import AllocatorMetrics
from allocator.shell.world import WorldStore
from bgp.shell.metrics import BgpMetrics
from bgp.shell.metrics import Snapshot as BgpSnapshot
from nodeagent.core.config import SelectorState
from nodeagent.core.findings import Check
from nodeagent.core.report import Told
from nodeagent.shell.announcer import PacketCounts
from nodeagent.shell.kernel import LookCounts
from nodeagent.shell.leases import RenewalCounts
from nodeagent.shell.metrics import AgentMetrics, Snapshot, Tallies
from purelb.api.identifiers import NodeName
from purelb.runtime.metrics import CollectorRegistry, new_registry

FOLDER = Path(__file__).parents[2] / "docs/reference"
REFERENCE = FOLDER / "metrics.md"


def _names(registry: CollectorRegistry) -> Sequence[str]:
    """Return the names of our series as they are scraped."""
    suffix = {"counter": "_total"}
    found = (metric.name + suffix.get(metric.type, "") for metric in registry.collect())
    return sorted(name for name in found if name.startswith(("purelb_", "k8gobgp_")))


def _registries() -> Mapping[str, CollectorRegistry]:
    allocator, agent = new_registry(), new_registry()
    store = WorldStore("purelb-system", is_default_announcer=True)
    AllocatorMetrics(allocator, store, Ledger)
    snapshot = Snapshot(
        node=NodeName("node-a"),
        told=Told(),
        state=SelectorState.CONFIGURED,
        is_leased=True,
        members=1,
        subnets=1,
        local_subnets=(),
    )
    tallies = Tallies(renewals=RenewalCounts(), packets=PacketCounts(), looks=LookCounts())
    AgentMetrics(agent, lambda: snapshot, tallies)
    sidecar = new_registry()
    BgpMetrics(sidecar, lambda: BgpSnapshot(node=NodeName("node-a"), endpoint=""))
    return {"allocator": allocator, "node agent": agent, "BGP sidecar": sidecar}


def _documented() -> Mapping[str, Sequence[str]]:
    """Return the metrics' names in each section of the reference."""
    sections = re.split(r"^## ", REFERENCE.read_text(), flags=re.MULTILINE)[1:]
    return {
        section.splitlines()[0]: sorted(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE))
        for section in sections
    }


def test_the_reference_lists_every_metric_and_no_other() -> None:
    """Both ways: an undocumented series and a documented one that does not exist are errors."""
    exported = {name: _names(registry) for name, registry in _registries().items()}
    assert exported == _documented()


def test_the_reference_lists_the_events_of_everything_that_is_looked_at_on_a_node() -> None:
    """Faults of a configuration have reasons of PureLB's."""
    listed = re.findall(r"^\| `(\w+)` \|", (FOLDER / "events.md").read_text(), flags=re.MULTILINE)
    assert set(Check) - {Check.CONFIGURATION} <= set(listed)
