"""The log level can be changed while a daemon runs."""

import io
import json
import logging
import os
import signal
from collections.abc import Iterator

import pytest

from purelb.runtime import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return what is logged; the process is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = signal.getsignal(signal.SIGUSR1)
    text = io.StringIO()
    logs.set_up("info", text)
    logs.switch_on_signal()
    yield text
    signal.signal(signal.SIGUSR1, before)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_signal_switches_to_debug_and_another_back(stream: io.StringIO) -> None:
    """Each time a line says so; nothing is restarted."""
    logger = logging.getLogger("test")
    logger.debug("unseen")
    os.kill(os.getpid(), signal.SIGUSR1)
    logger.debug("seen")
    os.kill(os.getpid(), signal.SIGUSR1)
    logger.debug("unseen again")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["msg"], line.get("to")) for line in lines] == [
        ("log level switched", "DEBUG"),
        ("seen", None),
        ("log level switched", "INFO"),
    ]
