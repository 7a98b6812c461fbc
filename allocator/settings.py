"""What an operator can set: environment first, flags override. Read once, in `__main__`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from purelb.runtime.credentials import SERVICE_ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for the life of the process.

    `namespace` is the install namespace; empty means unknown, then groups of all namespaces count.
    """

    port: int
    kubeconfig: str
    namespace: str
    is_default_announcer: bool  # Services without a class are ours
    log_level: str


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings; a bad flag ends the process with argparse's usage and status 2."""
    parser = argparse.ArgumentParser(prog="allocator", description="purelb-kopf address allocator")
    parser.add_argument("-port", "--port", type=int, default=7472, help="metrics and health")
    parser.add_argument("-kubeconfig", "--kubeconfig", default=environment.get("KUBECONFIG", ""))
    parser.add_argument("-namespace", "--namespace", default=_namespace(environment))
    given = parser.parse_args(arguments)
    return Settings(
        port=given.port,
        kubeconfig=given.kubeconfig,
        namespace=given.namespace,
        is_default_announcer=environment.get("DEFAULT_ANNOUNCER") == "PureLB",
        log_level=environment.get("PURELB_LOG_LEVEL", "info"),
    )


def _namespace(environment: Mapping[str, str]) -> str:
    if (name := environment.get("PURELB_NAMESPACE")) is not None:
        return name
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except OSError:
        return ""
