"""The link of remote addresses: made, filled, kept and deleted."""

from dataclasses import replace

import pytest

from nodeagent.core.config import NodeConfig
from nodeagent.core.dummy import RETRY
from nodeagent.core.installed import is_empty
from nodeagent.core.ops import AddAddress, DeleteLink, MakeLink, RaiseLink, RemoveAddress
from nodeagent.core.remote import RemotePools
from purelb.api.identifiers import LinkName
from purelb.api.links import (
    FOREVER,
    IFA_F_NOPREFIXROUTE,
    OUR_ALIAS,
    OUR_MARK,
    Link,
)
from purelb.core.lease import Drain, step
from tests.unit.nodeagent.builders import (
    ETH0,
    NOW,
    B,
    facts,
    link,
    member,
)
from tests.unit.nodeagent.remotepools import (
    FAR,
    FAR6,
    KUBE_LB0,
    dummy_of,
    on_dummy,
    remote_agent,
)


def test_a_remote_address_stands_on_a_link_made_for_it() -> None:
    """With the mask of its subnet, permanent, with its route, whoever else is in the election."""
    one = remote_agent(FAR, FAR6)
    one.facts = replace(one.facts, electorate=facts(members=(member(B),)).electorate)
    one.settle(NOW + 1)
    made = dummy_of(one)
    assert made is not None
    assert (made.is_up, made.alias) == (True, OUR_ALIAS)
    assert set(on_dummy(one)) == {f"{FAR}/24", f"{FAR6}/64"}
    for known in one.kernel.observe().addresses:
        if known.index == made.index:
            assert (known.valid_seconds, known.mark) == (FOREVER, OUR_MARK)
            assert not known.flags & IFA_F_NOPREFIXROUTE


def test_the_link_is_filled_while_it_is_down() -> None:
    """The kernel adds thousands of addresses several times faster then."""
    one = remote_agent()
    assert one.decide() == (MakeLink(KUBE_LB0),)
    one.execute(one.ops)
    add, rise = one.decide()
    assert isinstance(add, AddAddress)
    assert isinstance(rise, RaiseLink)


def test_leaving_withdraws_remote_addresses_and_deletes_the_link() -> None:
    """At the end of a graceful stop."""
    one = remote_agent()
    one.settle(NOW + 1)
    one.facts = replace(one.facts, is_leaving=True)
    assert [type(op) for op in one.decide()] == [DeleteLink, RemoveAddress]
    one.execute(one.ops)
    assert dummy_of(one) is None
    assert [line.fields["reason"] for line in one.reports[-1].lines] == ["withdrawAll"]


def test_an_unwanted_address_is_withdrawn_and_the_link_stays_for_the_pool() -> None:
    """Without the pool the link goes as well."""
    one = remote_agent()
    one.settle(NOW + 1)
    one.facts = replace(one.facts, services={})
    one.settle(NOW + 2)
    assert on_dummy(one) == ()
    one.facts = replace(one.facts, pools=RemotePools())
    one.settle(NOW + 3)
    assert dummy_of(one) is None


def test_a_link_that_somebody_deletes_is_made_again_with_its_addresses() -> None:
    """The repair is counted as one."""
    one = remote_agent(FAR, FAR6)
    one.settle(NOW + 1)
    one.kernel.drop(KUBE_LB0)
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/24", f"{FAR6}/64"}
    repairs = [
        count
        for report in one.reports
        for count in report.counts
        if count.metric == "purelb_lbnodeagent_drift_repaired_total"
    ]
    assert len(repairs) == 2


def test_a_link_that_somebody_switches_off_is_switched_on() -> None:
    """Nothing else is done about it."""
    one = remote_agent()
    one.settle(NOW + 1)
    one.kernel.links = tuple(replace(known, is_up=False) for known in one.kernel.links)
    assert [op for op in one.decide() if isinstance(op, RaiseLink)]


def test_a_link_provided_by_the_user_is_used_and_never_deleted() -> None:
    """It bears no alias of ours; what somebody adds later does not make it somebody else's."""
    one = remote_agent()
    provided = link(9, "kube-lb0", kind="ifb")
    one.kernel.links = (*one.kernel.links, provided)
    one.settle(NOW + 1)
    assert one.announced == frozenset(), "a frame went out by a link that has a MAC"
    one.kernel.put(9, "10.9.9.9/24")
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/24", "10.9.9.9/24"}
    one.kernel.take(9, "10.9.9.9/24")
    one.facts = replace(one.facts, is_leaving=True)
    one.settle(NOW + 3)
    assert dummy_of(one) == provided
    assert on_dummy(one) == ()


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (link(9, "kube-lb0"), "kind hardware"),
        (link(9, "kube-lb0", kind="bridge"), "kind bridge"),
        (link(9, "kube-lb0", is_loopback=True), "kind loopback"),
        (link(9, "kube-lb0", kind="dummy"), "somebody else's addresses"),
    ],
)
def test_a_link_of_somebody_else_is_left_alone_and_told(other: Link, part: str) -> None:
    """The node goes on with the rest; what is wrong is told on the Service, too."""
    one = remote_agent(FAR, "192.0.2.100")
    one.kernel.links = (*one.kernel.links, other)
    one.kernel.put(9, "10.9.9.9/24")
    one.settle(NOW + 1)
    assert on_dummy(one) == ("10.9.9.9/24",)
    assert "192.0.2.100/32" in one.kernel.listing(ETH0)
    assert part in one.desired.dummy.trouble
    told = [notice for report in one.reports for notice in report.notices if FAR in notice.message]
    assert [notice.reason for notice in told] == ["AnnouncementFailed"]


def test_a_strangers_address_on_our_link_changes_nothing_and_keeps_the_link() -> None:
    """Nothing is deleted that is not ours."""
    one = remote_agent()
    one.settle(NOW + 1)
    made = dummy_of(one)
    assert made is not None
    one.kernel.put(made.index, "10.9.9.9/24")
    one.settle(NOW + 2)
    assert set(on_dummy(one)) == {f"{FAR}/24", "10.9.9.9/24"}
    one.facts = replace(one.facts, is_leaving=True)
    one.settle(NOW + 3)
    assert on_dummy(one) == ("10.9.9.9/24",)


def test_a_kernel_without_the_kind_of_link_is_told_once_and_tried_again() -> None:
    """Somebody may load the module."""
    one = remote_agent()
    one.kernel.lacks_dummy = True
    one.settle(NOW + 35)
    told = [notice.message for report in one.reports for notice in report.notices]
    assert told == [f"node node-a cannot announce {FAR}: this kernel has no such kind"]
    one.kernel.lacks_dummy = False
    one.settle(NOW + 46)
    assert on_dummy(one) == (f"{FAR}/24",)
    assert one.facts.failure is None


def test_a_link_that_was_deleted_while_it_was_made_is_made_again_at_once() -> None:
    """Only what goes on failing is waited with."""
    one = remote_agent()
    one.kernel.loses_dummy = True
    one.run()
    one.kernel.loses_dummy = False
    assert one.decide() == ()
    one.settle(NOW + RETRY)
    assert on_dummy(one) == (f"{FAR}/24",)


def test_a_link_that_cannot_be_made_is_told_of_only_if_that_lasts() -> None:
    """Somebody who deletes it again and again mostly stops within two seconds."""
    one = remote_agent()
    one.kernel.loses_dummy = True
    one.settle(NOW + 1.9)
    assert [report for report in one.reports if report.notices] == []
    one.settle(NOW + 4)
    told = [notice.message for report in one.reports for notice in report.notices]
    assert told == [f"node node-a cannot announce {FAR}: somebody deleted it"]


def test_a_new_name_moves_the_addresses_and_deletes_our_old_link() -> None:
    """The LBNodeAgent was edited."""
    one = remote_agent()
    one.settle(NOW + 1)
    other = NodeConfig(source="purelb-system/default", dummy=LinkName("lb9"))
    one.facts = replace(one.facts, config=other)
    one.settle(NOW + 2)
    assert dummy_of(one) is None
    (made,) = [known for known in one.kernel.links if known.name == "lb9"]
    assert one.kernel.listing(made.index) == (f"{FAR}/24",)


def test_a_link_that_cannot_be_switched_on_is_told() -> None:
    """The addresses stay on it meanwhile."""
    one = remote_agent()
    one.run()
    (*_, rise) = one.decide()
    assert one.seen is not None
    one.kernel.links = tuple(known for known in one.kernel.links if known.name != KUBE_LB0)
    told = one.execute((rise,))
    assert [line.op for line in told.lines] == ["linkFailed"]
    assert one.facts.failure is not None


def test_the_dummy_may_be_left_out_when_a_node_is_asked_whether_it_is_empty() -> None:
    """At a stop local addresses go first."""
    one = remote_agent(FAR, "192.0.2.100")
    one.settle(NOW + 1)
    one.facts = replace(one.facts, lease=step(one.facts.lease, Drain()))
    one.settle(NOW + 2)
    observed = one.kernel.observe()
    assert is_empty(observed, besides=one.desired.dummy)
    assert not is_empty(observed)
