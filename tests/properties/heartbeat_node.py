"""One machine of `heartbeat_cluster` and the agent on it: what it is, not what it does."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nodeagent.core.contact import Contact
from nodeagent.core.hearing import Hearing
from nodeagent.core.peers import NOTHING_HEARD, Reach
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.views import LeaseView, ServiceView
from purelb.core.lease import Lease, Sightings
from tests.agent import Agent
from tests.kernel import Kernel
from tests.properties.heartbeat_parts import Questions
from tests.unit.nodeagent.builders import facts

DURATION = 10.0
VIPS = ("192.0.2.100", "192.0.2.101", "192.0.2.102")
NUMBERS = {vip: int(parse_ip(vip)) for vip in VIPS}


@dataclass(slots=True)
class Node:
    """One machine and the agent on it."""

    name: NodeName
    host: Kernel
    offset: float = 0.0  # of its clock
    wrong: float = 0.0  # seconds by which its wall clock is wrong
    has_api: bool = True
    is_unanswered: bool = False  # the API server takes its requests, and says nothing
    has_power: bool = True
    is_running: bool = True  # False: the agent's process is gone
    is_stopped: bool = False  # by SIGSTOP; its kernel goes on
    is_paused: bool = False  # the machine, and its clock
    is_evacuated: bool = False
    was_paused: bool = False  # since it was started
    busy_until: Instant = -1e9  # by nobody's clock but the world's
    incarnation: int = 0
    sequence: int = 0
    services: Mapping[ServiceKey, ServiceView] = field(default_factory=dict)  # as it sees them
    lease: Lease = field(default_factory=lambda: Lease(duration=DURATION))
    sightings: Sightings = field(default_factory=Sightings)
    fresh_since: Instant | None = None
    renewed_at: Instant = -1e9
    waits_since: Instant | None = None  # for the answer to a renewal
    heard_at: Instant = -1e9  # of any Lease
    listed_since: Instant | None = None
    contact: Contact = field(default_factory=lambda: Contact(DURATION))
    beat_at: Instant = -1e9
    pass_at: Instant = -1e9
    hearing: Hearing | None = None
    reach: Reach = NOTHING_HEARD
    conclude_at: Instant = -1e9
    watched: dict[NodeName, LeaseView] = field(default_factory=dict)
    around: Questions = field(default_factory=Questions)
    asked: Questions = field(default_factory=Questions)
    agent: Agent | None = None

    def start(self, now: Instant) -> None:
        """Start a process that remembers nothing."""
        self.lease, self.sightings = Lease(duration=DURATION), Sightings()
        self.is_running, self.is_stopped, self.fresh_since = True, False, None
        self.was_paused = False
        self.renewed_at = self.beat_at = self.pass_at = self.heard_at = -1e9
        self.waits_since, self.listed_since, self.contact = None, None, Contact(DURATION)
        self.incarnation, self.sequence = (
            self.incarnation + 1,
            random.Random(self.name).getrandbits(32),
        )
        self.hearing = Hearing(self.name, now - self.offset)
        self.reach, self.conclude_at = NOTHING_HEARD, -1e9
        self.asked, self.around, self.watched = Questions(), Questions(), {}
        known = replace(facts(), me=self.name, services=None, electorate=None)
        self.agent = Agent(kernel=self.host, facts=known)

    @property
    def is_served(self) -> bool:
        """Whether the API server answers it."""
        return self.has_api and not self.is_unanswered

    @property
    def works(self) -> bool:
        """Whether the agent does anything."""
        return self.is_running and not self.is_stopped and not self.is_paused and self.has_power

    @property
    def answers(self) -> bool:
        """Whether the kernel does."""
        return self.has_power and not self.is_paused

    def power_off(self) -> None:
        """Lose power; only the node's own addresses will come back."""
        self.has_power = self.is_running = False
        self.host.entries = [
            one for one in self.host.entries if str(one.address.address) not in VIPS
        ]

    def power_on(self, now: Instant) -> None:
        """Start the agent again, and the machine before if it has no power."""
        self.has_power, self.host.now = True, now - self.offset
        self.start(now)

    def holds(self, vip: str) -> bool:
        """Tell whether the host answers for an address."""
        wanted = NUMBERS[vip]
        return self.answers and any(int(one.address.address) == wanted for one in self.host.entries)
