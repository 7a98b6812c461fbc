"""Sends what a pass decided to send: announcements, and questions whether others have an address.

Belongs here: handing on, in order. Does not: when an announcement is repeated (`announcer`), what
answers mean (`prober`).
"""

from collections.abc import Sequence

from nodeagent.core.installed import Outcome
from nodeagent.core.ops import Announce, Probe
from nodeagent.core.report import Report
from nodeagent.core.verdicts import DesiredState
from nodeagent.shell.announcer import Announcer
from nodeagent.shell.prober import Prober


def send(
    announcer: Announcer,
    prober: Prober,
    desired: DesiredState,
    outcomes: Sequence[Outcome],
    found: Report,
) -> None:
    """Send what is due after a pass with these outcomes, as its report sees them."""
    if not desired.is_whole:
        return
    for address in found.left:
        announcer.stop(address)
        prober.leave(address)
    prober.remember(desired.vips)
    garp = desired.garp
    if garp is None:
        announcer.clear()
    for outcome in outcomes:
        match outcome.op:
            case Announce(link=link, address=address) if garp is not None:
                announcer.start(outcome.op, garp)
                if address in found.told.held:
                    prober.hold(address, link)
            case Probe():
                prober.ask(outcome.op)
            case _:
                pass
    announcer.send_due()
    prober.pump()
