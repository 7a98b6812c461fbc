"""What follows a pass: here, what it lets be forgotten."""

from collections.abc import Set

import pytest

from nodeagent.core.conflicts import Conflict
from nodeagent.core.report import Report, Told
from nodeagent.core.verdicts import DesiredState
from nodeagent.core.vips import Vip
from nodeagent.shell.announcer import Announcer
from nodeagent.shell.prober import Prober
from nodeagent.shell.sending import send
from purelb.api.addresses import IPAddress, parse_ip
from purelb.runtime.clock import BootClock
from tests.unit.nodeagent.builders import WEB, service

VIP, GONE = parse_ip("192.0.2.10"), parse_ip("192.0.2.11")
CLAIM = Conflict(owner=bytes.fromhex("020000000099"), noted_at=100.0)


@pytest.mark.parametrize(("is_whole", "left"), [(True, {VIP}), (False, {VIP, GONE})])
def test_conflicts_about_addresses_that_no_service_has_are_forgotten(
    is_whole: bool, left: Set[IPAddress]
) -> None:
    """Once all Services are known."""
    clock = BootClock()
    announcer = Announcer(clock, lambda _: True)
    prober = Prober(clock, lambda _: True, lambda _: None, lambda: None)
    for address in (VIP, GONE):
        prober._conflicts.note(address, CLAIM)  # as it does when it hears a claim
    vips = {VIP: Vip(VIP, (service(WEB, str(VIP)),))}
    desired = DesiredState(is_whole=is_whole, vips=vips)
    send(announcer, prober, desired, (), Report(told=Told()))
    assert prober.conflicts().keys() == left
