"""Sends ICMP echo requests to addresses again and again, and prints when they are answered or not.

    python -m playground.pinger --period 0.01 192.0.2.200

What a client far away sees, routers and their neighbor tables included. It prints as `rounds` says;
an answer counts only if it comes before the next request. Run it by `observations.pinging`.
"""

import argparse
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from playground.rounds import repeat

V4, V6 = (socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6)
REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
IDENTIFIER = b"pl"
REPLIED = "reply"


class Pings:
    """The requests; answers are told apart by the number of the address in their sequence."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._by_version = {4: _open(*V4), 6: _open(*V6)}
        self.sockets = tuple(self._by_version.values())

    def ask(self) -> None:
        """Send a request to each address."""
        for number, address in enumerate(self._addresses):
            opened = self._by_version[ip_address(address).version]
            try:
                opened.sendto(_request(REQUEST[opened.family], number), (address, 0))
            except OSError:
                continue  # the network says that it is unreachable: no answer

    def answer(self, ready: socket.socket, received: bytes) -> tuple[str, str] | None:
        """Return the address that replied."""
        at = (received[0] & 0x0F) * 4 if ready.family == socket.AF_INET else 0
        message = received[at:]
        if len(message) < 8 or message[0] != REPLY[ready.family] or message[4:6] != IDENTIFIER:
            return None
        return self._addresses[int.from_bytes(message[6:8], "big")], REPLIED


def _request(kind: int, number: int) -> bytes:
    """Return a message whose checksum is right for ICMP; for ICMPv6 the kernel makes it."""
    tail = IDENTIFIER + number.to_bytes(2, "big")
    total = (kind << 8) + int.from_bytes(tail[:2], "big") + number
    total = (total & 0xFFFF) + (total >> 16)
    return bytes((kind, 0)) + (~total & 0xFFFF).to_bytes(2, "big") + tail


def _open(family: int, protocol: int) -> socket.socket:
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)


def main() -> None:
    """Send until killed."""
    parser = argparse.ArgumentParser(prog="python -m playground.pinger")
    parser.add_argument("--period", type=float, required=True, help="seconds between requests")
    parser.add_argument("addresses", nargs="+")
    given = parser.parse_args()
    repeat(Pings(given.addresses), given.addresses, given.period)


if __name__ == "__main__":
    main()
