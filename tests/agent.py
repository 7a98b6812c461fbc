"""The node agent's loop on top of a model of the kernel, without its I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nodeagent.core.desired import desire
from nodeagent.core.facts import Facts
from nodeagent.core.gate import Record, compare, note_change, note_loss
from nodeagent.core.installed import Outcome, announced_after, failure_after, record_after
from nodeagent.core.links import Announced, Observed, Placed
from nodeagent.core.ops import (
    Op,
)
from nodeagent.core.plan import plan
from nodeagent.core.report import Report, Told, report
from nodeagent.core.verdicts import DesiredState, Memory
from purelb.api.addresses import Family
from purelb.api.identifiers import Instant
from tests.kernel import Kernel


@dataclass(slots=True)
class Agent:
    """The loop observe → desire → plan → execute → report, without its I/O."""

    kernel: Kernel
    facts: Facts
    told: Told = field(default_factory=Told)
    memory: Memory = field(default_factory=Memory)
    record: frozenset[Placed] = frozenset()
    announced: frozenset[Announced] = frozenset()
    unrest: Record = field(default_factory=dict)
    desired: DesiredState = field(default_factory=lambda: DesiredState(is_whole=False))
    ops: tuple[Op, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    reports: list[Report] = field(default_factory=list)
    seen: Observed | None = None
    asked: Facts | None = None  # what the last decision was made by

    def look(self) -> Observed:
        """Observe, and note what has changed since the last time."""
        observed = self.kernel.observe(self.record, self.announced)
        if self.seen is not None:
            self.unrest = compare(self.unrest, self.seen, observed)
        self.seen = observed
        return observed

    def decide(self) -> tuple[Op, ...]:
        """Do the first half of a pass and return the plan."""
        observed = self.look()
        facts = replace(
            self.facts,
            observed=observed,
            unrest=self.unrest,
            installed=self.told.installed,
            memory=self.memory,
        )
        self.asked = facts
        self.desired = desire(facts, self.kernel.now)
        self.memory = self.desired.memory
        self.ops = plan(self.desired, observed, self.kernel.now)
        return self.ops

    def execute(self, ops: Sequence[Op]) -> Report:
        """Do the second half with these operations."""
        assert self.seen is not None
        self.outcomes = self.kernel.run(ops)
        now = self.kernel.now
        failure = failure_after(self.facts.failure, self.outcomes, now)
        self.facts = replace(self.facts, failure=failure)
        self.record = record_after(self.seen, self.outcomes)
        changed = self.desired.changed if self.desired.before is not None else None
        self.announced = announced_after(self.seen, self.outcomes, changed)
        members = len(self.facts.electorate.members) if self.facts.electorate is not None else 0
        result = report(self.facts.me, self.told, self.desired, self.outcomes, members)
        self.told = result.told
        self.reports.append(result)
        return result

    def run(self) -> Report:
        """Do one pass."""
        return self.execute(self.decide())

    def settle(self, until: Instant) -> None:
        """Do passes at every wake-up, and one at `until`; time moves on.

        Operations wake by the events that they cause, everything else at the core's wish.
        """
        for _ in range(1000):
            self.run()
            wake = self.kernel.now if self.ops else self.desired.next_change
            if wake is None or wake > until:
                break
            self.kernel.advance(wake)
        else:
            raise AssertionError("the loop never comes to rest")
        self.kernel.advance(until)
        self.run()

    def lose(self, index: int, text: str) -> None:
        """Let somebody remove one of our addresses, with the event that tells so."""
        self.kernel.take(index, text)
        self.unrest = note_loss(self.unrest, index, _family(text), self.kernel.now)

    def change_own(self, index: int, *, gone: str = "", back: str = "") -> None:
        """Let a network manager remove and add the node's own addresses, with the events."""
        if gone:
            self.kernel.take(index, gone)
        if back:
            self.kernel.put(index, back)
        family = _family(gone or back)
        self.unrest = note_change(self.unrest, index, family, self.kernel.now)


def _family(text: str) -> Family:
    return Family.IPV6 if ":" in text else Family.IPV4
