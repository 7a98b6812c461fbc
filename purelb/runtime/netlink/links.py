"""Links and default routes, and the dummy link: the one door to pyroute2.

Belongs here: what is asked for rarely. Does not: addresses and events, of which there are
thousands, and the list of links (`listing`); pyroute2 needs 20 times as long for one as a few lines
of `struct` (measured). Called by the shells of the network programs.

Every call that uses pyroute2 opens an object of its own (0.3 ms) in the network namespace of the
calling thread: once an object has met ENOBUFS, each later call on it fails.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from pyroute2 import AsyncIPRoute  # type: ignore[import-untyped]  # it ships no types
from pyroute2.netlink import nlmsg  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]

from purelb.api.addresses import Family, IPAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import OUR_ALIAS, DefaultRoute
from purelb.runtime.errors import PermanentError, PurelbError, TransientError
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.listing import links
from purelb.runtime.netlink.sockets import ANSWER_SECONDS, RequestSocket

DUMP_ATTEMPTS = 5

_RTM_GETROUTE = 26
_RTN_UNICAST = 1
_FAMILIES = {socket.AF_INET: Family.IPV4, socket.AF_INET6: Family.IPV6}

_Fields = Mapping[str, Any]  # pyroute2's view of a message or of a next hop


async def default_routes() -> tuple[DefaultRoute, ...]:
    """Return the default routes of the main table, IPv4 first, the best metric first.

    Routes that refuse (`unreachable`, `blackhole`) are none. Raises TransientError.
    """
    found: list[DefaultRoute] = []
    async with _route_socket("list routes") as route:
        for family in _FAMILIES:
            # The kernel filters by table. Without that it lists a local route for each address.
            query = rtmsg()
            query["family"], query["table"] = int(family), wire.MAIN_TABLE
            for fields in await _dump(route, query, _RTM_GETROUTE):
                found += _default_routes(fields)
    return tuple(sorted(found, key=lambda hop: (hop.family, hop.metric)))


async def make_dummy(name: LinkName, kind: str = "dummy") -> int:
    """Make a link that carries addresses and nothing else, and return its index.

    It bears OUR_ALIAS, and keeps the other addresses of a network when the first is removed. It is
    down: the kernel takes thousands of addresses several times faster then (measured). A link of
    that name that exists is left as it is. `kind` is the kernel's name of the driver. Raises
    PermanentError if the kernel has none such, or without CAP_NET_ADMIN; TransientError otherwise.
    """
    async with _route_socket(f"make link {name} of kind {kind}") as route:
        index = await _index(route, name)
        if index is None:
            await route.link("add", ifname=name, kind=kind)
            index = await _index(route, name)
            if index is None:
                raise TransientError(f"link {name} was deleted while it was set up")
            await route.link("set", index=index, ifalias=OUR_ALIAS)
            await promote_secondaries(index)  # before it can have a first address
    return index


async def switch_on(index: int) -> None:
    """Set a link up that carries addresses only; it keeps all its addresses from then on.

    That is, without their first one as well. Raises PermanentError without CAP_NET_ADMIN,
    TransientError otherwise.
    """
    await promote_secondaries(index)
    async with _route_socket(f"switch on link {index}") as route:
        await route.link("set", index=index, state="up")


async def delete_dummy(name: LinkName) -> bool:
    """Delete the link if it bears OUR_ALIAS, its addresses with it, and tell whether it did.

    Raises PermanentError without CAP_NET_ADMIN, TransientError otherwise.
    """
    ours = [link for link in await links() if link.name == name and link.alias == OUR_ALIAS]
    async with _route_socket(f"delete link {name}") as route:
        for link in ours:
            await route.link("del", index=link.index)
    return bool(ours)


@contextlib.asynccontextmanager
async def _route_socket(purpose: str) -> AsyncIterator[AsyncIPRoute]:
    """Open a pyroute2 object with a deadline, and turn what goes wrong into our errors."""
    with _mapped_errors(purpose):
        async with asyncio.timeout(ANSWER_SECONDS), AsyncIPRoute(strict_check=True) as route:
            yield route


@contextlib.contextmanager
def _mapped_errors(purpose: str) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        raise _mapped(error.code, purpose) from error
    except OSError as error:  # TimeoutError, too
        raise _mapped(error.errno or errno.ETIMEDOUT, purpose) from error


def _mapped(number: int, purpose: str) -> PurelbError:
    match number:
        case errno.EPERM:
            return PermanentError(f"cannot {purpose}: the capability CAP_NET_ADMIN is missing")
        case errno.EOPNOTSUPP:
            return PermanentError(
                f"cannot {purpose}: this kernel has no such kind; load its module, or make a link "
                "of that name of another kind"
            )
        case _:
            return TransientError(f"cannot {purpose}: {os.strerror(number)}")


async def _dump(route: AsyncIPRoute, query: nlmsg, kind: int) -> list[_Fields]:
    """Return a complete dump. pyroute2 itself does not look at NLM_F_DUMP_INTR."""
    for _ in range(DUMP_ATTEMPTS):
        answer = await route.nlm_request(query, kind, wire.NLM_F_REQUEST | wire.NLM_F_DUMP)
        found = [fields async for fields in answer]
        if not any(fields["header"]["flags"] & wire.NLM_F_DUMP_INTR for fields in found):
            return found
    raise TransientError("links or routes change too often to be listed")


async def _index(route: AsyncIPRoute, name: LinkName) -> int | None:
    try:
        found = await route.link("get", ifname=name)
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
        return None
    return int(found[0]["index"])


async def promote_secondaries(index: int) -> None:
    """Let a link keep the secondaries of an IPv4 address that goes (the sysctl of that name).

    By netlink, because /proc/sys is read-only in a container.
    """
    with _mapped_errors(f"set promote_secondaries on link {index}"):
        requests = RequestSocket()
        requests.open()
        try:
            (number,) = await requests.acknowledge([wire.promote_secondaries(index)])
        finally:
            requests.close()
        if number:
            raise OSError(number, os.strerror(number))


def _default_routes(fields: _Fields) -> list[DefaultRoute]:
    is_default = fields["dst_len"] == 0 and fields["type"] == _RTN_UNICAST
    if not is_default or fields["table"] != wire.MAIN_TABLE:  # kernels before 4.20 do not filter
        return []
    hops = fields.get("RTA_MULTIPATH") or [fields]
    return [
        DefaultRoute(
            family=_FAMILIES[fields["family"]],
            metric=fields.get("RTA_PRIORITY") or 0,
            index=hop["oif"] if hop is not fields else fields.get("RTA_OIF"),
            gateway=_gateway(hop),
        )
        for hop in hops
    ]


def _gateway(hop: _Fields) -> IPAddress | None:
    if (gateway := hop.get("RTA_GATEWAY")) is not None:
        return ip_address(gateway)
    if (via := hop.get("RTA_VIA")) is not None:  # an IPv4 route by an IPv6 router
        return ip_address(via["addr"])
    return None
