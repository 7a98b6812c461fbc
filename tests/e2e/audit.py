"""What the API server's audit log says of the daemons. Called by `conftest` and test_rbac."""

import json
from dataclasses import dataclass
from pathlib import Path

from playground.nodes import INSTALL_NAMESPACE

DAEMONS = tuple(
    f"system:serviceaccount:{INSTALL_NAMESPACE}:{name}" for name in ("allocator", "lbnodeagent")
)
REFUSED = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Call:
    """One finished request of a daemon; `target` is a path of the API without its query."""

    user: str
    verb: str
    target: str
    status: int


def calls(log: Path) -> tuple[Call, ...]:
    """Return the requests of all daemons, oldest first."""
    found = []
    with log.open() as lines:
        for line in lines:
            if line.endswith("\n"):  # the last one may be half written
                event = json.loads(line)
                name = event["user"].get("username", "")
                if name in DAEMONS and event["stage"] == "ResponseComplete":
                    status = event["responseStatus"]["code"]
                    target = event["requestURI"].partition("?")[0]
                    found.append(Call(name, event["verb"], target, status))
    return tuple(found)


def refused(log: Path) -> tuple[Call, ...]:
    """Return those that the API server refused for want of a right."""
    return tuple(call for call in calls(log) if call.status in REFUSED)
