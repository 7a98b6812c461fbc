"""The agent's series."""

from nodeagent.core import words
from nodeagent.core.config import SelectorState
from nodeagent.core.report import Told
from nodeagent.core.words import Count
from nodeagent.shell.announcer import PacketCounts
from nodeagent.shell.kernel import LookCounts
from nodeagent.shell.leases import RenewalCounts
from nodeagent.shell.metrics import AgentMetrics, Snapshot, Tallies
from purelb.runtime.metrics import new_registry
from tests.unit.nodeagent.builders import WEB, A

SNAPSHOT = Snapshot(
    node=A,
    told=Told(),
    state=SelectorState.CONFIGURED,
    is_leased=True,
    members=1,
    subnets=1,
    local_subnets=(),
)
TALLIES = Tallies(renewals=RenewalCounts(), packets=PacketCounts(), looks=LookCounts())


def test_the_series_of_a_service_end_with_it() -> None:
    """Else a cluster whose Services come and go has more of them every day."""
    registry = new_registry()
    metrics = AgentMetrics(registry, lambda: SNAPSHOT, TALLIES)
    labels: dict[str, str] = {"service": WEB}
    metrics.count(Count(words.WINNER_CHANGES, tuple(labels.items())))
    assert registry.get_sample_value(words.WINNER_CHANGES, labels) == 1.0
    metrics.forget(WEB)
    metrics.forget(WEB)  # one that never had any
    assert registry.get_sample_value(words.WINNER_CHANGES, labels) is None
