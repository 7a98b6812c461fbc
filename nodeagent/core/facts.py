"""What a pass knows before it decides anything.

Belongs here: the value. Does not: where its parts come from (`nodeagent.shell`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from nodeagent.core.config import NodeConfig, Unconfigured
from nodeagent.core.conflicts import Conflict
from nodeagent.core.dummy import Failure
from nodeagent.core.election import Electorate
from nodeagent.core.gate import Record
from nodeagent.core.links import Observed
from nodeagent.core.peers import Claim, Reach
from nodeagent.core.remote import NO_POOLS, RemotePools
from nodeagent.core.struggles import Struggles
from nodeagent.core.verdicts import Memory
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.views import NodeView, ServiceView
from purelb.core.lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that `desire` may look at. None means not known (yet), and nothing follows from it.

    `services` does not change in place; `services_heard_at` is when their watch last said anything.
    `node` is the own Node. `expired` are nodes whose Lease was judged expired, `renewed` tells when
    each was last seen renewed. `endpoints` are the nodes with endpoints of Services to which that
    matters; an absent key is a Service without a slice, or not seen yet unless `has_endpoints`.
    `failure` is why the dummy link could not be made lately. `is_leaving`: remote addresses go as
    well. `unrest` is the gate's record. `installed` are the addresses put in place and not
    withdrawn since, whether they are still there or not. `struggles` are the addresses that others
    removed lately. `memory` is that of the last `DesiredState`.

    By heartbeats, empty without them: `reach` says by link index who is there, `claims` who took
    over an address, `silent` which addresses that we ask for nobody answers for. `has_api`: our
    view of the Leases is whole, `is_fresh`: it has been for as long as one lasts. `epoch` is the
    highest of any claim that was ever heard of.

    `quiet` tells for addresses that other hosts were asked for from when on silence means that none
    has them, None if this node cannot ask. `conflicts` are those with other hosts. `shown` are the
    nodes whose MACs are known, None if some node with a Lease does not say its own.
    """

    me: NodeName
    lease: Lease
    services: Mapping[ServiceKey, ServiceView] | None = None
    config: NodeConfig | Unconfigured | None = None
    node: NodeView | None = None
    electorate: Electorate | None = None
    expired: frozenset[NodeName] = frozenset()
    renewed: Mapping[NodeName, Instant] | None = None
    endpoints: Mapping[ServiceKey, frozenset[NodeName]] = field(default_factory=dict)
    has_endpoints: bool = False
    pools: RemotePools | None = NO_POOLS
    failure: Failure | None = None
    is_leaving: bool = False
    observed: Observed | None = None
    unrest: Record = field(default_factory=dict)
    services_heard_at: Instant = math.inf
    installed: frozenset[IPAddress] = frozenset()
    struggles: Struggles = field(default_factory=dict)
    reach: Mapping[int, Reach] = field(default_factory=dict)
    claims: Mapping[IPAddress, Claim] = field(default_factory=dict)
    silent: frozenset[IPAddress] = frozenset()
    has_api: bool = True
    is_fresh: bool = False
    epoch: int = 0
    memory: Memory = field(default_factory=Memory)
    quiet: Mapping[IPAddress, Instant] | None = None
    conflicts: Mapping[IPAddress, Conflict] = field(default_factory=dict)
    shown: frozenset[NodeName] | None = frozenset()
