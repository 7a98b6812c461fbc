"""Whether the API server answers, by what does not come."""

from nodeagent.core.contact import Contact
from tests.unit.nodeagent.builders import NOW

DURATION = 10.0
SOON, LATE = NOW + 0.9, NOW + 1.0  # before and after a tenth of the duration


def waiting() -> Contact:
    """Build the record of a node whose renewal is under way since now."""
    contact = Contact(DURATION)
    contact.asked(NOW)
    return contact


def test_a_renewal_that_stays_unanswered_is_a_server_that_is_away() -> None:
    """Though the watch is as it was; further tries begin nothing anew."""
    contact = waiting()
    assert contact.whole_since(50.0, SOON) == 50.0
    contact.asked(SOON)
    assert contact.whole_since(50.0, LATE) is None


def test_an_answer_in_time_changes_nothing_and_a_late_one_begins_anew() -> None:
    """Others went on without this node's judgement meanwhile."""
    quick, late = waiting(), waiting()
    quick.answered(SOON)
    late.answered(LATE)
    assert quick.whole_since(50.0, LATE) == 50.0
    assert late.whole_since(50.0, LATE) == LATE
    assert late.whole_since(None, LATE) is None


def test_an_alarm_makes_a_node_ask_once_and_not_again_for_a_while() -> None:
    """Or a slow server would get even more to do."""
    contact = Contact(DURATION)
    assert not contact.must_hurry(NOW, is_alarmed=False)
    assert contact.must_hurry(NOW, is_alarmed=True)
    assert not contact.must_hurry(NOW + DURATION, is_alarmed=True)
    assert not contact.must_hurry(NOW + DURATION, is_alarmed=False)
    assert contact.must_hurry(NOW + DURATION, is_alarmed=True)
    contact.must_hurry(NOW + DURATION + 1.0, is_alarmed=False)
    assert not contact.must_hurry(NOW + DURATION + 2.0, is_alarmed=True)


def test_a_node_that_waits_for_an_answer_need_not_hurry() -> None:
    """It asks already."""
    assert not waiting().must_hurry(NOW, is_alarmed=True)
