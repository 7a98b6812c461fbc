"""Replies of providers, as texts."""

from allocator.core.answers import parsed
from tests.unit.allocator.builders import ips


def test_all_addresses_of_a_reply_may_have_to_go_back_usable_or_not() -> None:
    """What is no address at all cannot be released."""
    texts = ("127.0.0.1", "nonsense", "2001:db8::1", "127.0.0.1")
    assert parsed(texts) == set(ips("127.0.0.1", "2001:db8::1"))
