"""What is sent to gobgpd, where the shape alone decides about something."""

import pytest

from bgp.core.model import Group, Restart
from bgp.shell.messages import group_message, peer_message
from tests.unit.bgp.builders import peer, session

RESTART = Restart(seconds=120)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_restarted_engine_waits_for_others_tables_for_one_second(restarts: bool) -> None:
    """gobgpd takes 0 for 360 s, and meanwhile one more end would cost the routes."""
    for message in (
        peer_message(peer(restart=RESTART), restarts=restarts),
        group_message(Group(name="tor", session=session(restart=RESTART)), restarts=restarts),
    ):
        sent = message.graceful_restart
        assert (sent.deferral_time, sent.local_restarting) == (1, restarts)
