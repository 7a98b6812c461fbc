"""A DHCP server for one segment that gives every node the address it has anyway (RFC 2131).

    python -m playground.dhcp --nic eth0 --seconds 4 --give 02:00:00:00:01:0b=192.0.2.11/24 ...

For tests of what renewals and lapsed leases do. It prints one line for each lease it confirms.
"""

import argparse
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface

SERVER_PORT, CLIENT_PORT = 67, 68
BROADCAST = "255.255.255.255"
REPLY = 2
COOKIE = bytes((99, 130, 83, 99))
# Options and message types, RFC 2132.
MASK, ROUTER, LEASE_SECONDS, TYPE, SERVER, END = 1, 3, 51, 53, 54, 255
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
ANSWERS = {DISCOVER: OFFER, REQUEST: ACK}

# op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file
_HEAD = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a client sent: its transaction, its MAC address and the message type."""

    transaction: int
    mac: str
    kind: int


def parse(data: bytes) -> Question | None:
    """Read a client's message; None for anything else."""
    if len(data) < _HEAD.size + len(COOKIE) or data[_HEAD.size :][:4] != COOKIE:
        return None
    head = _HEAD.unpack_from(data)
    options, at = data[_HEAD.size + len(COOKIE) :], 0
    while at + 1 < len(options) and options[at] != END:
        if options[at] == 0:  # padding
            at += 1
            continue
        if options[at] == TYPE:
            return Question(transaction=head[4], mac=head[11][:6].hex(":"), kind=options[at + 2])
        at += 2 + options[at + 1]
    return None


def answer(
    question: Question, address: IPv4Interface, server: IPv4Interface, seconds: int
) -> bytes | None:
    """Return the offer or the confirmation of an address; None where none is due."""
    kind = ANSWERS.get(question.kind)
    if kind is None:
        return None
    nothing, mac = bytes(4), bytes.fromhex(question.mac.replace(":", ""))
    addresses = (nothing, address.ip.packed, server.ip.packed, nothing)
    head = _HEAD.pack(REPLY, 1, 6, 0, question.transaction, 0, 0x8000, *addresses, mac, b"", b"")
    options = (
        _option(TYPE, bytes((kind,))),
        _option(SERVER, server.ip.packed),
        _option(LEASE_SECONDS, seconds.to_bytes(4)),
        _option(MASK, address.netmask.packed),
        _option(ROUTER, server.ip.packed),
    )
    return head + COOKIE + b"".join(options) + bytes((END,))


def serve(
    nic: str, server: IPv4Interface, leases: Mapping[str, IPv4Interface], seconds: int
) -> None:
    """Answer for ever; clients are told to listen to broadcasts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, nic.encode())
        channel.bind(("", SERVER_PORT))
        print("serving", flush=True)
        while True:
            data, sender = channel.recvfrom(4096)
            question = parse(data)
            if question is None or question.mac not in leases:
                continue
            reply = answer(question, leases[question.mac], server, seconds)
            if reply is not None:
                is_renewal = sender[0] != "0.0.0.0"  # then the client listens on its address
                channel.sendto(reply, (sender[0] if is_renewal else BROADCAST, CLIENT_PORT))
                print(f"{'renewed' if is_renewal else 'answered'} {question.mac}", flush=True)


def _option(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value))) + value


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m playground.dhcp")
    parser.add_argument("--nic", required=True)
    parser.add_argument("--server", type=IPv4Interface, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--give", action="append", required=True, help="MAC=ADDRESS/LENGTH")
    given = parser.parse_args()
    pairs = (text.split("=") for text in given.give)
    leases = {mac: IPv4Interface(address) for mac, address in pairs}
    serve(given.nic, given.server, leases, given.seconds)


if __name__ == "__main__":
    main()
