"""Back-off doubles, has a cap, and survives any number of failures."""

from purelb.core.backoff import Backoff


def test_delays_double_up_to_the_longest() -> None:
    """0 failures wait for nothing; thousands do not overflow."""
    backoff = Backoff(first=0.5, longest=6.0)
    delays = [backoff.delay(failures) for failures in (0, 1, 2, 3, 4, 5, 6, 5000)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 6.0, 6.0]
