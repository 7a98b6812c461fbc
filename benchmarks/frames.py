"""Tells when a number of addresses of each family have been announced on a network.

    python -m benchmarks.frames --count N

Prints "listening", and then a family and the wall-clock time at which the last of its addresses was
heard of first, for both.
"""

import argparse
import socket
import time

from nodeagent.core.packets import ETHERTYPE_ARP, ETHERTYPE_IPV6, NEIGHBOR_ADVERTISEMENT

ALL_PROTOCOLS = 3  # ETH_P_ALL
BUFFER = 16 << 20  # bytes
FRAME = 2048  # bytes, more than any that counts
FAMILIES = {4: "v4", 16: "v6"}  # by length
KIND = slice(12, 14)
SENDER_V4, TARGET_V4 = slice(28, 32), slice(38, 42)
ICMP_TYPE, TARGET_V6 = 54, slice(62, 78)


def announced(frame: bytes) -> bytes | None:
    """Return the address that a frame announces, None if it announces none."""
    if frame[KIND] == ETHERTYPE_ARP and frame[SENDER_V4] == frame[TARGET_V4]:
        return frame[SENDER_V4]
    is_v6 = frame[KIND] == ETHERTYPE_IPV6 and len(frame) > ICMP_TYPE
    if is_v6 and frame[ICMP_TYPE] == NEIGHBOR_ADVERTISEMENT:
        return frame[TARGET_V6]
    return None


def main() -> None:
    """Listen until all are heard of."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    count = parser.parse_args().count
    heard: dict[int, set[bytes]] = {4: set(), 16: set()}  # by length
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        print("listening", flush=True)
        while heard:
            address = announced(ear.recv(FRAME))
            known = heard.get(len(address)) if address is not None else None
            if address is None or known is None:
                continue
            known.add(address)
            if len(known) == count:
                print(FAMILIES[len(address)], time.time(), flush=True)
                del heard[len(address)]


if __name__ == "__main__":
    main()
