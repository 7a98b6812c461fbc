"""What follows from what an engine tells."""

from bgp.core.model import AfiSafi, Route
from bgp.core.observed import (
    FamilyCounts,
    LearnedPath,
    Lost,
    SessionFacts,
    SessionState,
    not_sent,
)
from purelb.api.addresses import parse_network


def path(prefix: str, neighbor: str = "") -> LearnedPath:
    """Return a path, ours unless a neighbor is given."""
    return LearnedPath(prefix=parse_network(prefix), neighbor=neighbor)


def test_what_is_sent_no_more_is_ours_to_withdraw_or_keeps_a_session() -> None:
    """A neighbor that is gone has lost nothing."""
    before = {
        "192.0.2.1": [path("10.0.0.2/32"), path("10.0.0.1/32"), path("10.0.0.3/32")],
        "192.0.2.2": [path("10.9.0.0/16", "192.0.2.1"), path("10.0.0.2/32")],
        "192.0.2.3": [path("10.0.0.4/32")],
    }
    after = {"192.0.2.1": [path("10.0.0.3/32")], "192.0.2.2": [path("10.0.0.2/32")]}
    own = (Route(parse_network("10.0.0.1/32")), Route(parse_network("10.0.0.2/32")))
    assert not_sent(before, after) == Lost(own=own, stuck=("192.0.2.2",))
    assert not_sent(before, before) == Lost()


def test_counts_are_summed_over_families() -> None:
    """A session is up in one state only."""
    counts = (
        FamilyCounts(family=AfiSafi.IPV4, received=3, accepted=2, advertised=1),
        FamilyCounts(family=AfiSafi.IPV6, received=10, accepted=10, advertised=10),
    )
    facts = SessionFacts(
        address="192.0.2.1",
        peer_asn=1,
        local_asn=2,
        state=SessionState.ESTABLISHED,
        counts=counts,
    )
    assert (facts.total("received"), facts.total("accepted"), facts.total("advertised")) == (
        13,
        12,
        11,
    )
    assert facts.is_up
