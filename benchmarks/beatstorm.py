"""Sends the heartbeats of many nodes that are not there, to one whose cost is measured.

    python -m benchmarks.beatstorm eth0 192.0.2.12 --key-file FILE --peers 249 --to node-a

As real ones do, each hears all the others and echoes what the node sent last.
"""

import argparse
import socket
import time
from ipaddress import IPv4Address, ip_address

from nodeagent.core import datagrams
from nodeagent.core.beats import ECHO_BITS, Beat, BeatError, Standing, decode, encode, node_id
from nodeagent.core.peers import interval
from nodeagent.shell.heartkeys import KeyFile
from purelb.api.identifiers import NodeName

BYTES = 1600  # more than any frame


def peer(number: int) -> NodeName:
    """Return the name of one of the nodes that are not there."""
    return NodeName(f"other-{number}")


class Storm:
    """All the peers, and what they know of the node."""

    def __init__(self, link: str, source: IPv4Address, key: bytes, peers: int, to: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.bind((link, datagrams.ETH_IPV4))
        self._mac: bytes = self._socket.getsockname()[4]
        self._source, self._key, self._to = source, key, NodeName(to)
        self._sequences = dict.fromkeys(map(peer, range(peers)), 0)
        self._last: int | None = None  # of the node

    def send(self, node: NodeName) -> None:
        """Send the next heartbeat of one peer."""
        self._listen()
        self._sequences[node] += 1
        hears = {node_id(one): n & ECHO_BITS for one, n in self._sequences.items() if one != node}
        if self._last is not None:
            hears[node_id(self._to)] = self._last & ECHO_BITS
        beat = Beat(
            node=node,
            incarnation=1,
            sequence=self._sequences[node],
            standing=Standing.HELD,
            fresh_for=60.0,
            hears=hears,
        )
        self._socket.send(datagrams.frame(encode(beat, self._key), self._mac, self._source))

    def _listen(self) -> None:
        while True:
            try:
                received = datagrams.read(self._socket.recv(BYTES))
            except BlockingIOError:
                return
            if received is None:
                continue
            try:
                beat = decode(received.payload, (self._key,))
            except BeatError:
                continue
            if beat.node == self._to:
                self._last = beat.sequence


def main() -> None:
    """Send until killed, the peers evenly one after another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("link")
    parser.add_argument("source", type=ip_address)
    parser.add_argument("--key-file", required=True)
    parser.add_argument("--peers", type=int, required=True)
    parser.add_argument("--to", required=True)
    given = parser.parse_args()
    keys = KeyFile(given.key_file)
    keys.look(time.monotonic())
    storm = Storm(given.link, given.source, keys.keys[0], given.peers, given.to)
    pause = interval(given.peers + 1) / given.peers
    due = time.monotonic()
    while True:
        for number in range(given.peers):
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))
            storm.send(peer(number))


if __name__ == "__main__":
    main()
