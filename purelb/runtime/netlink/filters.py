"""Programs by which the kernel drops events that say nothing new. Pure.

A node that refreshes a thousand addresses every few seconds would read as many events about it.
Belongs here: which events those are, by their bytes. Does not: sockets (`events`), when they are
not news (the consumers). Classic BPF reads numbers in network byte order, netlink writes the
host's.
"""

import socket
import struct
from typing import Final

from purelb.api.links import IFA_F_DADFAILED, IFA_F_TENTATIVE
from purelb.runtime.bpf import instruction
from purelb.runtime.netlink import wire

# linux/bpf_common.h: what is loaded into A (or X), jumps, and the end.
HALF, BYTE, BYTE_AT_X, WORD, NUMBER, NUMBER_TO_X = 0x28, 0x30, 0x50, 0x20, 0x00, 0x01
A_TO_X, EQUALS, HAS_ANY, RETURN = 0x07, 0x15, 0x45, 0x06
FIND_ATTRIBUTE = 0xFFFFF000 + 12  # a load of it: where the first attribute X is from A on, or 0
ALL, NOTHING = 0xFFFFFFFF, 0  # bytes of the message that are let through

# Offsets: nlmsghdr is followed by ifaddrmsg or rtmsg, and that by attributes.
TYPE, FAMILY, FLAGS, TABLE, ATTRIBUTES, VALUE = 4, 16, 18, 20, 24, 4
UNSETTLED: Final = IFA_F_TENTATIVE | IFA_F_DADFAILED

# Rows of the program below.
IS_ROUTE, IS_ADDRESS, IS_MARKED, PASS, DROP = 4, 6, 11, 18, 19


def without_refreshes(mark: int, *, of_ipv6: bool) -> bytes:
    """Return a program that drops what is no news to whoever alone adds addresses with a mark.

    That is: that one of IPv4 is there or has new lifetimes; the same of IPv6, if `of_ipv6`, unless
    duplicate address detection still runs or has failed; and routes of other tables than the main
    one. Removals pass. Kernels without marks (Linux before 5.18) have no such addresses.
    """
    rows = (
        (HALF, TYPE),
        (EQUALS, _swapped(wire.RTM_NEWADDR), IS_ADDRESS, 2),
        (EQUALS, _swapped(wire.RTM_NEWROUTE), IS_ROUTE, 3),
        (EQUALS, _swapped(wire.RTM_DELROUTE), IS_ROUTE, PASS),
        (BYTE, TABLE),
        (EQUALS, wire.MAIN_TABLE, PASS, DROP),
        (BYTE, FAMILY),
        (EQUALS, socket.AF_INET, IS_MARKED, 8),
        (EQUALS, socket.AF_INET6 if of_ipv6 else socket.AF_UNSPEC, 9, PASS),
        (BYTE, FLAGS),
        (HAS_ANY, UNSETTLED, PASS, IS_MARKED),
        (NUMBER, ATTRIBUTES),
        (NUMBER_TO_X, wire.IFA_PROTO),
        (WORD, FIND_ATTRIBUTE),
        (EQUALS, 0, PASS, 15),
        (A_TO_X, 0),
        (BYTE_AT_X, VALUE),
        (EQUALS, mark, DROP, PASS),
        (RETURN, ALL),
        (RETURN, NOTHING),
    )
    return b"".join(
        instruction(code, value, *(target - at - 1 for target in targets))
        for at, (code, value, *targets) in enumerate(rows)
    )


def _swapped(number: int) -> int:
    """Return what a 16-bit number of the host is in network byte order."""
    return int(struct.unpack("!H", struct.pack("=H", number))[0])
