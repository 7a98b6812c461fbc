"""The pure parts of the playground's kubelet: commands, thresholds, status."""

from typing import Any

import pytest

from playground.kubelet.commands import (
    CommandError,
    Place,
    command_line,
    environment,
    port_number,
)
from playground.kubelet.logserver import last_lines
from playground.kubelet.probes import Tally
from playground.kubelet.runs import Exit
from playground.kubelet.status import (
    ContainerFacts,
    Running,
    State,
    Waiting,
    phase_of,
    pod_status,
)
from playground.kubelet.wire import (
    Container,
    ContainerPort,
    EnvSource,
    EnvVar,
    FieldRef,
    Pod,
    PodMeta,
    PodSpec,
    PodStatus,
    Probe,
    grace_seconds,
)

PLACE = Place(pod_ips=("10.244.11.2", "fd00::2"), host_ips=("192.0.2.11", "2001:db8::11"))
GOOD = Exit(code=0, started=1.0, ended=2.0)
BAD = Exit(code=1, started=1.0, ended=2.0)
CREATING = Waiting(reason="ContainerCreating")
CRASHED = Waiting(reason="CrashLoopBackOff")


def pod(container: Container | None = None, **meta: Any) -> Pod:  # noqa: ANN401  # any field
    """Return a Pod with one container."""
    return Pod(
        metadata=PodMeta(name="web", namespace="default", uid="1234", **meta),
        spec=PodSpec(node_name="node-a", containers=(container or Container(name="main"),)),
    )


def facts(state: State) -> ContainerFacts:
    """Return a container in a state."""
    return ContainerFacts(name="main", image="image", state=state)


@pytest.mark.parametrize(
    ("image", "module"),
    [
        ("purelb-kopf/allocator:dev", "allocator"),
        ("registry.example:5000/x/purelb-kopf/lbnodeagent@sha256:1", "nodeagent"),
        ("purelb-kopf/echo", "playground.backend"),
    ],
)
def test_an_image_is_a_module_whatever_its_tag_and_registry(image: str, module: str) -> None:
    """The image says which program, nothing else does."""
    container = Container(name="main", image=image)
    command = command_line(pod(container), container, PLACE, "python")
    assert command[:3] == ("python", "-m", module)


def test_a_command_of_its_own_goes_before_the_image() -> None:
    """As its arguments go after it."""
    container = Container(name="main", image="other", command=("sleep",), args=("5",))
    assert command_line(pod(container), container, PLACE, "python") == ("sleep", "5")


def test_an_unknown_image_is_a_reason_to_wait() -> None:
    """A kubelet would say that it cannot be pulled."""
    container = Container(name="main", image="other")
    with pytest.raises(CommandError, match="'other'") as refused:
        command_line(pod(container), container, PLACE, "python")
    assert refused.value.reason == "ErrImagePull"


def test_an_echo_pod_listens_on_its_own_addresses() -> None:
    """On its first port."""
    container = Container(
        name="main", image="purelb-kopf/echo:1", ports=(ContainerPort(container_port=81),)
    )
    hosts = ("--host", "10.244.11.2", "--host", "fd00::2")
    expected = ("--node", "node-a", "--pod", "web", "--port", "81", *hosts)
    assert command_line(pod(container), container, PLACE, "python")[3:] == expected


def test_a_variable_from_a_source_that_is_not_supported_keeps_the_container_from_starting() -> None:
    """Better than an empty value."""
    source = EnvSource(field_ref=FieldRef(field_path="metadata.labels['none']"))
    container = Container(name="main", env=(EnvVar(name="X", value_from=source),))
    with pytest.raises(CommandError, match=r"X: metadata\.labels") as refused:
        environment(pod(container), container, PLACE, {})
    assert refused.value.reason == "CreateContainerConfigError"


def test_a_port_is_a_number_or_the_name_of_one() -> None:
    """An unknown name is refused."""
    ports = (ContainerPort(name="web", container_port=80),)
    assert port_number(81, ports) == 81
    assert port_number("web", ports) == 80
    with pytest.raises(CommandError):
        port_number("other", ports)


def test_a_verdict_needs_as_many_equal_answers_in_a_row_as_the_probe_says() -> None:
    """One answer of the other kind starts the count anew."""
    tally = Tally(probe=Probe(success_threshold=1, failure_threshold=3))
    answers = (False, False, True, False, False, False, False)
    verdicts = [tally.take(answer) for answer in answers]
    assert verdicts == [None, None, True, None, None, False, False]


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [CREATING], "Pending"),
        ("Always", [Running(since=1.0), CREATING], "Running"),
        ("Always", [CRASHED], "Running"),
        ("Never", [GOOD, GOOD], "Succeeded"),
        ("Never", [GOOD, BAD], "Failed"),
        ("OnFailure", [GOOD], "Succeeded"),
        ("OnFailure", [BAD], "Running"),
        ("Never", [GOOD, Running(since=1.0)], "Running"),
    ],
    ids=str,
)
def test_a_phase_follows_from_the_containers(policy: str, states: list[State], phase: str) -> None:
    """As the Kubernetes documentation of the Pod lifecycle has it."""
    assert phase_of(policy, states) == phase


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    """Whoever wrote a condition last: its time is that of the change."""
    first = pod_status(pod(), PLACE, [facts(CREATING)], {}, now=0.0)
    later = pod_status(pod(), PLACE, [facts(CREATING)], first, now=10.0)
    ready = facts(Running(since=9.0, is_started=True, is_ready=True))
    last = pod_status(pod(), PLACE, [ready], later, now=10.0)
    times = {entry["type"]: entry["lastTransitionTime"] for entry in last["conditions"]}
    assert later == first
    assert times["Initialized"].endswith("00:00:00Z")
    assert times["Ready"].endswith("00:00:10Z")


def test_conditions_of_others_stay() -> None:
    """The scheduler's and the eviction's are in the same list."""
    disruption = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": "then"}
    seen = Pod(status=PodStatus(conditions=(disruption,)), spec=pod().spec)
    status = pod_status(seen, PLACE, [facts(CREATING)], {}, now=0.0)
    assert disruption in status["conditions"]


def test_a_pod_that_is_deleted_and_has_ended_is_over() -> None:
    """Although its policy would have restarted it."""
    ending = pod(deletion_timestamp="2026-01-01T00:00:00Z")
    assert pod_status(ending, PLACE, [facts(GOOD)], {}, now=0.0)["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("deleted_with", "spec", "expected"), [(None, None, 30), (None, 0, 0), (5, 60, 5), (0, 60, 0)]
)
def test_the_deletions_grace_period_goes_before_the_specs(
    deleted_with: int | None, spec: int | None, expected: int
) -> None:
    """Without either it is 30 seconds."""
    meta = PodMeta(
        deletion_timestamp=None if deleted_with is None else "now",
        deletion_grace_period_seconds=deleted_with,
    )
    wanted = Pod(metadata=meta, spec=PodSpec(termination_grace_period_seconds=spec))
    assert grace_seconds(wanted) == expected


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 1, b"c"),
        (b"a\n", 5, b"a\n"),
        (b"a\n", 0, b""),
        (b"", 3, b""),
    ],
)
def test_the_last_lines_are_whole_lines(text: bytes, count: int, expected: bytes) -> None:
    """The very last may have no end yet."""
    assert last_lines(text, count) == expected
