"""The external IPAM protocol of `proto/ipam.proto`: its methods, and a client.

Belongs here: messages in and out. Does not: when a provider is asked and what its answers mean
(`allocator`), how it chooses addresses (`ipam`).
"""

import math
import time
from collections.abc import Callable, Collection
from typing import TypeAlias

from purelb.api.addresses import Family
from purelb.api.ipam import PoolStats
from purelb.runtime import ipam_pb2 as wire
from purelb.runtime.rpc import Channel, Method, Reply, Request, RpcError

OnCall: TypeAlias = Callable[[str, str, float], None]

SERVICE = "/purelb.ipam.v1.IPAM"
ALLOCATE = Method(f"{SERVICE}/Allocate", wire.AllocateRequest, wire.AllocateResponse)
RELEASE = Method(f"{SERVICE}/Release", wire.ReleaseRequest, wire.ReleaseResponse)
STATS = Method(f"{SERVICE}/Stats", wire.StatsRequest, wire.StatsResponse)

CALL_SECONDS = 10.0  # deadline of each call
LEAST_SECONDS = 0.2  # of the right to act, to begin a call


class IpamClient:
    """One sidecar. All methods raise RpcError; addresses are texts, as they were sent.

    `right` says for how many seconds from now the caller may act: no call begins without it, and
    none goes on for longer. `on_call` is told of each call that ended: its full method, the gRPC
    status by its name, and how many seconds it took.
    """

    def __init__(
        self,
        socket: str,
        right: Callable[[], float] = lambda: math.inf,
        on_call: OnCall = lambda _method, _status, _seconds: None,
    ) -> None:
        self._channel, self._right, self._on_call = Channel(socket), right, on_call

    async def allocate_families(
        self, pool: str, service: str, sharing_key: str, families: Collection[Family]
    ) -> tuple[str, ...]:
        """Ask for one address of each family; without any the provider chooses."""
        wanted = wire.FamilyRequest(
            want_ipv4=Family.IPV4 in families, want_ipv6=Family.IPV6 in families
        )
        request = wire.AllocateRequest(
            pool=pool, service=service, sharing_key=sharing_key, families=wanted
        )
        return await self._allocate(request)

    async def allocate_explicit(
        self, pool: str, service: str, sharing_key: str, addresses: Collection[str]
    ) -> tuple[str, ...]:
        """Ask for these addresses."""
        request = wire.AllocateRequest(
            pool=pool,
            service=service,
            sharing_key=sharing_key,
            explicit=wire.ExplicitIPs(ips=addresses),
        )
        return await self._allocate(request)

    async def release(self, pool: str, service: str, address: str | None = None) -> None:
        """Give back one address of a Service; without one, all of them."""
        request = (
            wire.ReleaseRequest(pool=pool, service=service, all=True)
            if address is None
            else wire.ReleaseRequest(pool=pool, service=service, ip=address)
        )
        await self._call(RELEASE, request)

    async def stats(self, pool: str) -> PoolStats:
        """Ask how full a pool is."""
        request = wire.StatsRequest(pool=pool)
        reply = await self._call(STATS, request)
        return PoolStats(
            in_use=(reply.in_use_v4, reply.in_use_v6),
            size=(reply.size_v4, reply.size_v6) if reply.has_known_capacity else None,
            shown=tuple(reply.display_addresses),
        )

    def close(self) -> None:
        """Drop the connection."""
        self._channel.close()

    async def _allocate(self, request: wire.AllocateRequest) -> tuple[str, ...]:
        reply = await self._call(ALLOCATE, request)
        return tuple(entry.ip for entry in reply.ips)

    async def _call(self, method: Method[Request, Reply], request: Request) -> Reply:
        seconds, begun, status = self._seconds(), time.monotonic(), "CANCELLED"
        try:
            reply = await self._channel.call(method, request, seconds)
            status = "OK"
        except RpcError as error:
            status = error.status
            raise
        finally:
            self._on_call(method.path, status, time.monotonic() - begun)
        return reply

    def _seconds(self) -> float:
        seconds = min(CALL_SECONDS, self._right())
        if seconds < LEAST_SECONDS:
            raise RpcError("ABORTED", "another replica may be leading")
        return seconds
