"""Who a client of the API is, by its name in the playground. Pure.

Daemons are ServiceAccounts with the rights of the manifests, Kubernetes' own components are the
users that its bootstrap roles know, and everybody else is an administrator.
"""

from dataclasses import dataclass
from typing import TypeAlias

ADMINISTRATORS = "system:masters"
NODES = "system:nodes"


@dataclass(frozen=True, slots=True)
class User:
    """A user of a client certificate."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A ServiceAccount in the namespace that daemons are installed in."""

    name: str


Identity: TypeAlias = User | ServiceAccount

ALLOCATOR = ServiceAccount("allocator")
NODE_AGENT = ServiceAccount("lbnodeagent")
SERVICE_ACCOUNTS = (ALLOCATOR, NODE_AGENT)


def identity(client: str) -> Identity:
    """Return who a client is; names with a node or a number at the end are of the same kind."""
    match client.split("-"):
        case ["allocator", *_]:
            return ALLOCATOR
        case ["nodeagent" | "k8gobgp", *_]:  # two containers of one Pod
            return NODE_AGENT
        case ["kubelet", *node] if node:
            return User(f"system:node:{'-'.join(node)}", (NODES,))
        case ["kube", "proxy", *_]:
            return User("system:kube-proxy")
        case ["kube", "scheduler"] | ["kube", "controller", "manager"]:
            return User(f"system:{client}")
        case _:
            return User(client, (ADMINISTRATORS,))
