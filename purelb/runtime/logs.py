"""Logging: JSON lines in a cluster, text on a terminal.

The message is a constant, facts go in `extra`; the core does not log.
"""

import json
import logging
import signal
import sys
import time
from typing import TextIO

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {"WARNING": "warn", "CRITICAL": "error"}


class JsonFormatter(logging.Formatter):
    """One JSON object per line, keys as PureLB's users search for them."""

    _second = (0, "")  # the last one and its text: lines come in bursts

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if int(record.created) != self._second[0]:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            self._second = int(record.created), text
        line: dict[str, object] = {
            "ts": f"{self._second[1]}.{int(record.msecs):03d}Z",
            "level": _LEVELS.get(record.levelname, record.levelname.lower()),
            "caller": f"{record.module}.py:{record.lineno}",
            "msg": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """One line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        facts = " ".join(f"{key}={value}" for key, value in _extras(record).items())
        text = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:7} {record.getMessage()}"
        if record.exc_info:
            facts += "\n" + self.formatException(record.exc_info)
        return f"{text}  {facts}".rstrip()


class Trouble:
    """A failure that may last: told at WARNING when it begins or changes, at INFO when it is over.

    `message` is the constant that the lines have.
    """

    def __init__(self, logger: logging.Logger, message: str) -> None:
        self._logger, self._message = logger, message
        self._told = ""

    def note(self, error: str) -> None:
        """Take in how the last attempt went; empty: well."""
        before, self._told = self._told, error
        if error == before:
            return
        level = logging.WARNING if error else logging.INFO
        facts = {"error": error} if error else {"solved": True}
        self._logger.log(level, self._message, extra=facts)


def set_up(level: str, stream: TextIO = sys.stdout) -> None:
    """Send all logging of this process to one stream; `level` is `debug` or `info`."""
    handler = logging.StreamHandler(stream)
    formatter = TextFormatter() if stream.isatty() else JsonFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    is_debug = level.lower() == "debug"
    logging.basicConfig(
        level=logging.DEBUG if is_debug else logging.INFO, handlers=[handler], force=True
    )


def switch_on_signal() -> None:
    """Let SIGUSR1 switch between `info` and `debug`, without a restart. Main thread only."""
    signal.signal(signal.SIGUSR1, lambda *_: _switch())


def _switch() -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO if root.level == logging.DEBUG else logging.DEBUG)
    root.log(root.level, "log level switched", extra={"to": logging.getLevelName(root.level)})


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _PLAIN}
