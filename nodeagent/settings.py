"""What an operator can set: environment first, flags override. Read once, in `__main__`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from purelb.api.durations import parse_duration
from purelb.api.identifiers import NodeName
from purelb.runtime.errors import SettingsError

LEASE_DEFAULT = "5s"  # PureLB's own default; its manifests and ours set 10s
LEASE_SHORTEST = 3.0  # seconds: below, the margin for the kernel's late expiry eats the Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for the life of the process. `lease_seconds` is the Lease's duration."""

    port: int
    host: str  # bind address of the metrics port
    kubeconfig: str
    namespace: str  # the install namespace
    node: NodeName
    instance: str  # the Pod's uid; may be empty
    lease_seconds: float
    log_level: str
    heartbeat_key_file: str  # of a Secret; empty or missing: no heartbeats
    dummy_kind: str  # the kernel's name for the kind of link that carries remote addresses
    remarks: tuple[str, ...] = ()  # settings that are not used as they are, and why
    # Not set by anybody: of the cluster when this process began, and why that is not known.
    nodes: int = 0
    uncounted: str = ""


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises SettingsError with one sentence that names the setting."""
    given = _parser(environment).parse_args(arguments)
    if not given.node_name:
        raise SettingsError("the node's name is missing: set PURELB_NODE_NAME or --node-name")
    if not given.namespace:
        raise SettingsError("the namespace is missing: set PURELB_NAMESPACE or --namespace")
    lease_seconds, remarks = _lease_seconds(given.lease_duration)
    return Settings(
        port=given.port,
        host=given.host,
        kubeconfig=given.kubeconfig,
        namespace=given.namespace,
        node=NodeName(given.node_name),
        instance=given.pod_uid,
        lease_seconds=lease_seconds,
        heartbeat_key_file=given.heartbeat_key_file,
        dummy_kind=given.dummy_kind,
        remarks=remarks,
        log_level=environment.get("PURELB_LOG_LEVEL", "info"),
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nodeagent", description="purelb-kopf node agent")
    parser.add_argument("-port", "--port", type=int, default=7472, help="metrics and health")
    for flag, variable, default in (
        ("host", "PURELB_HOST", ""),
        ("kubeconfig", "KUBECONFIG", ""),
        ("namespace", "PURELB_NAMESPACE", ""),
        ("node-name", "PURELB_NODE_NAME", ""),
        ("pod-uid", "PURELB_POD_UID", ""),
        ("dummy-kind", "PURELB_DUMMY_KIND", "dummy"),  # "ifb" serves where the kernel lacks it
        ("heartbeat-key-file", "PURELB_HEARTBEAT_KEY_FILE", ""),
        ("lease-duration", "PURELB_LEASE_DURATION", LEASE_DEFAULT),
        # Hints in PureLB's manifests; renewals follow from the duration alone.
        ("renew-deadline", "PURELB_RENEW_DEADLINE", ""),
        ("retry-period", "PURELB_RETRY_PERIOD", ""),
    ):
        value = environment.get(variable, default)
        parser.add_argument(f"-{flag}", f"--{flag}", default=value, help=f"default ${variable}")
    return parser


def _lease_seconds(text: str) -> tuple[float, tuple[str, ...]]:
    """Return the duration, and what is to be said about a text that is not used as it is."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        note = f"PURELB_LEASE_DURATION: {error}; {LEASE_DEFAULT} is used"
        return parse_duration(LEASE_DEFAULT), (note,)
    if seconds < LEASE_SHORTEST:
        note = f"PURELB_LEASE_DURATION {text!r} is too short to renew; {LEASE_SHORTEST:g}s is used"
        return LEASE_SHORTEST, (note,)
    return seconds, ()
