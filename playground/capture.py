"""Prints what a machine hears about who has which address: ARP and neighbor discovery.

    python -m playground.capture eth0

One line of JSON per frame, outgoing ones too; a first line `{}` says that it listens. Run it on a
machine (`Cluster.running`).
"""

import json
import socket
import struct
import sys
import time
from ipaddress import IPv4Address, IPv6Address

ETH_ALL = 0x0003
ARP = {1: "arp-request", 2: "arp-reply"}
NEIGHBOR = {135: "solicitation", 136: "advertisement"}


def describe(frame: bytes) -> dict[str, object] | None:
    """Return what a frame says; None if it is about something else.

    `source` and `target` are those of ARP, or of the IPv6 header and the neighbor message.
    """
    head: dict[str, object] = {"to": frame[0:6].hex(":"), "by": frame[6:12].hex(":")}
    match frame[12:14]:
        case b"\x08\x06" if len(frame) >= 42:
            operation = int.from_bytes(frame[20:22])
            return head | {
                "kind": ARP.get(operation, str(operation)),
                "mac": frame[22:28].hex(":"),
                "source": str(IPv4Address(frame[28:32])),
                "target": str(IPv4Address(frame[38:42])),
            }
        case b"\x86\xdd" if len(frame) >= 78 and frame[20] == 58 and frame[54] in NEIGHBOR:
            return head | {
                "kind": NEIGHBOR[frame[54]],
                "mac": frame[80:86].hex(":"),
                "source": str(IPv6Address(frame[22:38])),
                "target": str(IPv6Address(frame[62:78])),
                "flags": struct.unpack("!I", frame[58:62])[0] >> 29,
            }
        case _:
            return None


def main(link: str) -> None:
    """Print until killed."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL)) as listener:
        listener.bind((link, ETH_ALL))
        print("{}", flush=True)
        while True:
            frame = listener.recv(2048)
            if (found := describe(frame)) is not None:
                print(json.dumps({"at": time.time(), **found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
