"""What can be done to the kernel and said to neighbors, as values.

Belongs here: one class for each operation. Does not: which of them a pass needs (`plan`), how they
are carried out (`nodeagent.shell`), what came of them (`installed`, `results`).
"""

from dataclasses import dataclass
from typing import TypeAlias

from nodeagent.core.gate import Cause
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import LinkName
from purelb.api.links import Link, NewAddress


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Put an address on a link; `is_repair`: it was in place before and went by `cause`."""

    link: LinkName
    entry: NewAddress
    is_repair: bool = False
    cause: Cause = Cause.REMOVED


@dataclass(frozen=True, slots=True)
class RefreshAddress:
    """Give an address in place new lifetimes, and our mark."""

    link: LinkName
    entry: NewAddress


@dataclass(frozen=True, slots=True)
class ReorderAddress:
    """Delete an address and add it at once, so that it stands behind the node's own."""

    link: LinkName
    entry: NewAddress


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """Take an address off a link.

    `reason` is the word for the log. `is_copy`: the address itself stays on this node.
    `needs_promotion`: it is the primary of other addresses, which the kernel deletes with it unless
    `promote_secondaries` is set on the link first. `is_secondary`: it is one of those others.
    """

    link: LinkName
    index: int
    address: IPAddress
    prefix: int
    reason: str
    is_copy: bool = False
    needs_promotion: bool = False
    is_secondary: bool = False


@dataclass(frozen=True, slots=True)
class Announce:
    """Begin the burst that tells the neighbors; `source` is the link's own link-local address.

    `source` is None for IPv4, and where the link has none. `epoch` is that of the configuration.
    """

    link: Link
    address: IPAddress
    source: IPAddress | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the hosts on a link whether one of them has an address.

    `is_duplicate`: the kernel found that one has it, and does not say which.
    """

    link: Link
    address: IPAddress
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class MakeLink:
    """Make the link for remote addresses, switched off."""

    link: LinkName


@dataclass(frozen=True, slots=True)
class RaiseLink:
    """Switch the link for remote addresses on."""

    link: LinkName
    index: int


@dataclass(frozen=True, slots=True)
class DeleteLink:
    """Delete a link of ours."""

    link: LinkName


AddressOp: TypeAlias = AddAddress | RefreshAddress | ReorderAddress | RemoveAddress
LinkOp: TypeAlias = MakeLink | RaiseLink | DeleteLink
Op: TypeAlias = AddressOp | LinkOp | Announce | Probe
