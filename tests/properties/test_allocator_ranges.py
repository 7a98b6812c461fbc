"""Free addresses, counts, and which pool has an address, against models that walk every address."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from allocator.core.index import AddressIndex, SpanIndex
from purelb.api.addresses import AddressRange, Family
from purelb.api.groups import GroupView
from tests.unit.allocator.builders import V4, group, pools

BASE = int(IPv4Address("10.0.0.0"))
SMALL = st.integers(0, 24)


def address(offset: int) -> IPv4Address:
    """Return one of a few neighboring addresses."""
    return IPv4Address(BASE + offset)


@st.composite
def spans(draw: st.DrawFn) -> AddressRange:
    """Draw a range of those addresses."""
    first, last = sorted((draw(SMALL), draw(SMALL)))
    return AddressRange(address(first), address(last))


@st.composite
def group_sets(draw: st.DrawFn) -> Sequence[GroupView]:
    """Draw groups of one to three ranges that overlap as they like."""
    names = draw(st.lists(st.sampled_from("abcd"), unique=True))
    return [
        group(
            name,
            *(str(span) for span in draw(st.lists(spans(), min_size=1, max_size=3))),
            created=draw(st.sampled_from("12")),
        )
        for name in names
    ]


@given(acts=st.lists(spans(), max_size=12), number=SMALL)
def test_the_index_of_ranges_agrees_with_a_list(acts: list[AddressRange], number: int) -> None:
    """A range that is drawn again is taken out; the question is asked after each change."""
    index, model = SpanIndex(), list[AddressRange]()
    for span in acts:
        if span in model:
            index.remove(span)
            model.remove(span)
        else:
            index.add(span)
            model.append(span)
        found = list(index.having(address(number)))
        assert len(found) == len(set(found))
        assert set(found) == {one for one in model if address(number) in one}


@given(taken=st.lists(SMALL), freed=st.sets(SMALL), span=spans())
def test_the_index_agrees_with_a_set(taken: list[int], freed: set[int], span: AddressRange) -> None:
    """After any additions and removals, in any order."""
    index, model = AddressIndex(Family.IPV4), set[IPv4Address]()
    for offset in taken:
        if address(offset) not in model:
            index.add(address(offset))
            model.add(address(offset))
    for offset in freed & set(taken):
        index.remove(address(offset))
        model.remove(address(offset))
    inside = [address(offset) for offset in range(25) if address(offset) in span]
    used = [found for found in inside if found in model]
    free = [found for found in inside if found not in model]
    assert index.count(span) == len(used)
    assert list(index.within(span)) == used
    assert index.lowest_used(span) == (used[0] if used else None)
    assert index.lowest_free(span) == (free[0] if free else None)
    assert len(index) == len(model)


@given(groups=group_sets())
def test_no_address_is_in_two_pools_and_each_is_found(groups: Sequence[GroupView]) -> None:
    """Sizes are of distinct addresses; a rejected group really overlaps with an accepted one."""
    found = pools(*groups)
    homes: dict[IPv4Address, str] = {}
    for pool in found.pools.values():
        own = {
            address(offset)
            for offset in range(25)
            if any(address(offset) in entry.addresses for entry in pool.ranges[V4])
        }
        assert not own & homes.keys()
        assert pool.size(V4) == len(own)
        homes.update(dict.fromkeys(own, pool.name))
    for offset in range(-1, 27):
        home = found.locate(address(offset))
        assert (home.name if home else None) == homes.get(address(offset))
    for problem in found.problems.values():
        assert "overlap" in problem.detail


@given(groups=group_sets(), data=st.data())
def test_the_order_of_groups_does_not_matter(
    groups: Sequence[GroupView], data: st.DataObject
) -> None:
    """Two allocators that list the same groups agree."""
    assert pools(*groups) == pools(*data.draw(st.permutations(groups)))
