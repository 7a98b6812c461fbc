"""Which way packets of this host go, as the kernel's routing says; policy rules count.

Belongs here: single questions (`ip route get`). Does not: lists of routes (`links`). Called by the
shells of the network programs.
"""

import errno
import os
from collections.abc import Iterable

from purelb.api.links import RouteAnswer, RouteQuery
from purelb.runtime.errors import TransientError
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.sockets import RequestSocket

# What a route that refuses, or none at all, or a link that is gone, is answered with.
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.ENODEV)


async def ways(queries: Iterable[RouteQuery]) -> dict[RouteQuery, RouteAnswer | None]:
    """Return the kernel's answer to each query, None where there is no way.

    No way, too: from a source that is not this host's. Raises TransientError.
    """
    found: dict[RouteQuery, RouteAnswer | None] = {}
    requests = RequestSocket()
    try:
        requests.open()
        for query in queries:
            found[query] = await _way(requests, query)
    except OSError as error:  # TimeoutError, too
        number = error.errno or errno.ETIMEDOUT
        raise TransientError(f"cannot ask for routes: {os.strerror(number)}") from error
    finally:
        requests.close()
    return found


async def _way(requests: RequestSocket, query: RouteQuery) -> RouteAnswer | None:
    try:
        answers = await requests.dump(
            wire.route_query(query), lambda body: wire.parse_route_answer(body, query)
        )
    except OSError as error:
        if error.errno in NO_WAY:
            return None
        raise
    if not answers:
        raise OSError(errno.ENOBUFS, "the answer was lost")
    return answers[0]
