"""World and ledger → one decision about one Service: the only door of the core. Pure.

Belongs here: the order of the rules. Does not: the rules themselves (`request`, `grant`, `settle`,
`leave`), the record (`ledger`), the bodies of writes (`report`). Called by the shell's worker, and
by `explain`.

An address once given is a fact: it is never checked again against annotations, groups, namespaces
or pools. What the Service shows and what the ledger holds for it are one claim; a write that is not
seen yet is decided again with the same address, never with a second one.
"""

from allocator.core.decisions import Assign, Consult, Decision, Ignore, Keep, Refuse, Release
from allocator.core.facts import facts_of, is_ours
from allocator.core.grant import grant
from allocator.core.holdings import holding_of
from allocator.core.leave import gone, let_go
from allocator.core.ledger import Ledger
from allocator.core.request import NotOurs, request_of
from allocator.core.settle import settle
from allocator.core.world import World
from purelb.api.identifiers import ServiceKey

__all__ = [
    "Assign",
    "Consult",
    "Decision",
    "Ignore",
    "Keep",
    "Refuse",
    "Release",
    "World",
    "decide",
]


def decide(world: World, ledger: Ledger, key: ServiceKey) -> Decision:
    """Decide about one Service; commit the result before anything else is decided.

    Nothing is changed here. Decided again after commit and the write's echo, it is `Keep`.
    """
    service, before = world.services.get(key), ledger.holding(key)
    if service is None:
        return gone(key, before, is_renewed=False)
    if before is not None and before.uid != service.uid:
        return gone(key, before, is_renewed=True)
    request = request_of(service, world.is_default_announcer)
    if isinstance(request, NotOurs):
        return let_go(service, before, request)
    if service.ingress and not is_ours(service, before):
        after = holding_of(service, service.ingress, is_foreign=True)
        return Ignore(key=key, before=before, after=after, why=NotOurs.UNBRANDED)
    facts = facts_of(service, before, world.departed, world.statements)
    return settle(world.pools, ledger, facts, grant(world, ledger, facts, request))
