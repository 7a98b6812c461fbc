"""What the API server's audit log says of the daemons, and how that compares with their rights."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests import rights
from tests.apiserver import Start
from tests.rights import Grant

ACCOUNT = f"system:serviceaccount:{rights.NAMESPACE}"  # and a colon, and the name of a daemon
ACCOUNTS = {f"{ACCOUNT}:{name}": name for name in rights.DAEMONS}
FORBIDDEN = 403
STAGES = frozenset({"ResponseStarted", "ResponseComplete"})


@dataclass(frozen=True, slots=True)
class Call:
    """One answered request of a daemon; `target` is a path of the API without its query.

    `at` is when it came, in seconds of the clock. `needs` are the rights of which any one suffices,
    that to the named object alone among them; empty for a path that names no resource, such as
    /version.
    """

    daemon: str
    verb: str
    target: str
    status: int
    needs: tuple[Grant, ...]
    at: float = field(compare=False)


def calls(log: Path) -> tuple[Call, ...]:
    """Return the requests of all daemons, oldest first; a watch twice, at its start and its end."""
    found = []
    with log.open() as lines:
        for line in lines:
            if line.endswith("\n"):  # the last one may be half written
                event = json.loads(line)
                name = event["user"].get("username", "")
                if name in ACCOUNTS and event["stage"] in STAGES:
                    status = event["responseStatus"]["code"]
                    target = event["requestURI"].partition("?")[0]
                    at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
                    call = Call(ACCOUNTS[name], event["verb"], target, status, _needs(event), at)
                    found.append(call)
    return tuple(found)


def excesses(
    seen: Iterable[Call], starts: Sequence[Start] = (), *, with_sidecar: bool = False
) -> Counter[Call]:
    """Return, with their numbers, requests that were refused or that no right is granted for.

    `with_sidecar`: the node agent's Pods run the BGP sidecar, which asks in their name.

    What is refused while the API server starts does not count: it answers before it knows the
    rights (kubernetes/kubernetes#101422).
    """
    has = {daemon: _rights(daemon) for daemon in rights.DAEMONS}
    if with_sidecar:
        has[rights.ACCOUNTS[rights.SIDECAR]] |= _rights(rights.SIDECAR)
    return Counter(
        call
        for call in seen
        if (
            call.status == FORBIDDEN
            or (call.needs and not has[call.daemon].intersection(call.needs))
        )
        and not any(start.begun <= call.at <= start.ready for start in starts)
    )


def unused(seen: Iterable[Call]) -> list[tuple[str, Grant]]:
    """Return, sorted, what is granted to a daemon and is not needed by any of these requests."""
    used = {(call.daemon, grant) for call in seen for grant in call.needs}
    every = {(daemon, grant) for daemon in rights.DAEMONS for grant in _rights(daemon)}
    return sorted(every - used)


def _rights(daemon: str) -> set[Grant]:
    """Return a daemon's rights; for which objects is for the API server to check."""
    return {
        (group, resource.partition(":")[0], verb)
        for kind in ("ClusterRole", "Role")
        for group, resource, verb in rights.granted(kind, daemon)
    }


def _needs(event: dict[str, object]) -> tuple[Grant, ...]:
    match event.get("objectRef"):
        case {"resource": str(resource), **target}:
            below = f"/{target['subresource']}" if "subresource" in target else ""
            group, verb = str(target.get("apiGroup", "")), str(event["verb"])
            kind = resource + below
            names = (kind, f"{kind}:{target['name']}") if "name" in target else (kind,)
            return tuple((group, name, verb) for name in names)
        case _:
            return ()
