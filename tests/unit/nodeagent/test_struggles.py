"""Addresses that somebody removes again and again."""

from dataclasses import replace

import pytest

from nodeagent.core.findings import Check
from nodeagent.core.gate import LONG_AGO, Clear, WaitUntil
from nodeagent.core.remote import read_groups
from nodeagent.core.struggles import (
    LONGEST_PAUSE,
    MANY,
    MINUTE,
    QUICK,
    SOON,
    TOGETHER,
    Struggle,
    complaints,
    culprits,
    is_over,
    lost,
    put_back,
)
from nodeagent.core.verdicts import Here
from purelb.api.addresses import parse_ip
from purelb.api.identifiers import LinkName
from tests.unit.nodeagent.builders import ETH0, NOW, OWN, VIP, WEB, agent, facts, kernel, service
from tests.unit.nodeagent.remotepools import group, span

PORT = 712


def struggle(times: int, *, every: float, stays: float, by: int = PORT) -> Struggle:
    """Return the record of an address that was put back `stays` seconds before each loss."""
    now, found = NOW, lost(None, ETH0, by, NOW)
    for _ in range(times - 1):
        now += every
        found = lost(put_back(found, now - stays), ETH0, by, now)
    return found


def test_what_is_removed_now_and_then_is_put_back_at_once() -> None:
    """However often: it serves meanwhile."""
    assert struggle(50, every=2.0, stays=SOON).open_at == LONG_AGO


@pytest.mark.parametrize(
    ("times", "pause"),
    [(QUICK, None), (QUICK + 1, 0.1), (QUICK + 2, 0.2), (QUICK + 3, 0.4), (500, LONGEST_PAUSE)],
)
def test_what_is_removed_as_soon_as_it_is_back_is_waited_with(
    times: int, pause: float | None
) -> None:
    """Longer each time, but never for ever."""
    found = struggle(times, every=0.1, stays=0.05)
    waited = found.open_at - found.losses[-1]
    assert found.open_at == LONG_AGO if pause is None else pause <= waited <= pause + TOGETHER


def test_addresses_that_were_removed_one_after_another_are_put_back_together() -> None:
    """One pass for all of them, not one for each."""
    fight = struggle(500, every=0.1, stays=0.05)
    later = [replace(fight, losses=(NOW + 0.01 * number,)).open_at for number in range(1, 10)]
    assert len(set(later)) == 1


def test_an_address_that_stays_for_a_while_ends_the_waiting() -> None:
    """The next loss is the first again."""
    found = struggle(20, every=0.1, stays=0.05)
    assert lost(put_back(found, NOW + 100), ETH0, PORT, NOW + 100 + SOON).open_at == LONG_AGO


def test_a_struggle_is_told_of_once_a_minute() -> None:
    """The first returns are, as long as nobody can know that there is a struggle."""
    told, record = [], None
    for number in range(1, 131):
        now = NOW + number
        record = put_back(lost(record, ETH0, PORT, now), now)
        told += [] if record.is_silent else [number]
    assert told == [1, 2, 3, 4, 64, 124]


def test_a_missing_address_waits_until_the_struggle_allows_it() -> None:
    """And the loop wakes then."""
    one = agent(host=kernel(OWN))
    one.run()
    one.kernel.advance(NOW + 1)
    one.lose(ETH0, f"{VIP}/32")
    fight = replace(struggle(QUICK + 3, every=0.1, stays=0.05), losses=(NOW + 1,))
    one.facts = replace(one.facts, struggles={VIP: fight})
    one.run()
    found = one.desired.verdicts[VIP]
    assert isinstance(found, Here)
    assert found.gate == WaitUntil(fight.open_at)
    assert one.desired.next_change == fight.open_at > NOW + 1
    one.kernel.advance(fight.open_at)
    one.run()
    assert one.kernel.listing(ETH0) == (OWN, f"{VIP}/32")


def test_a_remote_address_waits_as_well() -> None:
    """Two programs that answer each other at once keep a core busy on whatever link."""
    far = span("198.51.100.0/24", "198.51.100.0/24", "/32")
    pools = read_groups([group("far", far)], "purelb-system")
    one = agent(replace(facts(service(WEB, "198.51.100.7")), pools=pools))
    one.settle(NOW + 1)
    dummy, address = one.desired.dummy.index, parse_ip("198.51.100.7")
    assert one.kernel.listing(dummy) == ("198.51.100.7/32",)
    one.lose(dummy, "198.51.100.7/32")
    fight = replace(struggle(QUICK + 3, every=0.1, stays=0.05), losses=(NOW + 1,))
    one.facts = replace(one.facts, struggles={address: fight})
    one.run()
    assert one.kernel.listing(dummy) == ()
    assert one.desired.next_change == fight.open_at > NOW + 1
    one.kernel.advance(fight.open_at)
    one.run()
    assert one.kernel.listing(dummy) == ("198.51.100.7/32",)


def test_an_address_in_place_does_not_wait() -> None:
    """Somebody else put it back, or it was there all the time."""
    fight = replace(struggle(QUICK + 1, every=0.1, stays=0.05), losses=(NOW - 60,))
    one = agent(replace(facts(), struggles={VIP: fight}), kernel(OWN))
    one.run()
    found = one.desired.verdicts[VIP]
    assert isinstance(found, Here)
    assert isinstance(found.gate, Clear)


def test_five_losses_in_a_minute_are_told_of_until_a_minute_is_quiet() -> None:
    """By link, with whoever is known to have removed any."""
    many = {
        VIP: struggle(MANY, every=10.0, stays=5.0),
        "other": struggle(MANY, every=10.0, stays=5.0, by=0),
        "few": struggle(MANY - 1, every=1.0, stays=0.5),
        "slow": struggle(MANY, every=20.0, stays=5.0),
    }
    last = NOW + 10.0 * (MANY - 1)
    assert culprits(many, last) == {(ETH0, PORT)}  # type: ignore[arg-type]  # keys do not matter
    assert culprits(many, NOW + MINUTE) == frozenset()  # type: ignore[arg-type]  # as above
    assert not is_over(many[VIP], last + MINUTE - 1)
    assert is_over(many[VIP], last + MINUTE)


@pytest.mark.parametrize(
    ("port", "names", "expected"),
    [
        (PORT, {PORT: "systemd-network"}, "systemd-network (process 712) removes"),
        (PORT, {PORT: "systemd-network"}, "KeepConfiguration=yes into the [Network] section"),
        (PORT, {PORT: "rogue"}, "rogue (process 712) removes"),
        (PORT, {}, "the process with id 712 on the host removes"),
        (0, {}, "another program removes"),
        (0, {}, "let it leave addresses alone"),
    ],
)
def test_who_removes_addresses_is_named_with_the_remedy(
    port: int, names: dict[int, str], expected: str
) -> None:
    """As far as the kernel and /proc say."""
    (found,) = complaints([(LinkName("eth0"), port)], names, "ns/agent")
    assert (found.check, found.subject, found.key) == (Check.STRUGGLE, "eth0", "ns/agent")
    assert expected in found.message
