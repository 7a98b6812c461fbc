"""Findings of node agents → the very lines that an administrator has to write, and where.

The agents' messages have the settings in them; here they become files. Nothing is written to any
host.
"""

import re

from plugin.core.document import Document

_SYSCTL = re.compile(r"\bnet\.ipv[46]\.[\w.-]+=\d+\b")
_NETWORKD = re.compile(r"\.network file of (\S+)")
_MANAGER = re.compile(r"make (\S+) unmanaged")


class Remedy(Document, frozen=True):
    """A file to write on a node, and what makes it count."""

    path: str
    content: str
    then: str


def remedy_of(message: str) -> Remedy | None:
    """Return the file that a finding asks for, None where there is none to write."""
    if (found := _NETWORKD.search(message)) is not None:
        return Remedy(
            path=f"/etc/systemd/network/$(basename $(networkctl status {found[1]} | sed -n"
            " 's/.*Network File: //p')).d/purelb.conf",
            content="[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=5s\n",
            then="networkctl reload",
        )
    if (found := _MANAGER.search(message)) is not None:
        return Remedy(
            path="/etc/NetworkManager/conf.d/90-purelb.conf",
            content=f"[keyfile]\nunmanaged-devices=interface-name:{found[1]}\n",
            then="nmcli general reload",
        )
    settings = sorted(set(_SYSCTL.findall(message)))
    if not settings:
        return None
    lines = "".join(f"{one.replace('=', ' = ')}\n" for one in settings)
    return Remedy(path="/etc/sysctl.d/90-purelb.conf", content=lines, then="sysctl --system")
