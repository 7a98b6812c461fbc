"""Replies of external providers → answers. Pure.

Belongs here: reading texts and gRPC statuses. Does not: whether an address may be taken
(`external`). Called by the shell with each reply.
"""

from collections.abc import Collection

from allocator.core import refusals
from allocator.core.asks import Answer, Ask
from allocator.core.pool import Pool
from purelb.api.addresses import IPAddress, parse_ip
from purelb.api.ipam import MOST_ADDRESSES

# gRPC statuses that speak of the sidecar, not of the question: it is down, or did not answer.
OUTAGES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
# Of the others, those that pass by themselves.
PASSING = frozenset({"RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"})
FULL = "RESOURCE_EXHAUSTED"


def read_answer(ask: Ask, texts: Collection[str], pool: Pool) -> Answer:
    """Parse a reply; one with anything in it that is no usable address counts as a whole."""
    if not texts:
        return Answer(ask=ask, problem=refusals.nonsense(pool, "no address at all"))
    if len(texts) > MOST_ADDRESSES:
        said = f"{len(texts)} addresses, more than {MOST_ADDRESSES}"
        return Answer(ask=ask, problem=refusals.nonsense(pool, said))
    found: dict[IPAddress, None] = {}
    for text in texts:
        address = _usable(text)
        if address is None:
            said = f"{text[:50]!r}, which no Service can have"
            return Answer(ask=ask, problem=refusals.nonsense(pool, said))
        found[address] = None
    return Answer(ask=ask, addresses=tuple(found))


def parsed(texts: Collection[str]) -> frozenset[IPAddress]:
    """Return every address among the texts, usable or not: all of them may have to go back."""
    found = set()
    for text in texts:
        try:
            found.add(parse_ip(text))
        except ValueError:
            continue
    return frozenset(found)


def refused_answer(ask: Ask, status: str, message: str, pool: Pool) -> Answer:
    """Turn a gRPC status into an answer."""
    if status in OUTAGES:
        return Answer(ask=ask, problem=refusals.silent(pool))
    if status == FULL:
        return Answer(ask=ask, problem=refusals.provider_full(pool, message))
    return Answer(ask=ask, problem=refusals.provider_refuses(pool, status, message))


def unrecorded_answer(ask: Ask, error: str, pool: Pool) -> Answer:
    """Answer in place of a provider that is not asked, because nothing can be put on record."""
    return Answer(ask=ask, problem=refusals.unrecorded(pool, error))


def _usable(text: str) -> IPAddress | None:
    try:
        address = parse_ip(text)
    except ValueError:
        return None
    is_special = address.is_unspecified or address.is_loopback or address.is_multicast
    return None if is_special or address.is_link_local else address
