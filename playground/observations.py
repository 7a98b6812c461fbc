"""Who answered for each address on a segment, and when: what an `observer` has told.

An answer belongs to the question before it, so all times are those of questions, and as fine as
their period. Two that answer one question are two on the wire; a question without an answer is
silence. A time in which the observer itself stood still belongs to what it saw before.

    async with observing(cluster, addresses) as seen:
        ...
        assert not seen.doubles()

Belongs here: the record and what follows from it. Does not: what somebody did at that time
(`incidents`).
"""

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from playground.cluster import Cluster
from playground.topology import Interface, Machine, Role, Segment, boot_script, plug_script

HOST = 3  # on the nodes' segment
OBSERVER = Machine(
    name="observer",
    role=Role.HOST,
    interfaces=(Interface(name="eth0", segment=Segment.LAN, host=HOST),),
)
PERIOD = 0.02  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One address, from a time until another (wall clock), answered by these machines."""

    address: str
    start: float
    end: float
    by: frozenset[str]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(slots=True)
class Observations:
    """Grows while the observer runs. `until` is when it was last known to have told all."""

    until: float = 0.0
    late: list[tuple[float, float]] = field(default_factory=list)  # (when due, seconds)
    _names: Mapping[str, str] = field(default_factory=dict)  # MAC address → machine
    _changes: dict[str, list[tuple[float, frozenset[str]]]] = field(default_factory=dict)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, line: str | bytes) -> None:
        """Take in a line of the observer."""
        fact = json.loads(line)
        if "address" in fact:
            by = frozenset(self._names.get(mac, mac) for mac in fact["by"])
            self._changes.setdefault(fact["address"], []).append((fact["at"], by))
        if "late" in fact:
            self.late.append((fact["at"], fact["late"]))
        self.until = max(self.until, fact.get("at", 0.0))
        self._more.set()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that were asked about."""
        return tuple(self._changes)

    def spans(self, address: str) -> list[Span]:
        """Return who answered for an address, from the first question to the last."""
        changes = self._changes.get(address, [])
        ends = [at for at, _ in changes[1:]] + [self.until]
        pairs = zip(changes, ends, strict=True)
        return [Span(address=address, start=at, end=end, by=by) for (at, by), end in pairs]

    def by(self, address: str) -> frozenset[str]:
        """Return who answers now."""
        changes = self._changes.get(address)
        return changes[-1][1] if changes else frozenset()

    def doubles(self, since: float = 0.0) -> list[Span]:
        """Return the times in which two or more answered, one span for each time in a row."""
        return self._where(lambda by: len(by) > 1, since)

    def silences(self, since: float = 0.0) -> list[Span]:
        """Return the times in which nobody answered."""
        return self._where(lambda by: not by, since)

    def moves(self, since: float, until: float) -> int:
        """Return how often somebody else than before was the first to answer alone."""
        return sum(self._moves(address, since, until) for address in self._changes)

    def _moves(self, address: str, since: float, until: float) -> int:
        alone = [span for span in self.spans(address) if len(span.by) == 1]
        pairs = itertools.pairwise(alone)
        return sum(a.by != b.by and since <= b.start <= until for a, b in pairs)

    def _where(self, holds: Callable[[frozenset[str]], bool], since: float) -> list[Span]:
        found: list[Span] = []
        for address in self._changes:
            is_next = False
            for span in self.spans(address):
                if not holds(span.by) or span.end <= since:
                    is_next = False
                elif is_next:
                    last = found.pop()
                    by = last.by | span.by
                    found.append(Span(address=address, start=last.start, end=span.end, by=by))
                else:
                    found.append(span)
                    is_next = True
        return found

    async def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until a claim about this object holds; False if it does not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._more.clear()
                    await self._more.wait()
        return holds()

    async def read(self, lines: asyncio.StreamReader) -> None:
        """Take in lines until the end."""
        while line := await lines.readline():
            self.note(line)


def longest(spans: Iterable[Span]) -> float:
    """Return the seconds of the longest span, 0.0 without any."""
    return max((span.seconds for span in spans), default=0.0)


def outside(span: Span, windows: Sequence[tuple[float, float]]) -> float:
    """Return the seconds of the longest piece of a span that no window (from, until) covers."""
    best, at = 0.0, span.start
    for start, end in sorted(windows):
        if end <= max(start, at):
            continue
        if start >= span.end:
            break
        best, at = max(best, start - at), max(at, end)
    return max(best, span.end - at)


@contextlib.asynccontextmanager
async def observing(
    cluster: Cluster, addresses: Sequence[str], *, period: float = PERIOD
) -> AsyncIterator[Observations]:
    """Observe addresses from a machine of its own on the nodes' segment while the block runs.

    No partition concerns that machine: it sees every part. Enter once in a cluster's life.
    """
    await _plug(cluster)
    nic = OBSERVER.main
    machines = cluster.topology.machines
    names = {one.mac: machine.name for machine in machines for one in machine.interfaces}
    senders = (str(nic.v4.ip), str(nic.link_local.ip))
    options = [option for sender in senders for option in ("--sender", sender)]
    argv = ("playground.observer", nic.name, "--period", str(period), *options, *addresses)
    async with _noting(cluster, OBSERVER.name, argv, names) as seen:
        yield seen


@contextlib.asynccontextmanager
async def pinging(
    cluster: Cluster, addresses: Sequence[str], *, period: float = PERIOD
) -> AsyncIterator[Observations]:
    """Send echo requests from the client, behind the router, while the block runs."""
    argv = ("playground.pinger", "--period", str(period), *addresses)
    async with _noting(cluster, cluster.topology.client.name, argv, {}) as seen:
        yield seen


@contextlib.asynccontextmanager
async def _noting(
    cluster: Cluster, machine: str, argv: Sequence[str], names: Mapping[str, str]
) -> AsyncIterator[Observations]:
    async with cluster.running(machine, sys.executable, "-m", *argv) as lines:
        if await lines.readline() != b"{}\n":
            raise RuntimeError(f"{argv[0]} does not start")
        seen = Observations(_names=names)
        task = asyncio.create_task(seen.read(lines))
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.wait([task])


async def _plug(cluster: Cluster) -> None:
    for machine, script in ((None, plug_script(OBSERVER)), (OBSERVER.name, boot_script(OBSERVER))):
        await cluster.run(machine, "sh", "-c", f"ip -batch - <<'END'\n{script}\nEND")
