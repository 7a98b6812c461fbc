"""What is sent to gobgpd, where the shape alone decides about something."""

import pytest
from google.protobuf.message import Message

from bgp.core.model import Group, Restart
from bgp.core.observed import LearnedPath
from bgp.shell.messages import group_message, learned_path, peer_message
from purelb.api.addresses import parse_ip, parse_network
from purelb.runtime import gobgp_pb2 as wire
from purelb.runtime.rpc import pack
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


def labeled(distinguisher: Message, *targets: Message) -> wire.Path:
    """Return a path in a VRF as gobgpd tells it."""
    nlri = wire.LabeledVPNIPAddressPrefix(
        rd=pack(distinguisher), prefix_len=24, prefix="198.51.100.0"
    )
    extended = wire.ExtendedCommunitiesAttribute(communities=[pack(one) for one in targets])
    return wire.Path(
        nlri=pack(nlri),
        pattrs=[
            pack(wire.MpReachNLRIAttribute(next_hops=["192.0.2.1"])),
            pack(extended),
        ],
        neighbor_ip="192.0.2.1",
    )


@pytest.mark.parametrize(
    ("distinguisher", "text"),
    [
        (wire.RouteDistinguisherTwoOctetASN(admin=64512, assigned=1), "64512:1"),
        (wire.RouteDistinguisherFourOctetASN(admin=4_200_000_000, assigned=1), "4200000000:1"),
        (wire.RouteDistinguisherIPAddress(admin="192.0.2.1", assigned=7), "192.0.2.1:7"),
    ],
)
def test_a_route_of_a_vrf_has_its_distinguisher_and_targets(
    distinguisher: Message, text: str
) -> None:
    """As a configuration writes them; other extended communities are none."""
    found = learned_path(
        labeled(
            distinguisher,
            wire.TwoOctetAsSpecificExtended(is_transitive=True, sub_type=2, asn=1, local_admin=2),
            wire.FourOctetAsSpecificExtended(sub_type=2, asn=70_000, local_admin=3),
            wire.TwoOctetAsSpecificExtended(sub_type=3, asn=1, local_admin=9),
            wire.RouteDistinguisherTwoOctetASN(admin=1, assigned=9),
        )
    )
    assert found == LearnedPath(
        prefix=parse_network("198.51.100.0/24"),
        next_hops=(parse_ip("192.0.2.1"),),
        neighbor="192.0.2.1",
        distinguisher=text,
        targets=("1:2", "70000:3"),
    )


def test_a_distinguisher_of_an_unknown_kind_is_no_route() -> None:
    """It is no VRF's of ours."""
    assert learned_path(labeled(wire.OriginAttribute(origin=1))) is None
