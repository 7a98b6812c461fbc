"""When this node asks for the addresses that it is the witness of, and when it tells. Pure.

One question at a time, at most ten frames a second for all addresses together, each address in its
turn. What is not as it should be is asked again soon, and told when it is found twice in a row by a
node that proves to hear the wire, of a holder whose Lease was renewed meanwhile: the dead are
replaced without that. It is over when it was right twice in a row. Belongs here: times and memory.
Does not: what an answer means (`witness`), sockets. Called by `nodeagent.shell.witness`.
"""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from nodeagent.core.claims import Claim
from nodeagent.core.findings import Finding
from nodeagent.core.identity import MacBook
from nodeagent.core.peers import NOTHING_HEARD, Reach
from nodeagent.core.verdicts import Away, Verdict
from nodeagent.core.witness import Answer, Bench, Charge, answer_of, charge_of, finding_of
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import Instant, NodeName

PERIOD: Final = 10.0  # seconds between two questions for one address, where there are few
SOON: Final = 2.0  # seconds after an answer that needs another one
SETTLE: Final = 3.0  # seconds for which a holder must have an address before it is asked for
WINDOW: Final = 0.5  # seconds for answers; a wired host needs one millisecond
SPACING: Final = 0.1  # seconds between two frames
IN_A_ROW: Final = 2
DIGESTS: Final = 1000  # in one go, to find out whose witness this node is: less than 1 ms
MOST_DEFERRED: Final = 50  # addresses put off in one go
MOST_TOLD: Final = 20  # addresses; the metric has all


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to send now: one question for each of `targets`, the address of the charge first."""

    charge: Charge
    targets: tuple[IPAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of the holders: by heartbeats, by link index, and when Leases were renewed."""

    reach: Mapping[int, Reach] = field(default_factory=dict)
    renewed: Mapping[NodeName, Instant] = field(default_factory=dict)

    def is_doubtful(self, charge: Charge) -> bool:
        """Tell whether the holder may be about to lose the address.

        Where nobody is heard at all, heartbeats do not get through, and say nothing of anybody.
        """
        reach = self.reach.get(charge.link.index, NOTHING_HEARD)
        silent = reach.suspects if reach.heard else frozenset()
        return charge.holder in silent | reach.excluded

    def hears(self, charge: Charge) -> bool:
        """Tell whether heartbeats go both ways on the link, and the holder's are among them."""
        reach = self.reach.get(charge.link.index, NOTHING_HEARD)
        return reach.has_quorum and charge.holder in reach.heard


@dataclass(slots=True)
class _Record:
    """`known` is what counts. `last` came `same` times in a row, another than right `wrong` times.

    `since` is when the first of the wrong ones was asked for.
    """

    charge: Charge
    due: Instant = math.inf
    known: Answer | None = None
    last: Answer | None = None
    same: int = 0
    wrong: int = 0
    since: Instant = math.inf

    @property
    def is_urgent(self) -> bool:
        """Whether the last answer needs another one."""
        return self.last is not None and self.last is not self.known

    def forget(self) -> None:
        """Take back what is not told yet."""
        self.last, self.same, self.wrong = None, 0, 0


@dataclass(slots=True)
class _Open:
    charge: Charge
    asked_at: Instant
    macs: set[bytes] = field(default_factory=set)


class Rota:
    """The charges of this node, the questions under way, and what was found.

    `revision` grows whenever `findings` may be others.
    """

    def __init__(self, me: NodeName, book: MacBook) -> None:
        self.revision = 0
        self._me, self._book = me, book
        self._bench: Bench | None = None
        self._verdicts: Mapping[IPAddress, Verdict] | None = None
        self._todo: dict[IPAddress, None] = {}  # whose witness is to be found out
        self._records: dict[IPAddress, _Record] = {}
        self._wrong: dict[IPAddress, Finding] = {}
        self._open: dict[IPAddress, _Open] = {}
        self._proven_at: dict[int, Instant] = {}  # when a link last brought an answer
        # Urgent and other turns. Entries that disagree with the records are stale and skipped.
        self._turns: tuple[list[tuple[Instant, int, IPAddress]], ...] = ([], [])
        self._order = itertools.count()
        self._takes = 0
        self._free_at: Instant = -math.inf
        self._survey_at: Instant = -math.inf

    def follow(self, bench: Bench) -> None:
        """Take in the last pass; what has changed since the one before is looked at by `survey`."""
        state, before = bench.state, self._bench
        is_next = state.before is not None and state.before is self._verdicts
        if (
            before is not None
            and is_next
            and bench.electorate is before.electorate
            and bench.routes == before.routes
        ):
            self._todo.update(dict.fromkeys(state.changed))
        else:
            away = (a for a, verdict in state.verdicts.items() if isinstance(verdict, Away))
            todo = self._todo  # goes first: members may change faster than all is looked at
            self._todo = {a: None for a in (*self._records, *away) if a not in todo} | todo
        self._bench, self._verdicts = bench, state.verdicts

    def pause(self, now: Instant) -> None:
        """Ask nothing for a while, and judge no answer: what is known may not be true any more."""
        self._free_at = now + SETTLE
        for one in self._open.values():
            record = self._records.get(one.charge.address)
            if record is not None and record.charge is one.charge:
                record.forget()
                self._put_off(record, now + SETTLE)
        self._open.clear()

    def retract(self) -> None:
        """Take back what was found: this node cannot find out any more whether it is still so."""
        for record in self._records.values():
            record.known = None
            record.forget()
        if self._wrong:
            self._wrong.clear()
            self.revision += 1

    def survey(self, now: Instant) -> None:
        """Find out for some more addresses whether this node is their witness."""
        bench, budget = self._bench, DIGESTS
        if now < self._survey_at:
            return
        self._survey_at = now + SPACING
        while bench is not None and self._todo and budget > 0:
            budget -= 1 + len(bench.electorate.members)
            self._look(bench, next(reversed(self._todo)), now)

    def _look(self, bench: Bench, address: IPAddress, now: Instant) -> None:
        del self._todo[address]
        charge, record = charge_of(bench, address), self._records.get(address)
        if record is not None and record.charge == charge:
            return
        if record is not None:
            self._drop(address)
        if charge is not None:
            record = self._records[address] = _Record(charge)
            self._put_off(record, now + SETTLE)

    def take(self, now: Instant, sight: Sight) -> Question | None:
        """Return what to ask now, if it is time for it."""
        if now < self._free_at:
            return None
        self._takes += 1
        # Both kinds have their turn, so that many troubled addresses do not hide others.
        turns = self._turns if self._takes % 2 else self._turns[::-1]
        for turn in turns:
            for _ in range(MOST_DEFERRED):
                address = self._due(turn, now)
                if address is None:
                    break
                heapq.heappop(turn)
                record = self._records[address]
                if not sight.is_doubtful(record.charge):
                    if self._is_current(record, now):
                        return self._asked(record, now)
                    self._free_at = now + SPACING
                    return None
                record.forget()
                self._put_off(record, now + SOON)
        return None

    def hear(self, index: int, claim: Claim, now: Instant, *, is_reply: bool) -> None:
        """Take in that somebody on a link says to have an address; `is_reply`: to this node."""
        charge = self.listened().get(claim.address)
        if charge is None or charge.link.index != index or claim.is_probe:
            return
        if claim.address == charge.address:
            self._open[charge.address].macs.add(claim.mac)
        if is_reply:
            self._proven_at[index] = now

    def conclude(self, now: Instant, sight: Sight) -> None:
        """Judge the answers to questions whose time is over."""
        over = [one for one in self._open.values() if now >= one.asked_at + WINDOW]
        for one in over:
            address = one.charge.address
            del self._open[address]
            record = self._records.get(address)
            if record is None or record.charge is not one.charge:
                continue
            if sight.is_doubtful(one.charge) or address in self._todo:
                record.forget()
            else:
                self._judge(record, one, now, sight)
            self._put_off(record, now + (SOON if record.is_urgent else PERIOD))

    def listened(self) -> Mapping[IPAddress, Charge]:
        """Return the addresses whose answers matter now: of questions under way, and gateways."""
        found = {a: one.charge for a, one in self._open.items()}
        controls = (one.charge for one in self._open.values() if self._needs_control(one.charge))
        return {one.gateway: one for one in controls if one.gateway is not None} | found

    def findings(self) -> tuple[Finding, ...]:
        """Return what is wrong now, by address, and no more than a Lease can show."""
        first = heapq.nsmallest(MOST_TOLD, self._wrong, key=sort_key)
        return tuple(self._wrong[address] for address in first)

    def counts(self) -> Mapping[Answer, int]:
        """Return for how many addresses each answer counts; those not judged yet are left out."""
        found = Counter(one.known for one in self._records.values() if one.known is not None)
        return {answer: found[answer] for answer in Answer}

    def next_at(self) -> Instant:
        """Return when there is something to do, infinity if there never will be."""
        times = [one.asked_at + WINDOW for one in self._open.values()]
        if self._todo:
            times.append(self._survey_at)
        for turn in self._turns:
            self._due(turn, -math.inf)  # drops what is stale
            if turn:
                times.append(max(turn[0][0], self._free_at))
        return min(times, default=math.inf)

    def _is_current(self, record: _Record, now: Instant) -> bool:
        """Tell whether this is a charge still; `survey` may be minutes behind among many nodes."""
        address = record.charge.address
        if self._bench is not None and address in self._todo:
            self._look(self._bench, address, now)
        return self._records.get(address) is record

    def _due(self, turn: list[tuple[Instant, int, IPAddress]], now: Instant) -> IPAddress | None:
        while turn:
            at, _, address = turn[0]
            record = self._records.get(address)
            if record is not None and record.due == at:
                return address if at <= now else None
            heapq.heappop(turn)
        return None

    def _put_off(self, record: _Record, due: Instant) -> None:
        record.due = due
        turn = self._turns[0 if record.is_urgent else 1]
        heapq.heappush(turn, (due, next(self._order), record.charge.address))

    def _asked(self, record: _Record, now: Instant) -> Question:
        charge = record.charge
        self._open[charge.address] = _Open(charge, now)
        targets: tuple[IPAddress, ...] = (charge.address,)
        if charge.gateway is not None and self._needs_control(charge):
            targets = (charge.address, charge.gateway)
        self._free_at = now + SPACING * len(targets)
        return Question(charge=charge, targets=targets)

    def _needs_control(self, charge: Charge) -> bool:
        """Tell whether somebody else is asked, too, to prove that this node hears the wire."""
        record = self._records.get(charge.address)
        return record is not None and record.last is Answer.NONE

    def _judge(self, record: _Record, one: _Open, now: Instant, sight: Sight) -> None:
        answer = answer_of(one.macs, one.charge.holder, self._book)
        record.same = record.same + 1 if answer is record.last else 1
        record.last = answer
        if answer is Answer.RIGHT:
            record.wrong = 0
        else:
            record.since = one.asked_at if record.wrong == 0 else record.since
            record.wrong += 1
        if answer is record.known or not self._counts(record, sight):
            return
        record.known = answer
        self._wrong.pop(one.charge.address, None)
        if answer is not Answer.RIGHT:
            found = finding_of(one.charge, answer, one.macs, self._book, self._me)
            self._wrong[one.charge.address] = found
        self.revision += 1

    def _counts(self, record: _Record, sight: Sight) -> bool:
        """Tell whether the last answer counts from now on, as another than what is known does."""
        charge = record.charge
        if record.last is Answer.RIGHT:
            return record.known is None or record.same >= IN_A_ROW
        if record.known not in (None, Answer.RIGHT):
            return record.same >= IN_A_ROW
        if record.wrong < IN_A_ROW or sight.renewed.get(charge.holder, -math.inf) < record.since:
            return False
        proven_at = self._proven_at.get(charge.link.index, -math.inf)
        return record.last is not Answer.NONE or sight.hears(charge) or proven_at >= record.since

    def _drop(self, address: IPAddress) -> None:
        del self._records[address]
        if self._wrong.pop(address, None) is not None:
            self.revision += 1
