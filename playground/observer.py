"""Asks again and again who has some IPv4 addresses, and prints who answers: an independent witness.

    python -m playground.observer eth0 0.04 192.0.2.200 192.0.2.201

One line of JSON per answer: when, for which address, by which MAC; a first line `{}` says that it
listens. It asks as any neighbor does, by its own address: a question on behalf of nobody would look
like somebody who wants the address. Run it on a machine (`Cluster.running`).
"""

import fcntl
import json
import select
import socket
import struct
import sys
import time
from ipaddress import IPv4Address

ETH_ARP, REPLY = 0x0806, 2
PACKET_OUTGOING = 4  # linux/if_packet.h
SIOCGIFADDR = 0x8915  # linux/sockios.h
HEAD = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)  # Ethernet, IPv4, their lengths, a request


def question(mac: bytes, own: IPv4Address, address: IPv4Address) -> bytes:
    """Build an ARP request."""
    ethernet = b"\xff" * 6 + mac + ETH_ARP.to_bytes(2)
    return ethernet + HEAD + mac + own.packed + b"\0" * 6 + address.packed


def own_address(link: str, any_socket: socket.socket) -> IPv4Address:
    """Return the first IPv4 address of a link."""
    request = struct.pack("256s", link.encode())
    return IPv4Address(fcntl.ioctl(any_socket, SIOCGIFADDR, request)[20:24])


def main(link: str, period: float, *texts: str) -> None:
    """Ask and print until killed."""
    addresses = {IPv4Address(text) for text in texts}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        own = own_address(link, plain)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ARP)) as wire:
        wire.bind((link, ETH_ARP))
        mac: bytes = wire.getsockname()[4]
        print("{}", flush=True)
        due = time.time()
        while True:
            if (now := time.time()) >= due:
                due = max(due + period, now)
                for address in addresses:
                    wire.send(question(mac, own, address))
            ready, _, _ = select.select([wire], [], [], max(0.0, due - now))
            if not ready:
                continue
            frame, sender = wire.recvfrom(2048)
            is_answer = sender[2] != PACKET_OUTGOING and frame[:6] == mac and frame[21] == REPLY
            if is_answer and (address := IPv4Address(frame[28:32])) in addresses:
                found = {"at": time.time(), "ip": str(address), "mac": frame[22:28].hex(":")}
                print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
