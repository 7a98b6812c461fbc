"""What an external provider of addresses can say, in values. The contract is `proto/ipam.proto`.

Belongs here: values and limits of that contract. Does not: calls (`purelb.runtime.ipam`), what
follows from an answer (`allocator.core`).
"""

from dataclasses import dataclass

MOST_ADDRESSES = 16  # in one answer


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """How full a provider's pool is. `size` is None where its capacity is not known.

    Both mappings are (IPv4, IPv6). `shown` are texts for people.
    """

    in_use: tuple[int, int]
    size: tuple[int, int] | None
    shown: tuple[str, ...] = ()
