"""What the operations of one pass have done, by address.

Belongs here: reading of outcomes. Does not: what is told about them (`report`, the caller).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nodeagent.core.gate import Blocked, WaitUntil
from nodeagent.core.installed import Outcome
from nodeagent.core.ops import AddAddress, Announce, RemoveAddress, ReorderAddress
from nodeagent.core.verdicts import Here, Verdict
from purelb.api.addresses import IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was done. `lost` are addresses that a reordering took away and could not put back.

    That the `silent` ones are back is counted, but neither logged nor posted.
    """

    added: frozenset[IPAddress]
    removed: frozenset[IPAddress]
    announced: frozenset[IPAddress]
    lost: frozenset[IPAddress]
    silent: frozenset[IPAddress]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Results":
        """Read the outcomes of a pass."""
        done = [outcome.op for outcome in outcomes if not outcome.error]
        failed = [outcome.op for outcome in outcomes if outcome.error]
        return cls(
            added=frozenset(op.entry.address for op in done if isinstance(op, AddAddress)),
            removed=frozenset(
                op.address for op in done if isinstance(op, RemoveAddress) and not op.is_copy
            ),
            announced=frozenset(op.address for op in done if isinstance(op, Announce)),
            lost=frozenset(op.entry.address for op in failed if isinstance(op, ReorderAddress)),
            silent=frozenset(
                one.op.entry.address
                for one in outcomes
                if one.is_silent and isinstance(one.op, AddAddress)
            ),
        )

    @property
    def touched(self) -> frozenset[IPAddress]:
        """The addresses about which anything but their lifetimes has changed."""
        return self.added | self.removed | self.announced | self.lost

    def holds(self, verdict: Here) -> bool:
        """Tell whether the address of a verdict is in place after the pass."""
        is_in = verdict.is_standing or verdict.address in self.added
        return is_in and verdict.address not in self.lost


def is_pending(verdict: Verdict | None) -> bool:
    """Tell whether an address drifted away and waits for the gate."""
    return (
        isinstance(verdict, Here)
        and verdict.is_repair
        and isinstance(verdict.gate, WaitUntil | Blocked)
    )
