"""Who has which address of which pool, kept in a SQLite file.

Belongs here: the choice of addresses and their record. Does not: gRPC (`app`). Every change is on
disk before it is answered: a sidecar that forgets gives an address twice.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from purelb.api.addresses import (
    FAMILIES,
    AddressRange,
    Family,
    IPAddress,
    family_of,
    parse_ip,
    sort_key,
)

SCHEMA = """
create table if not exists held (
  pool text not null, ip text not null, service text not null, sharing_key text not null,
  primary key (pool, ip, service)
)
"""


class UnknownPoolError(Exception):
    """No pool has this name."""


class ExhaustedError(Exception):
    """No address of a family is free."""


class TakenError(Exception):
    """An address that was asked for belongs to another Service, or to no range."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one pool and family: addresses held, and all there are."""

    in_use: int
    size: int


class Book:
    """The records. One writer, and no call waits for another: each is one transaction.

    `pools` maps names to ranges that do not overlap.
    """

    def __init__(self, file: str, pools: Mapping[str, Collection[AddressRange]]) -> None:
        self.pools = pools
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def allocate(
        self, pool: str, service: str, sharing_key: str, families: Collection[Family]
    ) -> tuple[IPAddress, ...]:
        """Give one address of each family; those it has already stay. All families, or none."""
        ranges = self._ranges(pool)
        held = self.held(pool, service)
        missing = [f for f in families if f not in {family_of(address) for address in held}]
        if not families and not held:
            missing = [next(family for family in FAMILIES if _of(ranges, family))]
        found = [self._choose(pool, sharing_key, family, ranges) for family in missing]
        self._write(pool, service, sharing_key, [*held, *found])
        return self.held(pool, service)

    def claim(
        self, pool: str, service: str, sharing_key: str, addresses: Collection[IPAddress]
    ) -> tuple[IPAddress, ...]:
        """Give these addresses: all of them, or none."""
        ranges = self._ranges(pool)
        for address in addresses:
            if not any(address in span for span in ranges):
                raise TakenError(f"{address} is in no range of pool {pool}")
            others = self._keys(pool, address, but=service)
            if others and (not sharing_key or others != {sharing_key}):
                raise TakenError(f"{address} belongs to another Service")
        self._write(pool, service, sharing_key, addresses)
        return self.held(pool, service)

    def release(self, pool: str, service: str, address: IPAddress | None) -> None:
        """Take back one address, or all; of what is not known, too."""
        if address is None:
            self._db.execute("delete from held where pool = ? and service = ?", (pool, service))
        else:
            self._db.execute(
                "delete from held where pool = ? and service = ? and ip = ?",
                (pool, service, str(address)),
            )

    def held(self, pool: str, service: str) -> tuple[IPAddress, ...]:
        """Return what a Service has in a pool, IPv4 first."""
        rows = self._db.execute(
            "select ip from held where pool = ? and service = ?", (pool, service)
        )
        return tuple(sorted((parse_ip(ip) for (ip,) in rows), key=sort_key))

    def usage(self, pool: str, family: Family) -> Usage:
        """Count a pool's addresses."""
        ranges = _of(self._ranges(pool), family)
        used = sum(1 for address in self._used(pool) if family_of(address) is family)
        return Usage(used, sum(span.size for span in ranges))

    def _ranges(self, pool: str) -> Collection[AddressRange]:
        try:
            return self.pools[pool]
        except KeyError:
            raise UnknownPoolError(f"no pool {pool}; there are: {', '.join(self.pools)}") from None

    def _choose(
        self, pool: str, sharing_key: str, family: Family, ranges: Iterable[AddressRange]
    ) -> IPAddress:
        """Return the address the sharing key stands for, else the lowest free one."""
        used = self._used(pool)
        if sharing_key:
            for address in sorted(used, key=sort_key):
                if family_of(address) is family and self._keys(pool, address) == {sharing_key}:
                    return address
        for span in _of(ranges, family):
            address = span.first
            while address in used:
                address += 1
            if address in span:
                return address
        raise ExhaustedError(f"no {family} address is free in pool {pool}")

    def _used(self, pool: str) -> set[IPAddress]:
        rows = self._db.execute("select distinct ip from held where pool = ?", (pool,))
        return {parse_ip(ip) for (ip,) in rows}

    def _keys(self, pool: str, address: IPAddress, but: str = "") -> set[str]:
        rows = self._db.execute(
            "select sharing_key from held where pool = ? and ip = ? and service <> ?",
            (pool, str(address), but),
        )
        return {key for (key,) in rows}

    def _write(
        self, pool: str, service: str, sharing_key: str, addresses: Iterable[IPAddress]
    ) -> None:
        rows = [(pool, str(address), service, sharing_key) for address in addresses]
        self._db.execute("begin immediate")
        self._db.executemany("insert or replace into held values (?, ?, ?, ?)", rows)
        self._db.execute("commit")


def _of(ranges: Iterable[AddressRange], family: Family) -> list[AddressRange]:
    return [span for span in ranges if span.family is family]
