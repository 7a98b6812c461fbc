"""The Services of the suite, one row for each address."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from allocator.core.pool import PoolSet
from allocator.core.request import group_of
from allocator.core.select import Selection, select
from plugin.core.allocation import is_default_announcer, pools_of
from plugin.core.document import Document
from plugin.core.nodeconfig import dummies
from plugin.core.snapshot import Snapshot
from plugin.core.verdicts import Verdict, is_remote, is_waiting, ports_of, slots_of, verdict
from purelb.api import annotations
from purelb.api.addresses import IPAddress, sort_key
from purelb.api.identifiers import PoolName, split_key
from purelb.api.views import ServiceView

PENDING = "<pending>"


class ServiceRow(Document, frozen=True):
    """One address of a Service, or a Service that has none yet."""

    namespace: str
    name: str
    ip: str
    pool: str
    pool_type: str
    ipam: str
    announcing: str
    sharing_key: str
    status: str
    ports: str = ""


class SharedIp(Document, frozen=True):
    """One address that several Services have; each as `namespace/name (TCP/80)`."""

    ip: str
    sharing_key: str
    services: tuple[str, ...]


class ServicesReport(Document, frozen=True):
    """What is left after filtering, sorted by namespace, name and address."""

    services: tuple[ServiceRow, ...]
    total_services: int
    total_ips: int
    problems: int
    shared_ips: tuple[SharedIp, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows are wanted; empty means all."""

    pool: str = ""
    node: str = ""
    ip: str = ""
    namespace: str = ""
    problems_only: bool = False

    def keeps(self, row: ServiceRow) -> bool:
        """Tell whether a row is wanted."""
        return (
            self.pool in ("", *row.pool.split(", "))
            and (not self.node or row.announcing.startswith(f"{self.node}/"))
            and self.ip in ("", row.ip)
            and self.namespace in ("", row.namespace)
            and not (self.problems_only and row.status == Verdict.OK)
        )


def report_services(snapshot: Snapshot, wanted: Filter) -> ServicesReport:
    """Return the rows that the filter keeps."""
    book = _Book(snapshot, pools_of(snapshot))
    rows: list[ServiceRow] = []
    sharers: dict[tuple[IPAddress, str], list[ServiceView]] = {}
    for service in sorted(snapshot.services, key=lambda view: split_key(view.key)):
        for address, row in book.rows(service):
            if not wanted.keeps(row):
                continue
            rows.append(row)
            if address is not None and row.sharing_key:
                sharers.setdefault((address, row.sharing_key), []).append(service)
    return ServicesReport(
        services=tuple(rows),
        total_services=len({(row.namespace, row.name) for row in rows}),
        total_ips=len(rows),
        problems=sum(row.status != Verdict.OK for row in rows),
        shared_ips=tuple(_shared(sharers)),
    )


def _shared(sharers: dict[tuple[IPAddress, str], list[ServiceView]]) -> Iterator[SharedIp]:
    for (address, key), found in sorted(sharers.items(), key=lambda one: sort_key(one[0][0])):
        if len(found) > 1:
            names = tuple(f"{service.key} ({ports_of(service)})" for service in found)
            yield SharedIp(ip=str(address), sharing_key=key, services=names)


class _Book:
    """What all rows are looked up in."""

    def __init__(self, snapshot: Snapshot, pools: PoolSet) -> None:
        self._pools, self._healthy = pools, snapshot.healthy
        self._dummies = ",".join(dummies(snapshot.agents))
        self._is_default = is_default_announcer(snapshot.pods)

    def rows(self, service: ServiceView) -> Iterator[tuple[IPAddress | None, ServiceRow]]:
        """Yield the rows of one Service, none if it is not ours."""
        if service.is_branded and service.ingress:
            slots = slots_of(service)
            for address in sorted(service.ingress, key=sort_key):
                slot = slots.get(address)
                shown = f"{slot.node}/{slot.link}" if slot else ""
                if slot is None and is_remote(service):
                    shown = self._dummies
                status = verdict(service, slot, self._healthy)
                yield address, self._row(service, str(address), shown, status)
        elif is_waiting(service, is_default_announcer=self._is_default):
            yield None, self._row(service, PENDING, "", Verdict.PENDING)

    def _row(self, service: ServiceView, ip: str, announcing: str, status: Verdict) -> ServiceRow:
        namespace, name = split_key(service.key)
        keys = service.annotations
        pool = keys.get(annotations.ALLOCATED_FROM) or self._asked(service)
        return ServiceRow(
            namespace=namespace,
            name=name,
            ip=ip,
            pool=pool,
            pool_type=keys.get(annotations.POOL_TYPE, ""),
            ipam=self._ipam(pool.split(", ")),
            announcing=announcing,
            sharing_key=keys.get(annotations.SHARING_KEY, ""),
            status=status.value,
            ports=ports_of(service),
        )

    def _asked(self, service: ServiceView) -> str:
        group = group_of(service)
        if group is not None:
            return group
        selection = select(self._pools, service.key, None)
        return selection.pool.name if isinstance(selection, Selection) else ""

    def _ipam(self, names: Collection[str]) -> str:
        pools = [self._pools.pools.get(PoolName(name)) for name in names]
        kinds = {(pool.group.provider or "cluster").lower() for pool in pools if pool is not None}
        return ",".join(sorted(kinds))
