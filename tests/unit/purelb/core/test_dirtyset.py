"""DirtySet against a model of two plain sets: nothing is lost, nothing runs beside itself."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from purelb.core.dirtyset import DirtySet

KEYS = st.sampled_from("abc")


def test_keys_come_out_in_the_order_in_which_they_became_due() -> None:
    """Of two due keys the one that waited longer comes first; the earlier of two wishes counts."""
    dirty: DirtySet[str] = DirtySet()
    for key, due in (("a", 5.0), ("b", 1.0), ("a", 3.0), ("c", 2.0), ("a", 9.0)):
        dirty.mark(key, due)
    assert [dirty.take(4.0) for _ in range(4)] == ["b", "c", "a", None]


class DirtySetRules(RuleBasedStateMachine):
    """Random marks, takes and ends."""

    def __init__(self) -> None:
        super().__init__()
        self.dirty: DirtySet[str] = DirtySet()
        self.wanted: dict[str, float] = {}
        self.busy: set[str] = set()

    @rule(key=KEYS, due=st.integers(0, 9))
    def mark(self, key: str, due: int) -> None:
        """Mark; the earliest wish counts."""
        self.dirty.mark(key, due)
        self.wanted[key] = min(due, self.wanted.get(key, due))

    @rule(now=st.integers(0, 9))
    def take(self, now: int) -> None:
        """Take; only a wanted, due and idle key may come out, and one must if there is one."""
        key = self.dirty.take(now)
        ready = {k for k, due in self.wanted.items() if due <= now and k not in self.busy}
        assert key in ready if ready else key is None
        if key is not None:
            del self.wanted[key]
            self.busy.add(key)

    @rule(key=KEYS)
    def done(self, key: str) -> None:
        """Finish a running key."""
        if key in self.busy:
            self.busy.remove(key)
            self.dirty.done(key)

    @invariant()
    def next_due_is_the_earliest_idle_wish(self) -> None:
        """`next_due` and the length agree with the model after every step."""
        idle = [due for key, due in self.wanted.items() if key not in self.busy]
        assert self.dirty.next_due() == min(idle, default=None)
        assert len(self.dirty) == len(self.wanted.keys() | self.busy)


TestDirtySet = DirtySetRules.TestCase
