"""The control planes there are, by name: the only module that knows them all."""

import argparse
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from playground.embedded import Embedded
from playground.plane import ControlPlane
from playground.topology import Topology

NODE_GRACE_SECONDS = 20.0  # five times the life of a node's Lease, as in Kubernetes by default


class Kind(StrEnum):
    """Which control plane a playground has."""

    EMBEDDED = "embedded"
    REAL = "real"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which control plane, and how it is set.

    A node that is silent for `node_grace_seconds` is not ready; the embedded plane watches none.
    """

    kind: Kind = Kind.EMBEDDED
    node_grace_seconds: float = NODE_GRACE_SECONDS

    def options(self) -> tuple[str, ...]:
        """Return it as `add_options` understands it."""
        return ("--control-plane", self.kind, "--node-grace", str(self.node_grace_seconds))

    def plane(self, topology: Topology) -> ControlPlane:
        """Return the control plane for a network."""
        match self.kind:
            case Kind.EMBEDDED:
                return Embedded(topology)
            case Kind.REAL:
                # Imported here: worlds without it start faster, and need no cryptography.
                from playground.controlplane.plane import Real

                return Real(topology, self.node_grace_seconds)
            case _:
                assert_never(self.kind)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command line choose."""
    parser.add_argument("--control-plane", type=Kind, choices=list(Kind), default=Kind.EMBEDDED)
    parser.add_argument(
        "--node-grace",
        type=float,
        default=NODE_GRACE_SECONDS,
        metavar="SECONDS",
        help="silence after which a real control plane takes a node for lost",
    )


def chosen(arguments: argparse.Namespace) -> Choice:
    """Return what a command line with these options says."""
    return Choice(kind=arguments.control_plane, node_grace_seconds=arguments.node_grace)
