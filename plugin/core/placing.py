"""Who announces an address: by wish, incumbency, affinity and formula, as the agents decide."""

from collections.abc import Iterable
from enum import Enum

from nodeagent.core.election import NOBODY, Electorate, Winner
from nodeagent.core.endpoints import has_affinity, nodes_of
from nodeagent.core.remote import read_groups
from nodeagent.core.vips import Vip, gather
from plugin.core.snapshot import Snapshot
from purelb.api.addresses import IPAddress
from purelb.api.endpoints import SliceView
from purelb.api.groups import view_group
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.views import ServiceView


class Ground(Enum):
    """Why a node is the winner."""

    WISH = "wish"
    STAYS = "stays"
    FORMULA = "formula"


class Placing:
    """Decides for all addresses of a snapshot, among any members.

    Affinity counts as far as the snapshot has EndpointSlices.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._vips = gather(snapshot.by_key)
        self._endpoints = _endpoints(snapshot.slices)
        views = [view_group(group) for group in snapshot.groups]
        self._pools = read_groups(views, snapshot.namespace)

    def winner(self, members: Electorate, address: IPAddress) -> tuple[Winner | None, Ground]:
        """Return the winner, None if nobody is a candidate, and the ground."""
        vip = self._vips.get(address)
        if vip is None:
            return members.winner(address), Ground.FORMULA
        if (wished := members.wished(address, vip.wish)) is not None:
            return wished, Ground.WISH
        slot = vip.slot()
        holder, stays = slot.node if slot else None, self._pools.is_non_revertive(address)
        incumbent = members.incumbent(address, holder, stays=stays)
        found = members.winner(address, self._preferred(vip), incumbent)
        is_kept = found is not None and found.node == incumbent
        return found, Ground.STAYS if is_kept else Ground.FORMULA

    def preferred(self, address: IPAddress) -> frozenset[NodeName]:
        """Return the nodes with endpoints that are preferred; empty without affinity."""
        vip = self._vips.get(address)
        return NOBODY if vip is None else self._preferred(vip)

    def _preferred(self, vip: Vip) -> frozenset[NodeName]:
        return vip.preferred(self._endpoints) or NOBODY


def needs_endpoints(services: Iterable[ServiceView]) -> bool:
    """Tell whether it matters to an election of theirs where endpoints are."""
    return any(map(has_affinity, services))


def _endpoints(slices: Iterable[SliceView]) -> dict[ServiceKey, frozenset[NodeName]]:
    found: dict[ServiceKey, list[SliceView]] = {}
    for one in slices:
        found.setdefault(one.service, []).append(one)
    return {key: nodes_of(mine) for key, mine in found.items()}
