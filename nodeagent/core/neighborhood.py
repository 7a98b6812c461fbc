"""Which Leases an agent watches in a large cluster: those that share a network with it. Pure.

A Lease carries a label for each network of its node, so that an API server can select by it. An
agent has one watch for each network of its own; each leaves out what those before it select, so
that nothing comes twice. Selectors cannot say "or": that is why there are several. One more watch
takes Leases without labels, as those of PureLB's agents.

Silence says nothing unless something is sure to be heard: each watch must show the own Lease at
least, whose renewals are its pulse. A selector cannot name a node, so nodes are dealt into groups,
and each watch also shows those of the own group, which are passed over.

Belongs here: labels, selectors, and which watch a Lease belongs to. Does not: when this is done
(`scale`), watches themselves (`nodeagent.shell.leasewatch`).
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from purelb.api.addresses import IPNetwork
from purelb.api.identifiers import NodeName
from purelb.api.views import MOST_SUBNETS

GROUP: Final = "purelb.io/watch-group"  # on each Lease that shows its networks by labels
SUBNET: Final = "subnet.purelb.io/"  # begins the label of one network
GROUPS: Final = "0123456789abcdefghijklmnopqrstuv"
# Networks of a node with a watch of their own; one more takes all that is left.
MOST_WATCHES: Final = 6


@dataclass(frozen=True, slots=True)
class Share:
    """What one watch is for.

    `key` is a label that Leases must have, empty for those without any label of ours; `others` are
    labels that they must not have, as other watches take them.
    """

    key: str
    others: tuple[str, ...] = ()

    def selector(self, node: NodeName) -> str:
        """Return the label selector by which this node asks for its share, and for its pulse."""
        foreign = ",".join(one for one in GROUPS if one != group_of(node))
        absent = self.others or ((GROUP,) if not self.key else ())
        return ",".join(
            (*((self.key,) if self.key else ()), *(f"{key} notin ({foreign})" for key in absent))
        )

    def has(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a Lease with these labels is in this share."""
        if not self.key:
            return GROUP not in labels
        return self.key in labels and labels.keys().isdisjoint(self.others)


WITHOUT_LABELS: Final = Share("")


def followed(before: Sequence[IPNetwork], present: Collection[IPNetwork]) -> tuple[IPNetwork, ...]:
    """Return the networks to follow: those of before and the present ones, oldest first.

    Where they are more than a Lease may show, the oldest go that are neither present nor the first,
    which have a watch of their own.
    """
    known = (*before, *(network for network in present if network not in before))
    spare = len(known) - MOST_SUBNETS
    if spare <= 0:
        return known
    past = [network for network in known[MOST_WATCHES:] if network not in present]
    gone = set(past[:spare])
    return tuple(network for network in known if network not in gone)[:MOST_SUBNETS]


def shares(networks: Sequence[IPNetwork]) -> tuple[Share, ...]:
    """Return the shares of a node with these networks; each Lease that matters is in one.

    A network that is added at the end leaves the shares before it as they are.
    """
    keys = tuple(map(subnet_label, networks[:MOST_WATCHES]))
    found = [WITHOUT_LABELS, *(Share(key, keys[:at]) for at, key in enumerate(keys))]
    if len(networks) > MOST_WATCHES:
        found.append(Share(GROUP, keys))
    return tuple(found)


def share_of(networks: Sequence[IPNetwork], network: IPNetwork) -> int | None:
    """Return which of the `shares` complete what is known of a network, None if none does.

    All before it are needed, too: they have the Leases that share several networks.
    """
    if network not in networks:
        return None
    return 1 + min(networks.index(network), MOST_WATCHES)


def lease_labels(node: NodeName, networks: Iterable[IPNetwork]) -> dict[str, str]:
    """Return the labels by which others find a Lease."""
    group = group_of(node)
    return {GROUP: group, **{subnet_label(network): group for network in networks}}


def subnet_label(network: IPNetwork) -> str:
    """Return the label of a network; its text would be no valid key."""
    return SUBNET + hashlib.sha256(str(network).encode()).hexdigest()[:16]


def group_of(node: NodeName) -> str:
    """Return the group of a node: the same wherever it is asked for."""
    return GROUPS[hashlib.sha256(node.encode()).digest()[0] % len(GROUPS)]
