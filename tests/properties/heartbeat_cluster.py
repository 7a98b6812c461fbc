"""Several agents on one network, with heartbeats, a wire that breaks in parts, and an API.

Time is virtual and each node has a clock of its own. Agents are killed, stopped by a signal and
continued; machines lose power or are paused; the API is away from some or all; datagrams and ARP
are lost together or apart, in one direction or both.
"""

import itertools
import random
from dataclasses import replace

from nodeagent.core.beats import Beat, Standing, decode, encode, portions
from nodeagent.core.election import Electorate, Member, members_of
from nodeagent.core.facts import Facts
from nodeagent.core.fence import may_keep
from nodeagent.core.hearing import Hearing
from nodeagent.core.peers import interval
from nodeagent.core.probing import asked
from nodeagent.core.settling import link_joined_at
from nodeagent.core.verdicts import Here
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.views import LeaseView, ServiceView
from purelb.core.lease import Kept, LeaseState, RenewFailed, RenewOk, Tick, step
from tests.properties.heartbeat_node import DURATION, VIPS, Node
from tests.properties.heartbeat_parts import Store, Wire
from tests.unit.nodeagent.builders import ETH0, NOW, OWN, kernel, member, service

STEP, KEY = 0.05, b"k" * 32
ADDRESSES = tuple(parse_ip(vip) for vip in VIPS)
LATEST = 1.06  # seconds by which a kernel takes an address away late (measured)
DEADLINE = DURATION / 4  # seconds in which a renewal must be answered
LONGEST_SILENCE = DURATION / 2  # seconds without a word of any Lease: the view may lack some
LATE = 0.6  # seconds for which an agent that comes late does nothing at most
PASS_SECONDS = 1.0  # between two passes that nothing asks for
GATEWAY = NodeName("gateway")
MEMBERS = {
    (node, is_announcing): member(node, announcing=is_announcing)
    for node in (NodeName(f"n{number}") for number in range(5))
    for is_announcing in (True, False)
}


class Cluster:
    """Nodes on one wire, one API server, and how long two nodes answered for one address."""

    def __init__(self, size: int, seed: int, *, has_gateway: bool = True) -> None:
        self.random, self.now = random.Random(seed), NOW
        self.store, self.wire, self.has_gateway = Store(), Wire(), has_gateway
        self.loss, self.longest, self.double = 0.0, 0.0, dict.fromkeys(VIPS, 0.0)
        self.lag = 0.0  # seconds by which every watch is late
        self.hiccups = 0.0  # how often an agent comes late, as a share of all steps
        for vip in VIPS:
            key = ServiceKey(f"ns/{vip}")
            self.store.services[key] = replace(service(key, vip), version="1")
        self.store.keep(self.now)
        self.nodes = [self._machine(number) for number in range(size)]

    @property
    def everybody(self) -> list[NodeName]:
        """All that are on the wire, the gateway last."""
        return [*(node.name for node in self.nodes), GATEWAY]

    def _machine(self, number: int) -> Node:
        host = kernel(OWN)
        host.lateness = self.random.uniform(0.0, LATEST)
        offset, wrong = (self.random.uniform(-3600.0, 3600.0) for _ in range(2))
        node = Node(NodeName(f"n{number}"), host, offset=offset, wrong=wrong)
        host.now = NOW - node.offset
        node.start(self.now)
        return node

    def node(self, name: NodeName) -> Node:
        """Return the node of this name."""
        return next(one for one in self.nodes if one.name == name)

    def holders(self, vip: str) -> list[Node]:
        """Return the nodes whose kernel answers for an address."""
        return [node for node in self.nodes if node.holds(vip)]

    def withdraw_service(self, vip: str) -> ServiceView:
        """Delete the Service of an address; returns it as it was made."""
        key = ServiceKey(f"ns/{vip}")
        self.store.services = {k: one for k, one in self.store.services.items() if k != key}
        self.store.keep(self.now)
        return replace(service(key, vip), version="1")

    def evacuate(self, node: Node, *, is_evacuated: bool = True) -> None:
        """Take a node out of the elections, or back; its Lease says so at once."""
        node.is_evacuated, node.renewed_at = is_evacuated, -1e9

    def offer(self, made: ServiceView) -> None:
        """Create a Service that nobody announces yet."""
        self.store.services = {**self.store.services, made.key: made}
        self.store.keep(self.now)

    def run(self, seconds: float) -> None:
        """Let time pass; nodes act in any order."""
        until = self.now + seconds
        while self.now < until:
            self.now += STEP
            self._deliver()
            for node in self.random.sample(self.nodes, len(self.nodes)):
                if node.is_paused:
                    node.offset += STEP  # its clock stands still
                    node.was_paused = True
                    continue
                if not node.has_power:
                    continue
                node.host.advance(self.now - node.offset)
                if self.hiccups and self.random.random() < self.hiccups:
                    node.busy_until = self.now + self.random.uniform(0.1, LATE)
                if node.works and self.now >= node.busy_until:
                    self._act(node, self.now - node.offset)
            self._check()

    def _check(self) -> None:
        for vip in VIPS:
            pairs = itertools.permutations(self.holders(vip), 2)
            both = any(
                self.wire.sees(a.name, b.name)
                and not self._is_beyond_reach(a, b)
                and not self._is_beyond_reach(b, a)
                for a, b in pairs
            )
            self.double[vip] = self.double[vip] + STEP if both else 0.0
            self.longest = max(self.longest, self.double[vip])

    def _is_beyond_reach(self, node: Node, other: Node) -> bool:
        """Tell whether nothing could have told a node that was paused of another.

        It is busy yet, or has neither the API nor hears the other: then its own clock decides.
        """
        is_cut = not node.has_api and (other.name, node.name) in self.wire.deaf
        return node.was_paused and (self.now < node.busy_until or is_cut)

    def _deliver(self) -> None:
        names = {node.name: node for node in self.nodes}
        due = [one for one in self.wire.under_way if one[0] <= self.now]
        self.wire.under_way = [one for one in self.wire.under_way if one[0] > self.now]
        for _, to, beat in due:
            node = names[to]
            if not node.works or node.hearing is None:
                continue
            if beat.node in node.hearing.members - node.reach.heard:
                node.beat_at = -1e9  # it waits for an answer
            claims = node.hearing.claims()
            if node.hearing.hear(beat, self.now - node.offset):
                node.conclude_at = -1e9
                if node.hearing.claims() != claims:
                    node.pass_at = -1e9

    def _act(self, node: Node, now: Instant) -> None:
        """Do what an agent does, by its own clock."""
        self._renew(node, now)
        self._watch(node, now)
        node.lease = step(node.lease, Tick(now))
        self._listen(node, now)
        if now >= node.pass_at:
            self._pass(node, now)
        self._probe(node, now)
        if now >= node.beat_at:
            self._beat(node, now)

    def _renew(self, node: Node, now: Instant) -> None:
        if node.waits_since is not None and now >= node.waits_since + DEADLINE:
            node.waits_since, node.renewed_at = None, now - DURATION / 3 + 0.5
            node.lease = step(node.lease, RenewFailed())
        if node.waits_since is not None or now < node.renewed_at + DURATION / 3:
            return
        node.contact.asked(now)
        if node.is_unanswered:
            node.waits_since = now
            return
        node.renewed_at, node.pass_at = now, -1e9
        if node.has_api:
            lease = LeaseView(
                node=node.name,
                duration=DURATION,
                renewed=str(self.now + node.wrong),
                subnets=MEMBERS[node.name, True].subnets,
                is_announcing=not node.is_evacuated,
            )
            self.store.renew(lease, self.now)
        if node.has_api:
            node.contact.answered(now)
        node.lease = step(node.lease, RenewOk(now) if node.has_api else RenewFailed())

    def _watch(self, node: Node, now: Instant) -> None:
        self._listen_to_api(node, now)
        node.fresh_since = node.contact.whole_since(node.listed_since, now)
        if not node.is_served:
            return
        leases, services = self.store.seen(self.now - self.lag)
        if node.services is not services:
            node.services, node.pass_at = services, -1e9  # a changed Service wakes
        for name, lease in leases.items():
            if node.watched.get(name) is not lease:
                known = node.watched.get(name, lease)
                is_same = known is not lease and known.is_announcing is lease.is_announcing
                if not is_same or name in node.sightings.expired():
                    node.pass_at = -1e9
                node.watched[name] = lease
                age = self.now + node.wrong - float(lease.renewed)
                node.sightings.seen(lease, now, age)

    def _listen_to_api(self, node: Node, now: Instant) -> None:
        if not node.has_api:
            node.listed_since = None
        elif not node.is_unanswered:
            node.heard_at = now
            node.listed_since = now if node.listed_since is None else node.listed_since
        elif now - node.heard_at > LONGEST_SILENCE:
            node.listed_since = None

    def _listen(self, node: Node, now: Instant) -> None:
        hearing, agent = node.hearing, node.agent
        assert hearing is not None
        assert agent is not None
        electorate = agent.facts.electorate
        members = electorate.members if electorate is not None else ()
        live = frozenset(one.node for one in members if one.is_announcing)
        former = node.sightings.expired() - {node.name}
        if live - {node.name} - hearing.members:
            node.beat_at = -1e9
        joined_at = link_joined_at(agent.memory.joined, ETH0)
        if (live - {node.name}, joined_at) != (hearing.members, hearing.joined_at):
            node.conclude_at = -1e9
        hearing.admit(live - {node.name}, former=former)
        hearing.joined_at = joined_at
        if now >= node.conclude_at or node.reach.asks_around:
            self._conclude(node, hearing, now)
        reach = node.reach
        if node.contact.must_hurry(now, is_alarmed=reach.is_alarmed):
            node.renewed_at = -1e9
        if node.fresh_since is None and may_keep([reach]):
            node.lease = step(node.lease, Kept(now))

    def _conclude(self, node: Node, hearing: Hearing, now: Instant) -> None:
        self._ask_around(node, hearing, now)
        reach = hearing.conclude(now)
        if reach != node.reach or reach.suspects != node.reach.suspects:
            node.pass_at = -1e9
        node.reach, node.conclude_at = reach, reach.next_change

    def _ask_around(self, node: Node, hearing: Hearing, now: Instant) -> None:
        """Ask the gateway and the kernels of all others, while that matters."""
        others = {one.name: one for one in self.nodes if one is not node}
        everybody = (*others, GATEWAY) if node.reach.asks_around else ()
        for name in node.around.ask(everybody, now):
            other = others.get(NodeName(str(name)))
            is_there = self.has_gateway if other is None else other.answers
            is_answered = is_there and self.wire.sees(node.name, NodeName(str(name)))
            node.around.note(name, now, is_answered=is_answered)
            if is_answered:
                hearing.answered_at = now
            if is_answered and other is None:
                hearing.gateway_at = now
        hearing.silent = frozenset(n for n in others if node.around.is_silent(n, now))

    def _pass(self, node: Node, now: Instant) -> None:
        agent, hearing = node.agent, node.hearing
        assert agent is not None
        assert hearing is not None
        agent.facts = self._facts(node, agent.facts, hearing, now)
        done = agent.run()
        at = agent.desired.next_change
        node.pass_at = min(now + PASS_SECONDS, at if at is not None else now + PASS_SECONDS)
        if agent.ops:
            node.pass_at = now  # its own changes wake it
            node.beat_at = now  # and are told at once
        if node.is_served:
            for wanted in done.slots:
                self.store.write(wanted, self.now)

    def _facts(self, node: Node, known: Facts, hearing: Hearing, now: Instant) -> Facts:
        leases = node.sightings.live(now, node.fresh_since)
        is_held = node.lease.is_leased(now) and node.lease.state is LeaseState.HELD
        own = MEMBERS[node.name, not node.is_evacuated] if is_held else None
        is_listed = node.fresh_since is not None or known.electorate is not None
        silent = frozenset(a for a in ADDRESSES if node.asked.is_silent(a, now))
        return replace(
            known,
            lease=node.lease,
            services=node.services if node.is_served else known.services,
            electorate=_electorate(known.electorate, leases, own) if is_listed else None,
            expired=node.sightings.expired(),
            renewed=node.sightings.renewed_at(),
            reach={ETH0: node.reach},
            claims=hearing.claims(),
            silent=silent,
            has_api=node.fresh_since is not None,
            is_fresh=node.fresh_since is not None and now >= node.fresh_since + DURATION,
            epoch=max(hearing.epoch, known.epoch),
        )

    def _probe(self, node: Node, now: Instant) -> None:
        agent = node.agent
        assert agent is not None
        wanted = asked(agent.desired, agent.facts.electorate, {ETH0: node.reach}, node.name)
        for address in node.asked.ask(wanted, now):
            others = (one for one in self.holders(str(address)) if one is not node)
            is_answered = any(self.wire.sees(node.name, one.name) for one in others)
            node.asked.note(address, now, is_answered=is_answered)
        if any(node.asked.is_silent(address, now) for address in wanted):
            node.pass_at = min(node.pass_at, now + STEP)

    def _beat(self, node: Node, now: Instant) -> None:
        hearing, agent = node.hearing, node.agent
        assert hearing is not None
        assert agent is not None
        node.beat_at = now + interval(len(hearing.members) + 1)
        node.sequence += 1
        tenures = agent.memory.tenures
        claims = {
            address: tenures[address].epoch
            for address, verdict in agent.desired.verdicts.items()
            if isinstance(verdict, Here) and tenures[address].epoch
        }
        agent.facts = replace(
            agent.facts, epoch=max(agent.facts.epoch, hearing.epoch, *claims.values(), 0)
        )
        beat = Beat(
            node=node.name,
            incarnation=node.incarnation,
            sequence=node.sequence,
            standing=_standing(node, now),
            knows_gateway=self.has_gateway,
            is_empty=not any(node.holds(vip) for vip in VIPS),
            fresh_for=now - node.fresh_since if node.fresh_since is not None else 0.0,
            hears=hearing.echoes(now),
            epoch=agent.facts.epoch,
            claims=portions(claims, node.name, len(hearing.echoes(now)))[0],
        )
        arriving = decode(encode(beat, KEY), (KEY,))
        hearing.sent(node.sequence, now)
        for other in self.nodes:
            if other is node or (node.name, other.name) in self.wire.deaf:
                continue
            if self.random.random() >= self.loss:
                at = self.now + self.random.uniform(0.001, 0.04)
                self.wire.under_way.append((at, other.name, arriving))


def _electorate(
    known: Electorate | None, leases: tuple[LeaseView, ...], own: Member | None
) -> Electorate:
    """Return the members of this moment; the same object as long as they are the same."""
    found = tuple(sorted(members_of(leases, own), key=lambda one: one.node))
    is_same = known is not None and known.members == found
    return known if known is not None and is_same else Electorate(found)


def _standing(node: Node, now: Instant) -> Standing:
    if node.lease.state is LeaseState.ABSENT:
        return Standing.STARTING
    if node.lease.state is LeaseState.HELD and node.lease.is_leased(now):
        return Standing.HELD
    return Standing.FENCED
