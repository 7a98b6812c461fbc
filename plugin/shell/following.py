"""Several kinds as they are now: each is listed once, and kept true by one watch.

Belongs here: threads, what a broken watch comes to, and when somebody who looks on is woken. Does
not: what is shown of it (`cli`). A look costs the computer something, the API server nothing.
"""

import random
import threading
import time
from collections.abc import Sequence

from plugin.core.problem import PluginError
from plugin.core.snapshot import Kind, Snapshot
from plugin.shell.client import AnswerError, ExpiredError
from plugin.shell.cluster import Cluster, MissingError, Outcome, RefusedError
from plugin.shell.listing import Listing, Source, read_all
from purelb.api.resources import DecodeError, decode_status, decode_watch_line
from purelb.core.backoff import Backoff

SILENCE = 150.0  # seconds without a word; the server's bookmarks are a minute apart
STEADY = 10.0  # seconds: a watch that lasted this long was no failure
MISSING = 60.0  # seconds until a kind that the API server lacks is asked for again
BACKOFF = Backoff(first=0.2, longest=30.0)
REST = 0.1  # seconds between two looks at least, and
SHARE = 4.0  # times the work that came of the last: that takes a fifth of a processor at most
HTTP_GONE = 410


class Following:
    """What `Cluster.read` reads, again and again."""

    def __init__(
        self, cluster: Cluster, needs: Sequence[Kind], wishes: Sequence[Kind] = ()
    ) -> None:
        self._cluster, self._needs = cluster, needs
        self._change = threading.Condition()
        self._feeds = [_Feed(cluster, kind, self._change) for kind in (*needs, *wishes)]
        self._looked_at: float | None = None
        self._worked_at = 0.0  # processor time at the end of the last look

    def look(self, longest: float) -> Snapshot:
        """Return everything as soon as there is news, or after so many seconds; at once first.

        Raises as `Cluster.read` does, and while the server is out of reach: what is known may be
        untrue by now, so looking again is right.
        """
        if self._looked_at is None:
            for feed in self._feeds:
                feed.start()
            with self._change:
                self._change.wait_for(lambda: all(feed.is_known for feed in self._feeds))
        else:
            time.sleep(max(REST, SHARE * (time.process_time() - self._worked_at)))
            left = self._looked_at + longest - time.monotonic()
            with self._change:
                self._change.wait_for(self._has_news, max(0.0, left))
        try:
            with self._change:
                outcomes = [feed.take() for feed in self._feeds]
            for one in outcomes:
                if one.error is not None and not isinstance(one.error, RefusedError):
                    raise one.error
            return self._cluster.snapshot(outcomes, self._needs)
        finally:
            self._looked_at, self._worked_at = time.monotonic(), time.process_time()

    def _has_news(self) -> bool:
        return any(feed.has_news for feed in self._feeds)


class _Feed(threading.Thread):
    """One kind. What it knows is changed, and may be read, with the condition held."""

    def __init__(self, cluster: Cluster, kind: Kind, change: threading.Condition) -> None:
        super().__init__(name=kind.name, daemon=True)
        self.is_known = False  # whether there is a watch, or why there is none
        self.has_news = False  # since the last `take`
        self._cluster, self._kind, self._change = cluster, kind, change
        self._source = Source(kind, cluster.namespace)
        self._listing = Listing(kind)  # without a version it has to be made anew
        self._sorted: tuple[object, ...] | None = None  # until the listing changes
        self._error: Exception | None = None

    def take(self) -> Outcome:
        """Return what is known now, which is no news any more."""
        if self._sorted is None:
            self._sorted = self._listing.objects()
        self.has_news = False
        gaps = tuple(self._listing.gaps.values())
        return Outcome(kind=self._kind, found=self._sorted, gaps=gaps, error=self._error)

    def run(self) -> None:
        """List and watch until the program ends."""
        failures = 0
        while True:
            begun, error = time.monotonic(), None
            try:
                self._turn()
            except ExpiredError:
                self._listing.version = ""
            except Exception as found:  # told by whoever looks
                verb = "watch" if self._listing.version else "list"
                error = self._cluster.explained(self._kind, found, verb)
                with self._change:
                    self._tell(error)
            is_steady = time.monotonic() - begun > STEADY
            failures = 0 if is_steady else failures + 1
            delay = MISSING if isinstance(error, MissingError) else BACKOFF.delay(failures)
            time.sleep(delay * random.uniform(0.5, 1.5))

    def _turn(self) -> None:
        if not self._listing.version:
            listing = read_all(self._cluster.client, self._source)
            with self._change:
                self._listing, self._sorted = listing, None
                self.has_news = True
        params = {
            **self._source.selectors,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._listing.version,
        }
        for line in self._cluster.client.lines(self._source.path, params, SILENCE):
            with self._change:
                if self._is_news(line) if line else self._begins():
                    self._tell(None)

    def _begins(self) -> bool:
        """Tell whether a watch that begins is news: after a list, and after trouble."""
        return self.has_news or not self.is_known or self._error is not None

    def _tell(self, error: Exception | None) -> None:
        """Wake whoever looks."""
        self._error = error
        self.is_known = self.has_news = True
        self._change.notify_all()

    def _is_news(self, line: bytes) -> bool:
        """Take a line of a watch in; raises if it is the last one, or none."""
        try:
            change = decode_watch_line(line)
            body = bytes(change.object)
            status = decode_status(body) if change.type == "ERROR" else None
        except DecodeError as error:
            self._listing.version = ""
            raise PluginError(
                f"a watch of {self._kind.resource} is not understood ({error})"
            ) from error
        if status is not None:
            self._listing.version = ""
            kind = ExpiredError if status.code == HTTP_GONE else AnswerError
            raise kind(status.code, status.message)
        if change.type == "BOOKMARK":
            self._listing.see(body)
            return False
        self._sorted = None
        return self._listing.drop(body) if change.type == "DELETED" else self._listing.take(body)
