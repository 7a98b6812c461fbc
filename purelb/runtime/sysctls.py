"""Kernel settings as /proc/sys shows them, those of the reader's network namespace.

Only read: in a container /proc/sys is read-only, and what belongs to the host is not ours to set.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path("/proc/sys/net/ipv4/conf")


def read_conf(link: str, name: str) -> int | None:
    """Return `net.ipv4.conf.<link>.<name>`; None if there is no such link or no number.

    Takes some microseconds, in the kernel only.
    """
    try:
        return int((ROOT / link / name).read_text())
    except (OSError, ValueError):
        return None
