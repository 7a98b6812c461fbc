"""The keys of heartbeats, from a file of a Secret that may change.

One or two keys, a line each: the first signs, all are accepted. To replace a key, add the new one
as the second line, then put it first, then drop the old one, each time on all nodes.
"""

import logging
import math
from pathlib import Path

from nodeagent.core.beats import KeysError, parse_keys
from purelb.api.identifiers import Instant

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0  # the kubelet brings changes of a Secret within a minute


class KeyFile:
    """Reads the file again now and then. Without a path there are never keys."""

    def __init__(self, path: str) -> None:
        self.keys: tuple[bytes, ...] = ()
        self._path = Path(path) if path else None
        self._next_look: Instant = -math.inf
        self._told: str | None = None

    def look(self, now: Instant) -> bool:
        """Read the file if it is time to; tells whether the keys have changed."""
        if self._path is None or now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        before, trouble = self.keys, ""
        keys: tuple[bytes, ...] = ()
        try:
            keys = parse_keys(self._path.read_text())
        except FileNotFoundError:
            trouble = "there is no key"
        except (OSError, UnicodeDecodeError, KeysError) as error:
            trouble = str(error)
        self.keys = keys
        self._tell(trouble)
        return keys != before

    def _tell(self, trouble: str) -> None:
        if trouble == self._told:
            return
        self._told = trouble
        facts = {"file": str(self._path)}
        if trouble:
            logger.warning("no heartbeats", extra=facts | {"error": trouble})
        else:
            logger.info("heartbeats are on", extra=facts | {"keys": len(self.keys)})
