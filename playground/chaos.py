"""A cluster to which things happen at random, and an observer on the wire who judges it.

    python -m playground.chaos --seconds 3600 --seed 7

Two nodes never answer for one address for longer than `DOUBLE_SECONDS`. Nobody does only while an
incident explains it: from its beginning until the Lease of whom it concerned has run out and a
second longer, or while two overlap, of which neither may leave a majority; and otherwise for
`SILENT_SECONDS` while an address moves. Ends with code 1 if that did not hold.

Clocks are not set: no namespace has a real-time clock of its own. Agents with clocks hours apart
are those of `make soak-heartbeats`.

Belongs here: dice, the story, the judgement. Does not: what happens (`incidents`), what was seen
(`observations`).
"""

import argparse
import asyncio
import math
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playground.cluster import Cluster
from playground.incidents import INCIDENTS, Incident, wait_heard
from playground.observations import Observations, Span, longest, observing, outside
from playground.services import create

MANIFEST = Path(__file__).parent / "manifests/default.yaml"
NODES, SERVICES = 3, 12
LEASE = 10.0  # seconds
TAKE_OVER = LEASE + 1.0  # seconds in which a node that fell silent is replaced at the latest
DOUBLE_SECONDS, SILENT_SECONDS = 0.3, 1.0
SPANS = (0.3, 3.0), (3.0, 10.0), (10.0, 35.0)  # seconds that an incident lasts
PAUSES = (0.2, 3.0), (3.0, 10.0), (TAKE_OVER, TAKE_OVER + 3.0)  # seconds until the next
SOON = 60.0  # seconds, far longer than what is waited for takes
PERIOD = 0.02  # seconds


@dataclass(slots=True)
class Happening:
    """One incident that happened: from its beginning until its end was done."""

    incident: Incident
    node: str
    begun: float
    ended: float = math.inf

    def __str__(self) -> str:
        """Tell it."""
        where = f" on {self.node}" if self.node else ""
        return f"{self.incident.name}{where} for {self.ended - self.begun:.1f} s"


@dataclass(slots=True)
class Story:
    """All that happened, and what it explains."""

    happenings: list[Happening] = field(default_factory=list)

    def windows(self) -> list[tuple[float, float]]:
        """Return the times in which an address may be with nobody."""
        alone = ((h.begun, h.begun + TAKE_OVER) for h in self.happenings if _explains(h))
        both = (
            (max(a.begun, b.begun), max(a.ended, b.ended) + TAKE_OVER)
            for a, b in self._overlapping()
            if _explains(a) or _explains(b)
        )
        return [*alone, *both]

    def splits(self) -> list[tuple[float, float]]:
        """Return the times in which some could not see others that an address may be with."""
        return [(h.begun, h.ended + DOUBLE_SECONDS) for h in self.happenings if h.incident.splits]

    def at(self, span: Span) -> str:
        """Tell what happened shortly before a span, or during it."""
        near = (h for h in self.happenings if h.begun < span.end and h.ended + 5.0 > span.start)
        told = (f"{span.start - h.begun:.2f} s after the beginning of: {h}" for h in near)
        return "; ".join(told) or "nothing happened"

    def _overlapping(self) -> Iterator[tuple[Happening, Happening]]:
        for number, a in enumerate(self.happenings):
            for b in self.happenings[number + 1 :]:
                if b.begun < a.ended and a.begun < b.ended:
                    yield a, b


def _explains(happening: Happening) -> bool:
    return happening.incident.explains_silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was seen, against the bounds. `silence` and `double` are the worst that count."""

    happened: dict[str, int]
    double: Span | None
    silence: Span | None
    double_seconds: float
    silence_seconds: float
    split_seconds: float
    total_double: float
    total_silence: float
    unexplained: float
    homeless: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether all bounds held."""
        is_quick = self.double_seconds <= DOUBLE_SECONDS and self.unexplained <= SILENT_SECONDS
        return is_quick and not self.homeless


def judge(seen: Observations, story: Story, since: float) -> Judgement:
    """Compare what was seen with what may be."""
    windows, splits = story.windows(), story.splits()
    doubles, silences = seen.doubles(since), seen.silences(since)
    counted: dict[str, int] = defaultdict(int)
    for happening in story.happenings:
        counted[happening.incident.name] += 1
    double = max(doubles, key=lambda span: outside(span, splits), default=None)
    silence = max(silences, key=lambda span: outside(span, windows), default=None)
    return Judgement(
        happened=dict(counted),
        double=double,
        silence=silence,
        double_seconds=0.0 if double is None else outside(double, splits),
        split_seconds=longest(doubles),
        silence_seconds=longest(silences),
        total_double=sum(span.seconds for span in doubles),
        total_silence=sum(span.seconds for span in silences),
        unexplained=0.0 if silence is None else outside(silence, windows),
        homeless=tuple(a for a in seen.addresses if len(seen.by(a)) != 1),
    )


def tell(judgement: Judgement, seen: Observations, story: Story, since: float) -> str:
    """Return the judgement as lines."""
    late = max((seconds for at, seconds in seen.late if at >= since), default=0.0)
    lines = [
        f"{sum(judgement.happened.values())} incidents in {seen.until - since:.0f} s: "
        + ", ".join(f"{count} {name}" for name, count in sorted(judgement.happened.items())),
        f"two answered: {judgement.double_seconds:.3f} s at the longest where they see each other "
        f"(bound {DOUBLE_SECONDS} s), {judgement.split_seconds:.3f} s across a break, "
        f"{judgement.total_double:.3f} s in all",
        f"nobody answered: {judgement.unexplained:.3f} s at the longest without an explanation "
        f"(bound {SILENT_SECONDS} s), {judgement.silence_seconds:.3f} s with one, "
        f"{judgement.total_silence:.1f} s in all, of {len(seen.addresses)} addresses",
        f"the observer itself was late by {late:.3f} s at most",
    ]
    worst = (("double", judgement.double), ("silence", judgement.silence))
    lines += [
        f"worst {name}: {one.address} for {one.seconds:.3f} s by {sorted(one.by)}, {story.at(one)}"
        for name, one in worst
        if one is not None
    ]
    lines += [f"not with one node in the end: {', '.join(judgement.homeless)}"] * bool(
        judgement.homeless
    )
    return "\n".join(lines)


class Chaos:
    """Lets things happen to a cluster by its own dice."""

    def __init__(
        self, cluster: Cluster, dice: random.Random, kinds: Sequence[Incident] = INCIDENTS
    ) -> None:
        self.story = Story()
        self._cluster, self._dice, self._kinds = cluster, dice, kinds

    async def round(self) -> list[Happening]:
        """Let one or two things happen and end; returns them."""
        first = self._choose(())
        chosen = [first, self._choose((first,))] if self._dice.random() < 0.3 else [first]
        plans = [(one, self._dice.uniform(*self._dice.choice(SPANS))) for one in chosen]
        offset = self._dice.uniform(0.0, plans[0][1])
        before = len(self.story.happenings)
        async with asyncio.TaskGroup() as tasks:
            for number, ((incident, node), seconds) in enumerate(plans):
                tasks.create_task(self._happen(incident, node, seconds, offset * number))
        await asyncio.sleep(self._dice.uniform(*self._dice.choice(PAUSES)))
        return self.story.happenings[before:]

    def _choose(self, taken: Sequence[tuple[Incident, str]]) -> tuple[Incident, str]:
        """Return a kind and a node so that the two do not undo each other."""
        while True:
            incident = self._dice.choice(self._kinds)
            node = self._dice.choice(self._cluster.nodes) if incident.concerns_node else ""
            clashes = (
                (other.concerns_node is incident.concerns_node and where == node)
                or (other.uses_wires and incident.uses_wires)
                for other, where in taken
            )
            if not any(clashes):
                return incident, node

    async def _happen(self, incident: Incident, node: str, seconds: float, after: float) -> None:
        await asyncio.sleep(after)
        happening = Happening(incident, node, begun=time.time())
        self.story.happenings.append(happening)
        await incident.begin(self._cluster, node)
        await asyncio.sleep(seconds)
        await incident.end(self._cluster, node)
        happening.ended = time.time()


def served(seen: Observations, addresses: Sequence[str]) -> bool:
    """Tell whether each address is with exactly one node."""
    return all(len(seen.by(address)) == 1 for address in addresses)


async def play(seconds: float, seed: int, *, nodes: int = NODES) -> Judgement:
    """Let things happen for so long, then give peace, and judge."""
    async with Cluster(nodes=nodes) as cluster:
        await cluster.api.apply_file(MANIFEST)
        await cluster.start_daemons(lease_seconds=LEASE, heartbeats=True)
        await wait_heard(cluster)
        addresses = await create(cluster, SERVICES)
        async with observing(cluster, addresses, period=PERIOD) as seen:
            await seen.wait(lambda: served(seen, addresses), SOON)
            await asyncio.sleep(TAKE_OVER)  # until neighbors may be judged
            chaos, since = Chaos(cluster, random.Random(seed)), time.time()
            while time.time() < since + seconds:
                happened = await chaos.round()
                found = judge(seen, chaos.story, happened[0].begun)
                print(
                    f"{time.time() - since:6.0f} s: {', '.join(map(str, happened))}: "
                    f"double {longest(seen.doubles(happened[0].begun)):.3f} s, "
                    f"silence {found.silence_seconds:.2f} s, unexplained {found.unexplained:.2f} s",
                    flush=True,
                )
            await seen.wait(lambda: served(seen, addresses), SOON)
            found = judge(seen, chaos.story, since)
            print(tell(found, seen, chaos.story, since))
            if not found.is_good:
                cluster.instance.keep_logs(Path("build/chaos"))
                print("logs are in build/chaos")
            return found


def main() -> None:
    """Play, and say by the exit code whether all bounds held."""
    parser = argparse.ArgumentParser(prog="python -m playground.chaos")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.randrange(1 << 32) if given.seed is None else given.seed
    print(f"PURELB_SEED={seed}", flush=True)
    sys.exit(0 if asyncio.run(play(given.seconds, seed)).is_good else 1)


if __name__ == "__main__":
    main()
