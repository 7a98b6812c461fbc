"""What is in use of one or several BGPConfigurations."""

import pytest

from bgp.core.merge import NOTHING, TOO_LARGE, InUse, Keeping, accept, keep
from purelb.api.annotations import BGP_LAST_GOOD
from purelb.api.bgp import BgpConfiguration
from purelb.api.bgpkept import Kept, kept_in, kept_text
from purelb.api.resources import Meta
from tests.unit.bgp.builders import Body, body, group, neighbor, spec_of


def configuration(content: Body, name: str = "default", **meta: object) -> BgpConfiguration:
    """Return an object; its uid is its name."""
    known = Meta(name=name, uid=name, **meta)  # type: ignore[arg-type]
    return BgpConfiguration(metadata=known, spec=spec_of(content))


GOOD, BAD = configuration(body()), configuration(body(**{"global": {"asn": 0}}))


def accepted(*objects: BgpConfiguration, before: InUse = NOTHING) -> InUse:
    """Return what is in use then."""
    return accept(before, objects)


def test_a_bad_change_leaves_the_last_good_one_in_use() -> None:
    """With what is wrong; a good one afterwards counts at once."""
    before = accepted(GOOD)
    now = accepted(BAD, before=before)
    assert now.spec == GOOD.spec
    assert [finding.path for finding in now.all_findings] == ["spec.global.asn"]
    later = configuration(body(neighbors=[]))
    assert accepted(later, before=now).spec == later.spec


def test_a_bad_one_that_never_was_good_is_not_used() -> None:
    """Nothing is better than something wrong."""
    assert accepted(BAD).spec is None
    assert accepted(BAD).findings["default"]


def kept(content: Body, generation: int = 1, uid: str = "default") -> Kept:
    """Return a spec as it is kept on an object."""
    return Kept(uid=uid, generation=generation, spec=spec_of(content))


def bad(text: str | None, generation: int = 9) -> BgpConfiguration:
    """Return a bad object on which something is kept."""
    annotations = {BGP_LAST_GOOD: text} if text is not None else None
    return configuration(
        body(**{"global": {"asn": 0}}), generation=generation, annotations=annotations
    )


def test_a_process_that_starts_while_it_is_bad_goes_by_what_is_kept() -> None:
    """As all others do; what is wrong is told all the same."""
    found = accepted(bad(kept_text(kept(body()))))
    assert found.spec == spec_of(body())
    assert [finding.path for finding in found.all_findings] == ["spec.global.asn"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        kept_text(kept(body(), uid="another object's")),
        kept_text(kept(body(**{"global": {"asn": 23456}}))),
    ],
    ids=["nothing", "empty", "no object", "a copy", "bad itself"],
)
def test_what_is_kept_is_no_way_around_the_checks(text: str | None) -> None:
    """It must be the object's own, and good."""
    assert accepted(bad(text)).spec is None


def test_of_what_is_kept_and_what_is_known_the_later_counts() -> None:
    """A process may have slept while others accepted more, or the writer may be late."""
    one, two = body(), body(neighbors=[])
    before = accepted(configuration(one, generation=3))
    assert accepted(bad(kept_text(kept(two, 4))), before=before).spec == spec_of(two)
    assert accepted(bad(kept_text(kept(two, 2))), before=before).spec == spec_of(one)


def test_the_last_good_spec_is_kept_on_its_object() -> None:
    """Written once, also when the object is bad already."""
    good = configuration(body(), generation=3)
    accepted_one = accepted(good).accepted["default"]
    text = kept_text(accepted_one)
    assert keep(good, accepted_one) == Keeping(text)
    assert keep(bad("{}"), accepted_one) == Keeping(text)
    assert keep(bad(text), accepted_one) is None
    assert keep(bad(kept_text(kept(body(), 4))), accepted_one) is None, "later than ours"
    assert keep(bad(None), None) is None
    assert kept_in(bad(text)) == accepted_one


def test_what_is_too_large_is_not_kept_and_that_is_said() -> None:
    """An API server refuses annotations beyond a size, and then every change of the object."""
    many = body(neighbors=[neighbor(config={"description": "x" * 100_000})])
    large = configuration(many, generation=3)
    found = accepted(large)
    assert [str(finding) for finding in found.all_findings] == [f"spec: {TOO_LARGE}"]
    assert found.spec == large.spec
    assert keep(large, found.accepted["default"]) is None
    assert keep(bad(kept_text(kept(body()))), found.accepted["default"]) == Keeping(None)


def test_what_is_deleted_or_about_to_be_counts_no_more() -> None:
    """A finalizer of others' must not keep sessions alive."""
    before = accepted(GOOD)
    gone = configuration(body(), deletion_timestamp="2026-01-01T00:00:00Z")
    assert accepted(gone, before=before) == NOTHING
    assert accepted(before=before) == NOTHING


def test_several_are_one_in_the_order_of_their_names() -> None:
    """What the first has counts; the others add to it, and conflicts are told."""
    first = configuration(
        body(
            peerGroups=[group("one")],
            dynamicNeighbors=[{"prefix": "10.0.0.0/8", "peerGroup": "one"}],
            netlinkExport={"enabled": True, "rules": [{"name": "a"}]},
        ),
        "a",
    )
    second = configuration(
        body(
            **{"global": {"asn": 64999}},
            neighbors=[neighbor(), neighbor("192.0.2.2")],
            peerGroups=[group("two")],
            vrfs=[{"name": "red", "rd": "1:1"}],
            definedSets=[{"type": "neighbor", "name": "n", "list": ["::1"]}],
            policyDefinitions=[{"name": "p", "statements": []}],
            netlinkExport={"enabled": False},
        ),
        "b",
    )
    found = accepted(second, first)
    assert found.spec is not None
    assert found.spec.global_.asn == 64512
    neighbors = [one.config.neighbor_address for one in found.spec.neighbors or ()]
    assert neighbors == ["192.0.2.1", "192.0.2.2"]
    assert [one.config.peer_group_name for one in found.spec.peer_groups or ()] == ["one", "two"]
    assert found.spec.netlink_export == first.spec.netlink_export
    assert [one.path for one in found.findings["b"]] == [
        "spec.global",
        "spec.neighbors[0]",
        "spec.netlinkExport",
    ]
    assert not any(one.is_fatal for one in found.all_findings)


def test_two_that_agree_have_no_conflict() -> None:
    """The second adds a neighbor."""
    other = configuration(body(neighbors=[neighbor("192.0.2.2")], netlinkImport=None), "other")
    found = accepted(GOOD, other)
    assert found.all_findings == ()
    assert found.spec is not None
    assert len(found.spec.neighbors or ()) == 2
