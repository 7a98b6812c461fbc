"""The sidecar's environment and flags, as PureLB's manifests set them."""

from pathlib import Path

import pytest

from bgp.settings import Settings, load
from purelb.runtime.errors import SettingsError

REQUIRED = {"NODE_NAME": "node-a", "POD_NAME": "pod-a", "POD_NAMESPACE": "purelb-system"}


def loaded(*arguments: str, **environment: str) -> Settings:
    """Load with what is required."""
    return load(arguments, REQUIRED | environment)


def test_defaults_are_those_of_k8gobgp() -> None:
    """So that its manifests need no change."""
    found = loaded()
    assert (found.metrics, found.health) == (("", 7473), ("", 7474))
    assert found.socket == Path("/var/run/gobgp/gobgp.sock")
    assert (found.poll_seconds, found.tells_neighbors, found.most_neighbors) == (15, False, 200)
    assert not found.drains_softly
    assert found.remarks == ()


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_required_is_named(name: str) -> None:
    """Without it the process ends."""
    with pytest.raises(SettingsError, match=name):
        load((), {key: value for key, value in REQUIRED.items() if key != name})


def test_every_flag_has_a_variable_and_counts_before_it() -> None:
    """Both spellings of Go's flags."""
    found = loaded(
        "-metrics-bind-address=192.0.2.1:1",
        "--enable-per-neighbor-metrics",
        METRICS_BIND_ADDRESS=":9",
        HEALTH_PROBE_BIND_ADDRESS="[::1]:2",
        GOBGP_SOCKET="/run/x.sock",
        METRICS_POLL_INTERVAL="20s",
        MAX_NEIGHBORS_METRICS="7",
        BGP_DRAIN="graceful-shutdown",
        BGP_DRAIN_SECONDS="3s",
    )
    assert (found.metrics, found.health) == (("192.0.2.1", 1), ("::1", 2))
    assert found.socket == Path("/run/x.sock")
    assert (found.poll_seconds, found.tells_neighbors, found.most_neighbors) == (20, True, 7)
    assert (found.drains_softly, found.drain_seconds) == (True, 3)


def test_an_endpoint_counts_before_the_socket() -> None:
    """With its scheme or without."""
    found = loaded("--gobgp-endpoint", "unix:///a.sock", GOBGP_SOCKET="/b.sock")
    assert found.socket == Path("/a.sock")
    assert loaded(GOBGP_ENDPOINT="/c.sock").socket == Path("/c.sock")


def test_a_short_poll_interval_is_raised_and_told() -> None:
    """As k8gobgp does, but not silently."""
    found = loaded("--metrics-poll-interval=1s")
    assert found.poll_seconds == 15
    assert "1s is too short" in found.remarks[0]


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--metrics-bind-address=7473", "must be like :7473"),
        ("--metrics-bind-address=:70000", "must be like :7473"),
        ("--gobgp-endpoint=localhost:50051", "path of a socket"),
        ("--metrics-poll-interval=x", "--metrics-poll-interval"),
        ("--max-neighbors-metrics=x", "must be a number"),
        ("--drain=fast", "withdraw, graceful-shutdown"),
        ("--drain-seconds=x", "--drain-seconds"),
    ],
)
def test_a_bad_setting_ends_the_start_with_one_sentence(argument: str, text: str) -> None:
    """Nothing is clamped silently."""
    with pytest.raises(SettingsError, match=text):
        loaded(argument)
