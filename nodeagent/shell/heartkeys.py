"""The keys of heartbeats, from files of a Secret that may change.

The file signs; a second one beside it, of the same name with `-accepted`, is accepted as well. To
replace a key, add the new one as the accepted one, then let the two change places, then drop the
old one: each time until all nodes have it, which takes about a minute.
"""

import logging
import math
from pathlib import Path

from nodeagent.core.beats import WeakKeyError, parse_key
from purelb.api.identifiers import Instant

logger = logging.getLogger(__name__)

ACCEPTED = "-accepted"  # is added to the name of the file whose key signs
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
            keys = _read(self._path)
        except FileNotFoundError:
            trouble = "there is no key"
        except (OSError, WeakKeyError) as error:
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


def _read(path: Path) -> tuple[bytes, ...]:
    own = parse_key(path.read_bytes())
    second = path.with_name(path.name + ACCEPTED)
    return (own, parse_key(second.read_bytes())) if second.exists() else (own,)
