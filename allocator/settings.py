"""What an operator can set: environment first, flags override. Read once, in `__main__`."""

import argparse
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from purelb.api.durations import parse_duration
from purelb.runtime.credentials import SERVICE_ACCOUNT
from purelb.runtime.errors import SettingsError

LEASE_DEFAULT = "10s"
LEASE_SHORTEST = 3.0  # seconds: below, nothing is left for writes between two renewals


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for the life of the process.

    `namespace` is the install namespace; empty means unknown, then groups of all namespaces count.
    `identity` is who we are among the replicas: with the Pod's uid a container that is restarted in
    its Pod, which ends the one before, goes on at once. `lease_seconds` is for how long the others
    wait for a leader that died.
    """

    port: int
    kubeconfig: str
    namespace: str
    is_default_announcer: bool  # Services without a class are ours
    log_level: str
    identity: str
    lease_seconds: float


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings; a bad flag ends the process with argparse's usage and status 2.

    Raises SettingsError with one sentence that names the setting.
    """
    parser = argparse.ArgumentParser(prog="allocator", description="purelb-kopf address allocator")
    parser.add_argument("-port", "--port", type=int, default=7472, help="metrics and health")
    parser.add_argument("-kubeconfig", "--kubeconfig", default=environment.get("KUBECONFIG", ""))
    parser.add_argument("-namespace", "--namespace", default=_namespace(environment))
    for flag, variable, default in (
        ("pod-uid", "PURELB_POD_UID", ""),
        ("lease-duration", "PURELB_LEASE_DURATION", LEASE_DEFAULT),
    ):
        value = environment.get(variable, default)
        parser.add_argument(f"-{flag}", f"--{flag}", default=value, help=f"default ${variable}")
    given = parser.parse_args(arguments)
    return Settings(
        port=given.port,
        kubeconfig=given.kubeconfig,
        namespace=given.namespace,
        is_default_announcer=environment.get("DEFAULT_ANNOUNCER") == "PureLB",
        log_level=environment.get("PURELB_LOG_LEVEL", "info"),
        identity=f"{socket.gethostname()}_{given.pod_uid or uuid.uuid4()}",
        lease_seconds=_lease_seconds(given.lease_duration),
    )


def _lease_seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"PURELB_LEASE_DURATION: {error}") from error
    if seconds < LEASE_SHORTEST:
        raise SettingsError(
            f"PURELB_LEASE_DURATION is {text}; it must be {LEASE_SHORTEST:g}s or more"
        )
    return seconds


def _namespace(environment: Mapping[str, str]) -> str:
    if (name := environment.get("PURELB_NAMESPACE")) is not None:
        return name
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except OSError:
        return ""
