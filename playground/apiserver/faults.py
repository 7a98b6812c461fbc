"""Fault switches: what the server does wrong on request, and to whom.

Belongs here: the switches and who they concern. Does not: carrying them out (service, streams), nor
one-off actions such as dropping watches (ApiServer). Names of resources are those of RBAC:
"services", "services/status"; a switch without clients, resources or verbs concerns all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """What goes wrong."""

    REFUSE = "refuse"  # the connection is closed without an answer
    HANG = "hang"  # no answer ever comes
    LOSE = "lose"  # the request is carried out, then the connection is closed without an answer
    DELAY = "delay"  # the answer comes `seconds` late
    FAIL = "fail"  # the answer is `code`, for one request in 1/`rate`
    FORBID = "forbid"  # 403 as from RBAC
    STALL = "stall"  # watches stay open and silent, without bookmarks
    WATCH_ERROR = "watch-error"  # watches end with an ERROR event of `code`
    GONE_STATUS = "gone-status"  # a watch from too old a version answers HTTP 410
    DROP_METADATA = "drop-metadata"  # writes to a status leave metadata as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One switch. `rate` is the share of requests that fail, spread evenly, 1.0 for all."""

    action: Action
    clients: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    seconds: float = 0.0
    code: int = 500
    rate: float = 1.0
    retry_after_seconds: int = 0

    def concerns(self, client: str, verb: str, resource: str) -> bool:
        """Return whether a request is meant."""
        return (
            (not self.clients or client in self.clients)
            and (not self.verbs or verb in self.verbs)
            and (not self.resources or resource in self.resources)
        )


@dataclass(slots=True, kw_only=True)
class Faults:
    """The switches that are on, by name. `on_change` is called after each change."""

    on_change: Callable[[], None]
    _switches: dict[str, Fault] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)  # failures owed, by name
    _bookmark_seconds: float = 60.0
    count: int = 0  # for names of switches that were added without one

    @property
    def bookmark_seconds(self) -> float:
        """Return the seconds between bookmarks."""
        return self._bookmark_seconds

    @bookmark_seconds.setter
    def bookmark_seconds(self, seconds: float) -> None:
        self._bookmark_seconds = seconds
        self.on_change()

    @property
    def switches(self) -> Mapping[str, Fault]:
        """Return what is on."""
        return self._switches

    def add(self, fault: Fault, name: str = "") -> str:
        """Turn a switch on, in place of one of the same name; returns the name."""
        self.count += 1
        name = name or f"fault-{self.count}"
        self._switches[name] = fault
        self._due.pop(name, None)
        self.on_change()
        return name

    def remove(self, name: str) -> None:
        """Turn a switch off; nothing happens if it is not on."""
        self._switches.pop(name, None)
        self.on_change()

    def clear(self) -> None:
        """Turn everything off; the time between bookmarks stays."""
        self._switches.clear()
        self.on_change()

    def find(self, action: Action, client: str, verb: str, resource: str) -> Fault | None:
        """Return the first switch of an action that concerns a request."""
        for fault in self._switches.values():
            if fault.action is action and fault.concerns(client, verb, resource):
                return fault
        return None

    def due_failure(self, client: str, verb: str, resource: str) -> Fault | None:
        """Return the failure this request is to suffer, if it is one of the share that fails."""
        for name, fault in self._switches.items():
            if fault.action is Action.FAIL and fault.concerns(client, verb, resource):
                due = self._due.get(name, 0.0) + fault.rate
                self._due[name] = due - 1.0 if due >= 1.0 else due
                if due >= 1.0:
                    return fault
        return None
