"""The rota of a witness with a clock, for tests of it: node-b holds, node-a is the runner-up."""

from dataclasses import replace

from nodeagent.core.claims import Claim
from nodeagent.core.config import Garp
from nodeagent.core.election import Electorate, digest
from nodeagent.core.findings import Check
from nodeagent.core.identity import MacBook
from nodeagent.core.links import Nic, Selection
from nodeagent.core.peers import Reach
from nodeagent.core.rota import (
    SETTLE,
    WINDOW,
    Question,
    Rota,
    Sight,
)
from nodeagent.core.verdicts import Away, DesiredState, Reason
from nodeagent.core.vips import Vip
from nodeagent.core.witness import Bench
from purelb.api.addresses import IPAddress, parse_ip, parse_network
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.links import DefaultRoute
from tests.unit.nodeagent.builders import ETH0, OWN, A, B, entry, link, member, route, service

HERS, STRANGE, ROUTERS = (bytes.fromhex(f"02000000000{n}") for n in "159")
GATEWAY = parse_ip("192.0.2.1")
MEMBERS = (member(A), member(B))
ELECTORATE = Electorate(MEMBERS)
ROUTES = (replace(route(), gateway=GATEWAY),)
# Addresses that node-b wins, so that node-a is the runner-up.
VIPS = [
    address
    for n in range(2, 250)
    if digest(B, address := parse_ip(f"192.0.2.{n}")) < digest(A, address)
]
VIP, OTHER = VIPS[:2]


def bench(
    *addresses: IPAddress,
    before: DesiredState | None = None,
    holder: NodeName = B,
    routes: tuple[DefaultRoute, ...] = ROUTES,
) -> Bench:
    """Build a pass of node-a after which node-b has these addresses."""
    nic = Nic(link=link(), own=(entry(OWN),), networks=(parse_network("192.0.2.0/24"),))
    verdicts = {
        a: Away(address=a, reason=Reason.LOST_ELECTION, winner=B, link=link()) for a in addresses
    }
    vips = {
        a: Vip(
            a,
            (
                service(
                    ServiceKey(f"shop/{a}"),
                    str(a),
                    **{"announcing_IPv4": f"{holder},eth0,{a}"},
                ),
            ),
        )
        for a in addresses
    }
    state = DesiredState(
        is_whole=True,
        verdicts=verdicts,
        vips=vips,
        selection=Selection(others=(nic,)),
        garp=Garp(),
        changed=frozenset(verdicts),
        before=before.verdicts if before is not None else None,
    )
    return Bench(state, ELECTORATE, routes, A)


class Stage:
    """A rota with a clock; node-b's Lease is renewed all the time unless told otherwise."""

    def __init__(self, *addresses: IPAddress) -> None:
        self.now: Instant = 1000.0
        self.book = MacBook()
        self.book.note(B, frozenset({HERS}))
        self.book.note(A, frozenset({link().mac}))
        self.rota = Rota(A, self.book)
        self.reach: dict[int, Reach] = {}
        self.is_renewed = True
        self.rota.follow(bench(*(addresses or (VIP,))))
        self.rota.survey(self.now)
        self.now += SETTLE

    @property
    def sight(self) -> Sight:
        """What is known of node-b now."""
        return Sight(reach=self.reach, renewed={B: self.now if self.is_renewed else 0.0})

    def take(self) -> Question | None:
        """Ask what is due now."""
        return self.rota.take(self.now, self.sight)

    def answer(self, *macs: bytes, address: IPAddress = VIP, is_reply: bool = True) -> None:
        """Let these MACs answer, and judge it."""
        for mac in macs:
            self.rota.hear(ETH0, Claim(address, mac), self.now, is_reply=is_reply)
        self.now += WINDOW
        self.rota.conclude(self.now, self.sight)

    def round(self, *macs: bytes) -> tuple[Check, ...]:
        """Ask for the VIP at the next time, let it be answered, and return what is told."""
        self.now = max(self.now, self.rota.next_at())
        question = self.take()
        assert question is not None
        assert question.charge.address == VIP
        for target in question.targets[1:]:  # the gateway answers
            self.rota.hear(ETH0, Claim(target, ROUTERS), self.now, is_reply=True)
        self.answer(*macs)
        return tuple(one.check for one in self.rota.findings())
