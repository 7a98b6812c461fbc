"""Whose witness a node is, what answers mean, and the words for it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from nodeagent.core.config import Garp
from nodeagent.core.election import Electorate, digest
from nodeagent.core.findings import Check
from nodeagent.core.identity import MacBook
from nodeagent.core.links import Nic, Selection
from nodeagent.core.verdicts import Away, DesiredState, Here, Reason, Verdict
from nodeagent.core.vips import Vip
from nodeagent.core.witness import Answer, Bench, Charge, answer_of, charge_of, finding_of
from purelb.api.addresses import Family, IPAddress, parse_ip, parse_network
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.links import DefaultRoute
from purelb.api.views import ServiceView
from tests.unit.nodeagent.builders import (
    LOCAL6,
    OWN,
    OWN6,
    VIP,
    VIP6,
    WEB,
    A,
    B,
    C,
    entry,
    link,
    member,
    route,
    service,
)

GATEWAY = parse_ip("192.0.2.1")
HERS, HERS_TOO, THIRDS, STRANGE = (bytes.fromhex(f"02000000000{n}") for n in "1239")
SHORT = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


def ranked(address: IPAddress) -> list[NodeName]:
    """Return the nodes in the order in which they win an address."""
    return sorted((A, B, C), key=lambda node: digest(node, address))


def book() -> MacBook:
    """Build a book in which every node is known."""
    found = MacBook()
    for node, macs in macs_of(VIP).items():
        found.note(node, macs)
    return found


def macs_of(address: IPAddress) -> Mapping[NodeName, frozenset[bytes]]:
    """Return the MACs of the holder, of its witness and of the third node."""
    holder, witness, other = ranked(address)
    return {
        holder: frozenset({HERS, HERS_TOO}),
        witness: frozenset({link().mac}),
        other: frozenset({THIRDS}),
    }


def bench(address: IPAddress, me: NodeName, verdict: Verdict | None = None) -> Bench:
    """Build a pass after which the winner has the address, as its slot says."""
    winner = ranked(address)[0]
    away = Away(address=address, reason=Reason.LOST_ELECTION, winner=winner, link=link())
    nic = Nic(
        link=link(),
        own=tuple(entry(text) for text in ("198.51.100.7/24", OWN, OWN6, LOCAL6)),
        networks=tuple(parse_network(text) for text in ("192.0.2.0/24", "2001:db8::/64")),
    )
    state = DesiredState(
        is_whole=True,
        verdicts={address: verdict or away},
        vips={address: Vip(address, (holding(address, winner),))},
        selection=Selection(others=(nic,)),
        garp=Garp(),
    )
    routes = (
        route(family=Family.IPV4),
        replace(route(family=Family.IPV4), gateway=GATEWAY),
        DefaultRoute(family=Family.IPV6, metric=0, index=99, gateway=parse_ip("fe80::1")),
    )
    return Bench(state, Electorate((member(A), member(B), member(C))), routes, me)


def holding(address: IPAddress, node: NodeName) -> ServiceView:
    """Build the Service whose slot names a node."""
    family = SHORT[Family.IPV4 if address.version == 4 else Family.IPV6]
    return service(WEB, str(address), **{f"announcing_{family}": f"{node},eth0,{address}"})


def charge(address: IPAddress = VIP) -> Charge:
    """Return the charge of an address as its witness has it."""
    found = charge_of(bench(address, ranked(address)[1]), address)
    assert found is not None
    return found


def test_the_runner_up_is_the_witness_and_nobody_else() -> None:
    """By the same function that elects the holder."""
    holder, witness, other = ranked(VIP)
    assert charge_of(bench(VIP, witness), VIP) == Charge(
        address=VIP,
        link=link(),
        holder=holder,
        source=parse_ip("192.0.2.7"),
        gateway=GATEWAY,
        services=(WEB,),
    )
    assert charge_of(bench(VIP, other), VIP) is None


def test_an_ipv6_address_is_asked_for_from_the_links_own_address() -> None:
    """No gateway of its family is on that link."""
    found = charge(VIP6)
    assert (found.source, found.gateway) == (parse_ip("fe80::7"), None)


def test_who_has_no_address_in_the_network_asks_from_another() -> None:
    """And who has none at all does not ask."""
    there = bench(VIP, ranked(VIP)[1])
    (nic,) = there.state.selection.nics
    lone = replace(nic, networks=())
    asked = charge_of(_with(there, Selection(others=(lone,))), VIP)
    assert asked is not None
    assert asked.source == parse_ip("198.51.100.7")
    assert charge_of(_with(there, Selection(others=(replace(nic, own=()),))), VIP) is None
    assert charge_of(_with(there, Selection()), VIP) is None


def _with(there: Bench, selection: Selection) -> Bench:
    return replace(there, state=replace(there.state, selection=selection))


def test_nobody_is_asked_while_an_address_moves() -> None:
    """The slot names another node than the election, or none."""
    there = bench(VIP, ranked(VIP)[1])
    for vip in (holding(VIP, ranked(VIP)[2]), service(WEB)):
        state = replace(there.state, vips={VIP: Vip(VIP, (vip,))})
        assert charge_of(replace(there, state=state), VIP) is None


def test_nobody_is_asked_for_what_is_here_or_nowhere() -> None:
    """Nor for what no Service has, nor where nothing is ever sent."""
    me = ranked(VIP)[1]
    here = Here(address=VIP, link=link(), prefix=32, flags=0)
    nowhere = Away(address=VIP, reason=Reason.NO_ELIGIBLE_NODES)
    unreached = Away(address=VIP, reason=Reason.LOST_ELECTION, winner=ranked(VIP)[0])
    for verdict in (here, nowhere, unreached):
        assert charge_of(bench(VIP, me, verdict), VIP) is None
    there = bench(VIP, me)
    for state in (replace(there.state, vips={}), replace(there.state, garp=None)):
        assert charge_of(replace(there, state=state), VIP) is None


@pytest.mark.parametrize(
    ("macs", "answer"),
    [
        ([], Answer.NONE),
        ([HERS], Answer.RIGHT),
        ([HERS, HERS_TOO], Answer.RIGHT),
        ([HERS, STRANGE], Answer.SEVERAL),
        ([HERS, THIRDS], Answer.SEVERAL),
        ([STRANGE], Answer.FOREIGN),
        ([THIRDS], Answer.FOREIGN),
    ],
)
def test_only_the_holder_may_answer(macs: list[bytes], answer: Answer) -> None:
    """By any of its MACs."""
    assert answer_of(macs, ranked(VIP)[0], book()) is answer


@pytest.mark.parametrize(
    ("answer", "macs", "check", "texts"),
    [
        (Answer.NONE, [], Check.NO_ANSWER, ["nobody answers", "arp_ignore", "switches"]),
        (
            Answer.SEVERAL,
            [HERS, STRANGE],
            Check.SEVERAL_ANSWERS,
            ["and host 02:00:00:00:00:09 answers for it, too", "out of the ServiceGroup"],
        ),
        (
            Answer.FOREIGN,
            [THIRDS],
            Check.FOREIGN_ANSWER,
            [f"node {ranked(VIP)[2]} (02:00:00:00:00:03) answers", "does not", "strictARP"],
        ),
    ],
)
def test_what_is_told_names_everybody_and_the_remedy(
    answer: Answer, macs: list[bytes], check: Check, texts: list[str]
) -> None:
    """Holder, witness, whoever else answers; about the Services alone."""
    holder, witness, _ = ranked(VIP)
    found = finding_of(charge(), answer, macs, book(), witness)
    assert (found.check, found.subject, found.services) == (check, str(VIP), (WEB,))
    for text in (*texts, f"node {holder}", f"(asked by node {witness} on eth0)"):
        assert text in found.message
    assert "ServiceGroup" not in found.message or STRANGE in macs


def test_the_remedy_for_a_silent_ipv6_address_is_another() -> None:
    """There is no ARP."""
    found = finding_of(charge(VIP6), Answer.NONE, [], book(), A)
    assert "ICMPv6 neighbor discovery" in found.message


def test_an_address_of_two_services_is_told_to_both() -> None:
    """The Event is about each of them."""
    both = replace(charge(), services=(ServiceKey("a/x"), ServiceKey("b/y")))
    found = finding_of(both, Answer.NONE, [], book(), A)
    assert [notice.key for notice in found.notices(A)] == ["a/x", "b/y"]
    assert {notice.reason for notice in found.notices(A)} == {"NoAnswer"}
