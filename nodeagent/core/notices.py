"""What the node agent tells people: Kubernetes Events and log lines, as values.

Belongs here: the values. Does not: when something is told (`config`, `report`) and how
(`nodeagent.shell`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from purelb.api.problems import NoticeType


class Kind(StrEnum):
    """Kinds of objects that Events are about."""

    SERVICE = "Service"
    NODE_AGENT = "LBNodeAgent"
    NODE = "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One Event about the object `key`, which is "namespace/name", "/name" without a namespace."""

    kind: Kind
    key: str
    severity: NoticeType
    reason: str
    message: str


class Level(StrEnum):
    """Levels of log lines."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One log line. `op` is the word tools search for; `fields` are the facts."""

    op: str
    level: Level = Level.INFO
    fields: Mapping[str, str | int | bool] = field(default_factory=dict)
