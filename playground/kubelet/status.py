"""What a Pod's status says, from the state of its containers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from playground.kubelet.commands import Place
from playground.kubelet.runs import Exit
from playground.kubelet.wire import Pod

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
SCHEDULED = "PodScheduled"
NOT_READY = "ContainersNotReady"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Not running yet, or not again yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Running since a wall-clock time. `is_started`: the startup probe has succeeded."""

    since: float
    is_started: bool = False
    is_ready: bool = False


State: TypeAlias = Waiting | Running | Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    """One container now; `last` is how its previous run ended."""

    name: str
    image: str
    state: State
    last: Exit | None = None
    restarts: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether it takes traffic."""
        return isinstance(self.state, Running) and self.state.is_ready


def phase_of(policy: str, states: Sequence[State]) -> str:
    """Return a Pod's phase; a container that is to run again does not end its Pod."""
    if any(isinstance(state, Running) for state in states):
        return "Running"
    ends = [state for state in states if isinstance(state, Exit)]
    if len(ends) == len(states) and policy != "Always":
        is_failed = any(end.code for end in ends)
        if not is_failed:
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    has_run = bool(ends) or any(
        isinstance(state, Waiting) and state.reason == "CrashLoopBackOff" for state in states
    )
    return "Running" if has_run else "Pending"


def pod_status(
    pod: Pod,
    place: Place,
    containers: Sequence[ContainerFacts],
    written: Mapping[str, Any],
    now: float,
) -> dict[str, Any]:
    """Return the whole status; `written` is what was written last, {} if nothing was.

    Conditions of other writers stay as they are. Nothing is restarted in a Pod that is deleted.
    """
    policy = "Never" if pod.metadata.deletion_timestamp else pod.spec.restart_policy
    known = [
        *_of_types(written, (SCHEDULED,)),  # ours as long as nobody else wrote one
        *(pod.status.conditions or ()),
        *_of_types(written, OWN_CONDITIONS),  # newer than what was seen
    ]
    start = written.get("startTime") or pod.status.start_time or timestamp(now)
    return {
        "phase": phase_of(policy, [one.state for one in containers]),
        "hostIP": place.host_ips[0],
        "hostIPs": [{"ip": address} for address in place.host_ips],
        "podIP": place.pod_ips[0],
        "podIPs": [{"ip": address} for address in place.pod_ips],
        "startTime": start,
        "conditions": _conditions(known, containers, now),
        "containerStatuses": [_container(facts) for facts in containers],
    }


def timestamp(at: float) -> str:
    """Return a metav1.Time."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_types(written: Mapping[str, Any], types: Sequence[str]) -> list[Mapping[str, Any]]:
    return [entry for entry in written.get("conditions", ()) if entry["type"] in types]


def _conditions(
    known: Iterable[Mapping[str, Any]], containers: Sequence[ContainerFacts], now: float
) -> list[dict[str, Any]]:
    before = {entry["type"]: entry for entry in known}
    is_ready = all(facts.is_ready for facts in containers)
    waiting = sorted(facts.name for facts in containers if not facts.is_ready)
    fresh: dict[str, dict[str, Any]] = {}
    for name in OWN_CONDITIONS:
        holds = is_ready or name not in ("Ready", "ContainersReady")
        fresh[name] = {"type": name, "status": str(holds)}
        if not holds:
            message = f"containers with unready status: [{' '.join(waiting)}]"
            fresh[name] |= {"reason": NOT_READY, "message": message}
    foreign = {name: dict(entry) for name, entry in before.items() if name not in fresh}
    foreign.setdefault(SCHEDULED, {"type": SCHEDULED, "status": "True"})
    for name, entry in (fresh | foreign).items():
        old = before.get(name, {})
        is_same = old.get("status") == entry["status"] and "lastTransitionTime" in old
        moved = old["lastTransitionTime"] if is_same else timestamp(now)
        entry.setdefault("lastTransitionTime", moved)
    return [*fresh.values(), *foreign.values()]


def _container(facts: ContainerFacts) -> dict[str, Any]:
    running = facts.state if isinstance(facts.state, Running) else None
    body: dict[str, Any] = {
        "name": facts.name,
        "image": facts.image,
        "imageID": "",
        "restartCount": facts.restarts,
        "ready": facts.is_ready,
        "started": running is not None and running.is_started,
        "state": _state(facts.state),
    }
    if facts.last is not None:
        body["lastState"] = _state(facts.last)
    return body


def _state(state: State) -> dict[str, Any]:
    match state:
        case Waiting():
            return {"waiting": {"reason": state.reason, "message": state.message}}
        case Running():
            return {"running": {"startedAt": timestamp(state.since)}}
        case Exit():
            return {
                "terminated": {
                    "exitCode": state.code,
                    "reason": "Completed" if state.code == 0 else "Error",
                    "startedAt": timestamp(state.started),
                    "finishedAt": timestamp(state.ended),
                }
            }
