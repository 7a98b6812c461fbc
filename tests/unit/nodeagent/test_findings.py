"""When a finding counts, and when it is told."""

from nodeagent.core.findings import AGAIN, NOTHING_FOUND, SETTLE, Check, Finding, news, stand
from nodeagent.core.notices import Kind, Level
from purelb.api.identifiers import NodeName
from purelb.api.problems import NoticeType

A = NodeName("node-a")
HOST = Finding(check=Check.CARRIER, subject="eth0", message="has no carrier")
FIELD = Finding(
    check=Check.CONFIGURATION,
    subject="spec.local.interfaces",
    message="no such interface",
    key="purelb-system/default",
    reason="ConfigurationWarning",
)


def test_a_fault_of_the_configuration_counts_at_once() -> None:
    """Nobody but a person changes it."""
    after = stand(NOTHING_FOUND, [FIELD], 100.0)
    assert (after.valid, after.look_at) == (frozenset({FIELD}), None)
    assert news(NOTHING_FOUND, after) == (FIELD,)


def test_a_fault_of_the_host_counts_if_it_lasts() -> None:
    """A network manager that restarts is no fault."""
    first = stand(NOTHING_FOUND, [HOST], 100.0)
    assert (first.valid, first.look_at) == (frozenset(), 100.0 + SETTLE)
    assert news(NOTHING_FOUND, first) == ()
    second = stand(first, [HOST], 100.0 + SETTLE)
    assert (second.valid, second.look_at) == (frozenset({HOST}), None)
    assert news(first, second) == (HOST,)


def test_a_fault_of_the_host_that_goes_away_in_between_begins_anew() -> None:
    """It has not lasted."""
    first = stand(NOTHING_FOUND, [HOST], 100.0)
    second = stand(first, [], 101.0)
    third = stand(second, [HOST], 100.0 + SETTLE)
    assert (third.valid, third.look_at) == (frozenset(), 100.0 + 2 * SETTLE)


def test_what_stands_is_told_once() -> None:
    """However long."""
    first = stand(NOTHING_FOUND, [FIELD], 100.0)
    second = stand(first, [FIELD], 100.0 + 2 * AGAIN)
    assert second.valid == {FIELD}
    assert news(first, second) == ()


def test_what_comes_and_goes_is_told_again_after_a_long_time_only() -> None:
    """It counts all the same."""
    first = stand(NOTHING_FOUND, [FIELD], 100.0)
    soon = stand(stand(first, [], 110.0), [FIELD], 120.0)
    assert (news(stand(first, [], 110.0), soon), soon.valid) == ((), frozenset({FIELD}))
    away = stand(first, [], 100.0 + AGAIN)
    late = stand(away, [FIELD], 101.0 + AGAIN)
    assert news(away, late) == (FIELD,)


def test_a_fault_of_the_configuration_is_told_on_its_object() -> None:
    """With the node, because others may read it otherwise."""
    (notice,) = FIELD.notices(A)
    assert (notice.kind, notice.key) == (Kind.NODE_AGENT, "purelb-system/default")
    assert (notice.reason, notice.severity) == ("ConfigurationWarning", NoticeType.WARNING)
    assert notice.message == "node node-a: spec.local.interfaces: no such interface"


def test_a_fault_of_the_host_is_told_on_the_node() -> None:
    """`kubectl describe node` shows it."""
    (notice,) = HOST.notices(A)
    assert (notice.kind, notice.key, notice.reason) == (Kind.NODE, "/node-a", "Carrier")


def test_a_finding_has_a_log_line_when_it_comes_and_when_it_goes() -> None:
    """What is only a remark is no warning."""
    remark = Finding(check=Check.KERNEL, subject="x", message="y", severity=NoticeType.NORMAL)
    assert (HOST.line().level, remark.line().level) == (Level.WARNING, Level.INFO)
    assert HOST.solved().fields == {"check": "Carrier", "subject": "eth0"}


def test_a_condition_says_the_same() -> None:
    """And since when."""
    found = HOST.condition("2026-01-02T03:04:05Z")
    assert (found.type, found.subject, found.message) == ("Carrier", "eth0", "has no carrier")
    assert (found.severity, found.since) == (NoticeType.WARNING, "2026-01-02T03:04:05Z")
