"""Who carries out what passes decide, as one value.

Belongs here: the value. Does not: building its parts (`nodeagent.app`), using them (`reconcile`).
"""

from dataclasses import dataclass

from nodeagent.shell.announcer import Announcer
from nodeagent.shell.heartbeats import Heartbeats
from nodeagent.shell.inspector import Inspector
from nodeagent.shell.keeping import Keeping
from nodeagent.shell.leases import LeaseKeeper
from nodeagent.shell.metrics import AgentMetrics
from nodeagent.shell.prober import Prober
from nodeagent.shell.reporter import Reporter
from nodeagent.shell.slots import SlotWriter
from nodeagent.shell.speaker import Speaker
from nodeagent.shell.wire import WireAsker
from nodeagent.shell.witness import Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Who carries out what passes decide."""

    keeper: LeaseKeeper
    keeping: Keeping
    announcer: Announcer
    prober: Prober
    beats: Heartbeats
    speaker: Speaker
    asker: WireAsker
    witness: Witness
    slots: SlotWriter
    reporter: Reporter
    inspector: Inspector
    metrics: AgentMetrics
