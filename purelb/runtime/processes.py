"""Other processes of this host, as /proc shows them."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path("/proc")


def name_of(process: int) -> str:
    """Return the name of a process in our own network namespace, at most 15 characters.

    Empty if there is none, or if it is us. A process id of another namespace, as netlink tells
    them to a container, mostly names nothing here, or something in another network.
    """
    folder = ROOT / str(process)
    try:
        if process == os.getpid() or not _shares_network(folder):
            return ""
        return (folder / "comm").read_text().strip()
    except OSError:
        return ""


def _shares_network(folder: Path) -> bool:
    return os.readlink(folder / "ns/net") == os.readlink(ROOT / "self/ns/net")
