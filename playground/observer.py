"""Asks an Ethernet segment again and again who has each address, and prints when that changes.

    python -m playground.observer eth0 --period 0.02 --sender 192.0.2.3 192.0.2.200

What it knows is what a neighbor would see: by ARP and neighbor solicitations, nothing from kernels
or agents. It prints MAC addresses, as `rounds` says. Run it by `observations.observing`.
"""

import argparse
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from playground.rounds import repeat

ETH_ARP, ETH_IPV6 = 0x0806, 0x86DD
ARP_REPLY, ADVERTISEMENT = 2, 136
SOLICITED = 0x40  # flag of an advertisement, RFC 4861 §4.4
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BUFFER = 1 << 22  # bytes of frames that wait to be read, for when this process does not run
Address = IPv4Address | IPv6Address


def question(mac: bytes, sender: Address, target: Address) -> bytes:
    """Return the broadcast or multicast frame that asks who has an address."""
    if isinstance(target, IPv4Address):
        head = b"\xff" * 6 + mac + ETH_ARP.to_bytes(2, "big")
        request = bytes.fromhex("0001080006040001")
        return head + request + mac + sender.packed + bytes(6) + target.packed
    group = bytes.fromhex("ff0200000000000000000001ff") + target.packed[-3:]
    body = bytes(4) + target.packed + b"\x01\x01" + mac  # with our link-layer address
    pseudo = sender.packed + group + (len(body) + 4).to_bytes(4, "big") + bytes(3) + b"\x3a"
    checksum = _checksum(pseudo + b"\x87\x00\x00\x00" + body)
    message = b"\x87\x00" + checksum.to_bytes(2, "big") + body
    head = b"\x33\x33" + group[-4:] + mac + ETH_IPV6.to_bytes(2, "big")
    length = len(message).to_bytes(2, "big")
    return head + b"\x60\x00\x00\x00" + length + b"\x3a\xff" + sender.packed + group + message


def answer(frame: bytes, mac: bytes) -> tuple[bytes, bytes] | None:
    """Return the address and the MAC address that an answer to us tells; None if it is none."""
    if frame[0:6] != mac:
        return None
    match int.from_bytes(frame[12:14], "big"):
        case 0x0806 if len(frame) >= 42 and frame[21] == ARP_REPLY:
            return frame[28:32], frame[22:28]
        case 0x86DD if len(frame) >= 78 and frame[20] == 58 and frame[54] == ADVERTISEMENT:
            return (frame[62:78], frame[6:12]) if frame[58] & SOLICITED else None
        case _:
            return None


def _checksum(data: bytes) -> int:
    """Return that of RFC 1071 over an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Segment:
    """The questions to an Ethernet segment; `senders` has an own address of each IP version."""

    def __init__(self, link: str, senders: Sequence[Address], targets: Sequence[Address]) -> None:
        self.sockets = tuple(_listening(link, ethertype) for ethertype in (ETH_ARP, ETH_IPV6))
        self._mac: bytes = self.sockets[0].getsockname()[4]
        by_version = {sender.version: sender for sender in senders}
        self._questions = [question(self._mac, by_version[t.version], t) for t in targets]
        self._names = {target.packed: str(target) for target in targets}

    def ask(self) -> None:
        """Ask about every address."""
        for frame in self._questions:
            self.sockets[0].send(frame)

    def answer(self, ready: socket.socket, received: bytes) -> tuple[str, str] | None:
        """Return the address and the MAC address that a frame tells."""
        found = answer(received, self._mac)
        if found is None or found[0] not in self._names:
            return None
        return self._names[found[0]], found[1].hex(":")


def _listening(link: str, ethertype: int) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    opened.bind((link, ethertype))
    return opened


def main() -> None:
    """Observe until killed."""
    parser = argparse.ArgumentParser(prog="python -m playground.observer")
    parser.add_argument("link")
    parser.add_argument("--period", type=float, required=True, help="seconds between questions")
    parser.add_argument("--sender", type=ip_address, action="append", required=True)
    parser.add_argument("addresses", nargs="+", type=ip_address)
    given = parser.parse_args()
    segment = Segment(given.link, given.sender, given.addresses)
    repeat(segment, [str(address) for address in given.addresses], given.period)


if __name__ == "__main__":
    main()
