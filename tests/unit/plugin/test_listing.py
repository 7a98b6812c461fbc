"""What a listing keeps of the objects of one kind, and which changes are news."""

from datetime import timedelta

import msgspec

from plugin.core import snapshot as kinds
from plugin.shell.listing import Listing
from purelb.api.views import ServiceView
from tests.plugin import scenes
from tests.plugin.scenes import Object, at
from tests.unit.plugin.worlds import NOW


def body(one: Object, version: int = 1) -> bytes:
    """Return an object as the API server sends it."""
    found = at(NOW, one)
    return msgspec.json.encode(
        {**found, "metadata": {**found["metadata"], "resourceVersion": str(version)}}
    )


def lease(ago: float, subnets: str = "192.0.2.0/24", seconds: int = 10) -> bytes:
    """Return a Lease that was renewed so many seconds ago."""
    found = scenes.lease("node-a", subnets)
    found["spec"] |= {
        "renewTime": scenes.ago(timedelta(seconds=ago)),
        "leaseDurationSeconds": seconds,
    }
    return body(found)


def test_a_renewal_in_time_is_no_news() -> None:
    """Hundreds of them come each second; all else that a Lease shows is news."""
    listing = Listing(kinds.LEASES)
    assert listing.take(lease(30))
    assert not listing.take(lease(25))
    (kept,) = listing.objects()
    assert isinstance(kept, kinds.NodeLease)
    assert kept.renewed_at == NOW.timestamp() - 25
    assert listing.take(lease(24, "192.0.2.0/24,198.51.100.0/24"))
    assert listing.take(lease(23, seconds=0))
    assert listing.take(lease(22))
    assert listing.take(lease(2)), "it was over in between"
    assert listing.drop(lease(2))
    assert not listing.drop(lease(2))


def test_leases_of_others_are_none() -> None:
    """The install namespace has those of controllers, too."""
    other = scenes.lease("node-a", "")
    other["metadata"]["name"] = "kube-scheduler"
    listing = Listing(kinds.LEASES)
    assert not listing.take(body(other))
    assert listing.objects() == ()


def test_an_object_that_breaks_is_a_gap_until_it_is_mended() -> None:
    """What it was before is not shown any more."""
    listing = Listing(kinds.GROUPS)
    assert listing.take(body(scenes.DEFAULT_GROUP))
    broken = body({**scenes.DEFAULT_GROUP, "spec": {"local": "nonsense"}})
    assert listing.take(broken)
    assert not listing.take(broken)
    assert listing.objects() == ()
    (gap,) = listing.gaps.values()
    assert gap.what == "servicegroups purelb-system/default"
    assert listing.take(body(scenes.DEFAULT_GROUP))
    assert not listing.gaps
    assert len(listing.objects()) == 1


def test_objects_are_sorted_whatever_comes_last() -> None:
    """By namespace and name; the version is that of the last."""
    listing = Listing(kinds.SERVICES)
    for version, key in enumerate(("b/a", "a/b", "a-b/a", "a/a"), 5):
        listing.take(body(scenes.service(key), version))
    found = [one.key for one in listing.objects() if isinstance(one, ServiceView)]
    assert found == ["a/a", "a/b", "a-b/a", "b/a"]
    assert listing.version == "8"
    listing.see(b'{"metadata":{"resourceVersion":"12"}}')
    assert listing.version == "12"


def test_what_has_no_metadata_is_a_gap_without_a_name() -> None:
    """Nothing else is lost for it."""
    listing = Listing(kinds.SERVICES)
    assert listing.take(b'{"metadata": 1}')
    (gap,) = listing.gaps.values()
    assert gap.what == "services without a name"
