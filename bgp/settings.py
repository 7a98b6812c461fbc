"""What an operator can set: environment first, flags override. Read once, in `__main__`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from purelb.api.durations import parse_duration
from purelb.api.identifiers import NodeName
from purelb.runtime.errors import SettingsError

SOCKET = "/var/run/gobgp/gobgp.sock"
POLL_SHORTEST = 15.0  # seconds between two looks at what metrics tell
DRAINS = ("withdraw", "graceful-shutdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for the life of the process; times in seconds.

    `drains_softly`: at a stop routes are sent with the community GRACEFUL_SHUTDOWN for
    `drain_seconds` before they are withdrawn.
    """

    node: NodeName
    pod: str
    namespace: str  # of the Pod: where its BGPConfigurations are
    metrics: tuple[str, int]  # host, port
    health: tuple[str, int]
    socket: Path
    kubeconfig: str
    poll_seconds: float
    tells_neighbors: bool  # by metrics, each on its own
    most_neighbors: int
    drains_softly: bool
    drain_seconds: float
    log_level: str
    remarks: tuple[str, ...] = ()  # settings that are not used as they are, and why


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises SettingsError with one sentence that names the setting."""
    given = _parser(environment).parse_args(arguments)
    for name, value in (
        ("NODE_NAME", given.node_name),
        ("POD_NAME", given.pod_name),
        ("POD_NAMESPACE", given.pod_namespace),
    ):
        if not value:
            raise SettingsError(f"{name} is not set, and without it nothing can be looked up")
    poll, remarks = _poll_seconds(given.metrics_poll_interval)
    socket = _socket(given.gobgp_endpoint)
    if given.drain not in DRAINS:
        raise SettingsError(f"--drain must be one of {', '.join(DRAINS)}, not {given.drain!r}")
    return Settings(
        node=NodeName(given.node_name),
        pod=given.pod_name,
        namespace=given.pod_namespace,
        metrics=_endpoint("--metrics-bind-address", given.metrics_bind_address),
        health=_endpoint("--health-probe-bind-address", given.health_probe_bind_address),
        socket=socket,
        kubeconfig=given.kubeconfig,
        poll_seconds=poll,
        tells_neighbors=_switch(given.enable_per_neighbor_metrics),
        most_neighbors=_number("--max-neighbors-metrics", given.max_neighbors_metrics),
        drains_softly=given.drain == DRAINS[1],
        drain_seconds=_seconds("--drain-seconds", given.drain_seconds),
        log_level=environment.get("PURELB_LOG_LEVEL", "info"),
        remarks=remarks,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bgp", description="purelb-kopf BGP sidecar")
    for flag, variable, default in (
        ("metrics-bind-address", "METRICS_BIND_ADDRESS", ":7473"),
        ("health-probe-bind-address", "HEALTH_PROBE_BIND_ADDRESS", ":7474"),
        ("gobgp-endpoint", "GOBGP_ENDPOINT", ""),
        ("metrics-poll-interval", "METRICS_POLL_INTERVAL", "15s"),
        ("max-neighbors-metrics", "MAX_NEIGHBORS_METRICS", "200"),
        ("drain", "BGP_DRAIN", DRAINS[0]),
        ("drain-seconds", "BGP_DRAIN_SECONDS", "0s"),
        ("node-name", "NODE_NAME", ""),
        ("pod-name", "POD_NAME", ""),
        ("pod-namespace", "POD_NAMESPACE", ""),
        ("kubeconfig", "KUBECONFIG", ""),
    ):
        value = environment.get(variable) or default
        parser.add_argument(f"-{flag}", f"--{flag}", default=value, help=f"default ${variable}")
    # A flag of Go's: it may stand alone or have a value.
    parser.add_argument(
        "-enable-per-neighbor-metrics",
        "--enable-per-neighbor-metrics",
        nargs="?",
        const="true",
        default=environment.get("ENABLE_PER_NEIGHBOR_METRICS", "false"),
    )
    if not parser.get_default("gobgp_endpoint"):
        parser.set_defaults(gobgp_endpoint=environment.get("GOBGP_SOCKET") or SOCKET)
    return parser


def _socket(text: str) -> Path:
    """Return the engine's socket; it runs as a child, so another host makes no sense."""
    path = text.removeprefix("unix://")
    if not path.startswith("/"):
        raise SettingsError(f"the engine's endpoint must be the path of a socket, not {text!r}")
    return Path(path)


def _endpoint(name: str, text: str) -> tuple[str, int]:
    """Return host and port of Go's `host:port`; an empty host is every address."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) < 65536):
        raise SettingsError(f"{name} must be like :7473 or 192.0.2.1:7473, not {text!r}")
    return host.strip("[]"), int(port)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name} must be a number, not {text!r}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


def _switch(text: str) -> bool:
    return text.lower() in ("1", "t", "true")


def _poll_seconds(text: str) -> tuple[float, tuple[str, ...]]:
    seconds = _seconds("--metrics-poll-interval", text)
    if seconds < POLL_SHORTEST:
        note = f"--metrics-poll-interval {text} is too short, {POLL_SHORTEST:g}s is used"
        return POLL_SHORTEST, (note,)
    return seconds, ()
