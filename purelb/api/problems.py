"""Why something a user asked for cannot be done, and what is told to a person, as data.

A `Problem` becomes an Event, a condition and a metric label; nobody raises it.
"""

from dataclasses import dataclass
from enum import StrEnum

from purelb.api.identifiers import PoolName


class Reason(StrEnum):
    """Why an allocation is refused; spelled as the `reason` label of the rejection counter."""

    EXHAUSTED = "exhausted"
    PORT_CONFLICT = "port_conflict"
    SHARING_KEY_CONFLICT = "sharing_key_conflict"
    MULTIPOOL_POOL_MISMATCH = "multipool_pool_mismatch"
    MULTIPOOL_REFUSED = "multipool_refused"
    NAMESPACE_DENIED = "namespace_denied"
    AMBIGUOUS_NAMESPACE_DEFAULT = "ambiguous_namespace_default"
    NO_USABLE_POOL = "no_usable_pool"
    UNKNOWN_POOL = "unknown_pool"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refusal: `detail` names the thing and what would change it; `pool` if one is to blame."""

    reason: Reason
    detail: str
    pool: PoolName | None = None


class NoticeType(StrEnum):
    """The two types of a core/v1 Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One Event to send about an object; `reason` is a CamelCase word that tools match."""

    type: NoticeType
    reason: str
    message: str
