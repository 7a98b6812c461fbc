"""Heartbeats: what one agent tells the others of its network, authenticated, as one datagram.

Layout, big-endian: version (1 byte) · flags (1) · standing (1) · length of the node's name (1) ·
incarnation (8) · sequence (8) · epoch (8) · fresh for, in milliseconds (4) · number of peers heard
(2) · number of claims (1) · number of beats that tell all claims (2) · the name · each peer heard:
id (4), low bits of its last sequence (1) · each claim: family (1), epoch (8), address (4 or 16) ·
HMAC-SHA256 over all of it, cut to 16 bytes (RFC 2104 §5).

Belongs here: the datagram, and which ones are too old to count. Does not: what follows from one
(`peers`), sockets and keys' files (`nodeagent.shell`).
"""

import functools
import hashlib
import hmac
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import ip_address
from typing import Final

from purelb.api.addresses import IPAddress
from purelb.api.identifiers import NodeName

VERSION: Final = 1
HEAD: Final = struct.Struct("!BBBBQQQIHBH")
HEARD: Final = struct.Struct("!IB")
CLAIM: Final = struct.Struct("!BQ")
MAC_BYTES: Final = 16
SHORTEST_KEY: Final = 16  # bytes
IS_EMPTY, KNOWS_GATEWAY = 1, 2  # flags
LONGEST_NAME: Final = 253
# Bytes of a datagram that fits into a frame of every usual link; with 250 peers heard there is room
# for some claims yet.
LONGEST: Final = 1400
LARGEST_ADDRESS: Final = 16
ECHO_BITS: Final = 0xFF


class Standing(IntEnum):
    """What its sender may do with addresses that only one node may have."""

    STARTING = 0  # knows nothing yet; what its kernel has was its predecessor's
    HELD = 1
    FENCED = 2
    DRAINING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One heartbeat.

    `incarnation` tells processes of one node apart, later ones being greater; `sequence` counts its
    datagrams from a random start. `is_empty`: its kernel has nothing of ours on this network.
    `knows_gateway`: there is one that it could ask.
    `fresh_for`: seconds for which its view of the API has been whole, 0.0 without. `hears` maps the
    ids of nodes to the low bits of their last sequence. `epoch` is the highest it knows; `claims`
    are addresses that it took over, each with the epoch of that; where there are too many for one
    datagram, `rounds` heartbeats in a row tell them all (`portions`).
    """

    node: NodeName
    incarnation: int
    sequence: int
    standing: Standing
    is_empty: bool = False
    knows_gateway: bool = True
    fresh_for: float = 0.0
    hears: Mapping[int, int] = field(default_factory=dict)
    epoch: int = 0
    claims: Mapping[IPAddress, int] = field(default_factory=dict)
    rounds: int = 1


class Echoes(Mapping[int, int]):
    """What a datagram says of the peers heard, as it came: most of it is never looked at.

    `nodes` are the bytes of the ids, column by column: equal as long as the same nodes are heard.
    """

    __slots__ = ("_raw", "nodes")

    def __init__(self, raw: bytes) -> None:
        """Take the bytes of the entries."""
        self._raw = raw
        self.nodes = tuple(raw[column :: HEARD.size] for column in range(HEARD.size - 1))

    def __getitem__(self, node: int) -> int:
        """Return the low bits of the last sequence heard of a node (`node_id`)."""
        wanted, at = node.to_bytes(HEARD.size - 1, "big"), -1
        while (at := self._raw.find(wanted, at + 1)) >= 0:
            if at % HEARD.size == 0:
                return self._raw[at + HEARD.size - 1]
        raise KeyError(node)

    def __iter__(self) -> Iterator[int]:
        """Yield the ids of those heard."""
        return (node for node, _ in HEARD.iter_unpack(self._raw))

    def __len__(self) -> int:
        """Return how many were heard."""
        return len(self._raw) // HEARD.size


class BeatError(ValueError):
    """A datagram that is none of ours; the message says why."""


class WeakKeyError(ValueError):
    """A key that is too short; the message says so, without any of it."""


def parse_key(content: bytes) -> bytes:
    """Return the key that is the content of a file, without the end of its line, if it has one.

    Raises WeakKeyError.
    """
    key = content.strip(b"\r\n")
    if len(key) < SHORTEST_KEY:
        raise WeakKeyError(f"a key must have at least {SHORTEST_KEY} bytes, this has {len(key)}")
    return key


@functools.lru_cache(maxsize=4096)
def node_id(node: NodeName) -> int:
    """Return the four bytes that stand for a node among those heard."""
    return int.from_bytes(hashlib.sha256(node.encode()).digest()[:4], "big")


def portions(
    claims: Mapping[IPAddress, int], node: NodeName, heard: int
) -> tuple[Mapping[IPAddress, int], ...]:
    """Return claims as heartbeats tell them one after the other, the latest first; at least one.

    `node` is the sender, which hears so many others: what is left of a datagram is for claims.
    """
    room = _room(node) - HEARD.size * heard
    size = max(1, room // (CLAIM.size + LARGEST_ADDRESS))
    ordered = sorted(claims.items(), key=lambda item: (-item[1], item[0].packed))
    starts = range(0, len(ordered), size) or (0,)
    return tuple(dict(ordered[at : at + size]) for at in starts)


def encode(beat: Beat, key: bytes) -> bytes:
    """Return the datagram, signed. It has room for as many claims as a portion (`portions`)."""
    name = beat.node.encode()
    most = (_room(beat.node) - CLAIM.size - LARGEST_ADDRESS) // HEARD.size
    heard = sorted(beat.hears.items())[:most]
    parts = [
        HEAD.pack(
            VERSION,
            IS_EMPTY * beat.is_empty | KNOWS_GATEWAY * beat.knows_gateway,
            beat.standing,
            len(name),
            beat.incarnation,
            beat.sequence,
            beat.epoch,
            min(int(beat.fresh_for * 1000), 0xFFFFFFFF),
            len(heard),
            len(beat.claims),
            beat.rounds,
        ),
        name,
    ]
    parts += [HEARD.pack(peer, echo & ECHO_BITS) for peer, echo in heard]
    for address, epoch in beat.claims.items():
        parts += (CLAIM.pack(address.version, epoch), address.packed)
    body = b"".join(parts)
    return body + _mac(key, body)


def decode(datagram: bytes, keys: Sequence[bytes]) -> Beat:
    """Return the heartbeat; raises BeatError if no key signed it or it is not well-formed.

    Nothing is read before the signature is known to be right.
    """
    if not HEAD.size + MAC_BYTES <= len(datagram) <= LONGEST:
        raise BeatError("length")
    body, mac = datagram[:-MAC_BYTES], datagram[-MAC_BYTES:]
    if not any(hmac.compare_digest(_mac(key, body), mac) for key in keys):
        raise BeatError("signature")
    if body[0] != VERSION:
        raise BeatError("version")
    try:
        return _parse(body)
    except (struct.error, ValueError) as error:
        raise BeatError("layout") from error


def _parse(body: bytes) -> Beat:
    head, at = HEAD.unpack_from(body), HEAD.size
    _, flags, standing, size, incarnation, sequence, epoch, fresh, heard, claims, rounds = head
    name, at = body[at : at + size], at + size
    end = at + heard * HEARD.size
    if end > len(body):
        raise ValueError("length")
    hears = Echoes(body[at:end])
    return Beat(
        node=NodeName(name.decode()),
        incarnation=incarnation,
        sequence=sequence,
        standing=Standing(standing),
        is_empty=bool(flags & IS_EMPTY),
        knows_gateway=bool(flags & KNOWS_GATEWAY),
        fresh_for=fresh / 1000,
        hears=hears,
        epoch=epoch,
        claims=_claims(body[end:], claims),
        rounds=max(1, rounds),
    )


def _claims(text: bytes, count: int) -> dict[IPAddress, int]:
    """Return the claims that are all of a text; raises ValueError or struct.error if not."""
    found, at = {}, 0
    for _ in range(count):
        version, epoch = CLAIM.unpack_from(text, at)
        at += CLAIM.size
        length = 4 if version == 4 else 16
        found[ip_address(text[at : at + length])] = epoch
        at += length
    if at != len(text):
        raise ValueError("length")
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest heartbeat that counted, of one node."""

    incarnation: int
    sequence: int


def is_news(seen: Seen | None, beat: Beat, *, is_echo_fresh: bool) -> bool:
    """Tell whether a heartbeat is newer than all before it, and so no replay.

    A later process of the node is believed at once; an earlier one, as after a clock was set back,
    only if it proves by an echo of what we sent just now that it lives.
    """
    if seen is None or beat.incarnation > seen.incarnation:
        return True
    if beat.incarnation == seen.incarnation:
        return beat.sequence > seen.sequence
    return is_echo_fresh


def _room(node: NodeName) -> int:
    return LONGEST - HEAD.size - MAC_BYTES - len(node.encode())


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:MAC_BYTES]
