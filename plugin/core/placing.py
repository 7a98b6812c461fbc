"""Who announces an address: by wish, incumbency, affinity and formula, as the agents decide."""

from enum import Enum

from nodeagent.core.election import NOBODY, Electorate, Winner
from nodeagent.core.remote import read_groups
from nodeagent.core.vips import gather
from plugin.core.snapshot import Snapshot
from purelb.api.addresses import IPAddress
from purelb.api.groups import view_group
from purelb.api.identifiers import NodeName


class Ground(Enum):
    """Why a node is the winner."""

    WISH = "wish"
    STAYS = "stays"
    FORMULA = "formula"


class Placing:
    """Decides for all addresses of a snapshot, among any members."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._vips = gather(snapshot.by_key)
        views = [view_group(group) for group in snapshot.groups]
        self._pools = read_groups(views, snapshot.namespace)

    def winner(
        self, members: Electorate, address: IPAddress, preferred: frozenset[NodeName] = NOBODY
    ) -> tuple[Winner | None, Ground]:
        """Return the winner, None if nobody is a candidate, and the ground."""
        vip = self._vips.get(address)
        if vip is not None and (wished := members.wished(address, vip.wish)) is not None:
            return wished, Ground.WISH
        slot = vip.slot() if vip is not None else None
        holder, stays = slot.node if slot else None, self._pools.is_non_revertive(address)
        incumbent = members.incumbent(address, holder, stays=stays)
        found = members.winner(address, preferred, incumbent)
        is_kept = found is not None and found.node == incumbent
        return found, Ground.STAYS if is_kept else Ground.FORMULA
