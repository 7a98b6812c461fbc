"""The heartbeat as a datagram: signed, complete, and only ever newer."""

import hmac
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.core.beats import (
    LONGEST,
    MAC_BYTES,
    Beat,
    BeatError,
    Seen,
    Standing,
    decode,
    encode,
    is_news,
    node_id,
    portions,
)
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import NodeName
from tests.unit.nodeagent.builders import VIP, VIP6, A, B, C

KEY, OTHER = b"k" * 32, b"o" * 32
BEAT = Beat(
    node=A,
    incarnation=2,
    sequence=70_000,
    standing=Standing.HELD,
    is_empty=True,
    fresh_for=1.5,
    hears={node_id(B): 7, node_id(C): 255},
    epoch=3,
    claims={VIP: 3, VIP6: 2},
    rounds=2,
)
WORDS = st.integers(0, 2**64 - 1)


@given(
    name=st.text(min_size=1, max_size=60),
    words=st.tuples(WORDS, WORDS, WORDS),
    hears=st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 255), max_size=250),
    claims=st.dictionaries(st.ip_addresses(), WORDS, max_size=40),
)
def test_what_is_sent_is_what_arrives(
    name: str,
    words: tuple[int, int, int],
    hears: dict[int, int],
    claims: dict[IPAddress, int],
) -> None:
    """Every field, whatever its value."""
    incarnation, sequence, epoch = words
    beat = Beat(
        node=NodeName(name),
        incarnation=incarnation,
        sequence=sequence,
        standing=Standing.DRAINING,
        hears=hears,
        epoch=epoch,
        claims=claims,
    )
    assert decode(encode(beat, KEY), (KEY,)) == beat


def test_either_of_two_keys_will_do_while_they_are_changed() -> None:
    """Whoever has the new key already is understood by all who know both."""
    assert decode(encode(BEAT, KEY), (OTHER, KEY)) == BEAT
    assert decode(encode(BEAT, OTHER), (OTHER, KEY)) == BEAT


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_byte_anywhere_makes_it_none_of_ours(at: int, flip: int) -> None:
    """The signature covers all."""
    datagram = bytearray(encode(BEAT, KEY))
    datagram[at % len(datagram)] ^= flip
    with pytest.raises(BeatError, match="signature"):
        decode(bytes(datagram), (KEY,))


@pytest.mark.parametrize("datagram", [b"", b"\x01" * 20, b"\x01" * 9000])
def test_what_is_too_short_or_too_long_is_not_even_hashed(datagram: bytes) -> None:
    """The cheapest check comes first."""
    with pytest.raises(BeatError, match="length"):
        decode(datagram, (KEY,))


def signed(body: bytes) -> bytes:
    """Sign what the encoder would never write."""
    return body + hmac.digest(KEY, body, "sha256")[:MAC_BYTES]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x02" + encode(BEAT, KEY)[1:-MAC_BYTES], "version"),
        (encode(BEAT, KEY)[: -MAC_BYTES - 1], "layout"),
        (encode(BEAT, KEY)[:-MAC_BYTES] + b"x", "layout"),
        (encode(replace(BEAT, claims={}), KEY)[: -MAC_BYTES - 7], "layout"),
    ],
    ids=["version", "short", "long", "without the last peers"],
)
def test_a_layout_of_another_version_is_refused_though_signed(body: bytes, why: str) -> None:
    """A rolling update may mix versions."""
    with pytest.raises(BeatError, match=why):
        decode(signed(body), (KEY,))


@pytest.mark.parametrize(
    ("seen", "is_echo_fresh", "counts"),
    [
        (None, False, True),
        (Seen(2, 69_999), False, True),
        (Seen(2, 70_000), True, False),
        (Seen(2, 70_001), True, False),
        (Seen(1, 80_000), False, True),
        (Seen(3, 1), False, False),
        (Seen(3, 1), True, True),
    ],
    ids=["first", "later", "again", "earlier", "new process", "old process", "clock set back"],
)
def test_only_what_is_newer_counts(seen: Seen | None, *, is_echo_fresh: bool, counts: bool) -> None:
    """An earlier process counts only with an echo that nobody could have recorded before."""
    assert is_news(seen, BEAT, is_echo_fresh=is_echo_fresh) is counts


@pytest.mark.parametrize("heard", [1, 15, 249, 300])
def test_many_claims_are_told_in_portions_the_latest_first(heard: int) -> None:
    """Each heartbeat fits into one frame, however many others its sender hears."""
    claims: dict[IPAddress, int] = {ip_address((0x2001 << 112) + n): n for n in range(100)}
    found = portions(claims, A, heard)
    assert 99 in found[0].values()
    assert {a: e for one in found for a, e in one.items()} == claims
    full = replace(BEAT, hears={n: 0 for n in range(heard)}, claims=found[0])
    assert len(encode(full, KEY)) <= LONGEST


def test_without_claims_there_is_one_portion() -> None:
    """Every heartbeat tells all that there is to claim."""
    assert portions({}, A, 3) == ({},)
