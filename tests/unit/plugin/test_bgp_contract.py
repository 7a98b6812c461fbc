"""What the BGP sidecar writes is what the plugin reads: one shape, two programs."""

import msgspec

from bgp.core.status import node_object
from purelb.api.bgpstatus import BgpNodeStatus, decode_bgp_node_status
from tests.unit.bgp.nodestates import NOW, state, told


def written(**parts: object) -> BgpNodeStatus:
    """Return what the plugin reads of a status that the sidecar has made."""
    found = state(**parts)
    body = {**node_object(found), "status": told(found)}
    return decode_bgp_node_status(msgspec.json.encode(body))


def test_every_field_that_is_read_is_written() -> None:
    """A field of another spelling would be empty, and nobody would know."""
    status = written().status
    assert status.node_name
    assert status.router_id
    assert status.heartbeat_seconds
    assert status.last_updated == NOW
    (neighbor,) = status.neighbors or ()
    assert neighbor.address
    assert neighbor.state == "Established"
    assert neighbor.peer_asn
    assert neighbor.local_asn
    assert status.netlink_import.enabled
    assert status.netlink_import.interfaces
    (address,) = status.netlink_import.imported_addresses or ()
    assert address.in_rib
    (route,) = status.rib.local_routes or ()
    assert route.advertised_to
    assert status.conditions
