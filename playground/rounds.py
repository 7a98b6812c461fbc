"""Asks the same questions again and again, and prints when the answers change.

JSON, one object a line: `{}` once it listens; `{"at", "address", "by"}` when the answers to the
question asked at that time (wall clock) differ from those before, `by` being who answered; `{"at"}`
about every second, up to which all was told; `{"at", "late"}` when it came so many seconds late to
ask, so that nothing is known of that time.

Belongs here: the loop. Does not: what a question is (`observer`, `pinger`), what follows
(`observations`).
"""

import json
import select
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

TELL_SECONDS = 1.0
BYTES = 256  # of any frame or packet that matters


class Questions(Protocol):
    """What is asked, and how an answer looks."""

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """Those on which answers arrive; they do not block."""

    def ask(self) -> None:
        """Ask about every address."""

    def answer(self, ready: socket.socket, received: bytes) -> tuple[str, str] | None:
        """Return the address and who answered for it; None if it is no answer."""


def repeat(questions: Questions, addresses: Sequence[str], period: float) -> None:
    """Ask every `period` seconds, for ever."""
    told: dict[str, set[str] | None] = dict.fromkeys(addresses)
    _say({})
    due = told_at = time.time()
    while True:
        now = time.time()
        if now - due > 2 * period:
            _say({"at": due, "late": round(now - due, 3)})
        questions.ask()
        due = now + period
        found = _hear(questions, addresses, due)
        for address in addresses:
            if found[address] != told[address]:
                told[address] = found[address]
                _say({"at": now, "address": address, "by": sorted(found[address])})
        if now - told_at >= TELL_SECONDS:
            told_at = now
            _say({"at": now})


def _hear(questions: Questions, addresses: Sequence[str], until: float) -> dict[str, set[str]]:
    """Take in answers until a time."""
    found: dict[str, set[str]] = {address: set() for address in addresses}
    while True:
        rest = until - time.time()
        ready, _, _ = select.select(questions.sockets, (), (), max(0.0, rest))
        for each in ready:
            _take(questions, each, found)
        if rest <= 0:
            return found


def _take(questions: Questions, ready: socket.socket, found: dict[str, set[str]]) -> None:
    while True:
        try:
            received = ready.recv(BYTES)
        except BlockingIOError:
            return
        answered = questions.answer(ready, received)
        if answered is not None and answered[0] in found:
            found[answered[0]].add(answered[1])


def _say(fact: Mapping[str, object]) -> None:
    print(json.dumps(fact), flush=True)
