"""A pass over thousands of addresses pauses often: heartbeats and renewals have their turns."""

from dataclasses import replace
from typing import TypeVar

from nodeagent.core.desired import desire_in_steps
from nodeagent.core.installed import Outcome
from nodeagent.core.plan import plan_in_steps
from nodeagent.core.report import Told, report_in_steps
from nodeagent.core.verdicts import Away
from purelb.api.identifiers import ServiceKey
from purelb.core.steps import STEP, Steps
from tests.unit.nodeagent.builders import NOW, VIP, WEB, A, B, agent, facts, kernel, member, service

T = TypeVar("T")
COUNT = 10 * STEP
SERVICES = [
    service(ServiceKey(f"shop/s{number}"), f"10.9.{number // 250}.{number % 250 + 1}")
    for number in range(COUNT)
]


def paused(steps: Steps[T], loops: int) -> T:
    """Drive a computation that must pause for each hundred addresses, in each of so many loops."""
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            assert pauses >= loops * COUNT / STEP
            result: T = end.value
            return result
        pauses += 1


def test_each_part_of_a_pass_pauses_after_some_addresses() -> None:
    """Deciding, planning, and telling; with the network of all these addresses on the NIC."""
    members = (member(A, "10.9.0.0/16"),)
    one = agent(facts(*SERVICES, members=members), kernel("10.9.255.1/16"))
    observed = one.kernel.observe()
    desired = paused(desire_in_steps(replace(one.facts, observed=observed), NOW), 2)
    ops = paused(plan_in_steps(desired, observed, NOW), 1)
    assert len(ops) == 2 * COUNT  # each is added and announced
    found = paused(report_in_steps(A, Told(), desired, [Outcome(op) for op in ops], 1), 5)
    assert len(found.told.held) == COUNT


def test_what_changes_during_a_pause_is_for_the_next_pass() -> None:
    """And not lost if it changes back before that: the pass goes by what it remembers."""
    endpoints = {WEB: frozenset({B})}
    known = facts(service(WEB, node_affinity="service-endpoints"), members=(member(A), member(B)))
    one = agent(replace(known, endpoints=endpoints))
    steps = desire_in_steps(replace(one.facts, observed=one.kernel.observe()), NOW)
    next(steps)
    endpoints[WEB] = frozenset({A})
    desired = paused(steps, 0)
    assert isinstance(desired.verdicts[VIP], Away)
