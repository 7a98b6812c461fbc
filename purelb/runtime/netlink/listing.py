"""The list of all links, without pyroute2.

That holds the loop for a third of a millisecond for each link (measured): a node has hundreds, and
every Pod that comes or goes changes some. Programs that need no more than this save 10 MB, too.
"""

import errno
import os

from purelb.api.links import Link
from purelb.runtime.errors import TransientError
from purelb.runtime.netlink import wire
from purelb.runtime.netlink.sockets import RequestSocket

DUMP_ATTEMPTS = 5


async def links() -> tuple[Link, ...]:
    """Return all links, by index. Raises TransientError."""
    requests = RequestSocket()
    try:
        requests.open()
        for _ in range(DUMP_ATTEMPTS):
            found = await requests.dump(wire.dump_links(), wire.parse_link_state)
            if found is not None:
                return tuple(sorted(found, key=lambda link: link.index))
    except OSError as error:  # TimeoutError, too
        number = error.errno or errno.ETIMEDOUT
        raise TransientError(f"cannot list links: {os.strerror(number)}") from error
    finally:
        requests.close()
    raise TransientError("cannot list links: they change all the time")
