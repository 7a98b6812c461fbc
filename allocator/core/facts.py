"""What a Service has and what it misses: its ingress and the ledger's record as one claim. Pure.

Belongs here: reading the two together. Does not: what to do about it (`grant`, `settle`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from allocator.core.holdings import Holding
from allocator.core.statements import Statement, about
from purelb.api.addresses import FAMILIES, Family, IPAddress, family_of
from purelb.api.identifiers import NodeName
from purelb.api.views import ServiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One Service of ours.

    `kept` are the addresses it owns and goes on to own: first those of its ingress in their order,
    then those given but not seen there yet. `excess` are owned ones of families that it no longer
    asks for. `missing` are the families to find an address for, in the request's order. `departed`
    are nodes that are known to have no Lease: what their slots say is not true any more.
    `statements` are those about addresses that it shows, None while nobody knows of any.
    """

    service: ServiceView
    before: Holding | None
    kept: tuple[IPAddress, ...]
    excess: tuple[IPAddress, ...]
    missing: tuple[Family, ...]
    departed: frozenset[NodeName] = frozenset()
    statements: tuple[Statement, ...] | None = None

    @property
    def shown_excess(self) -> tuple[IPAddress, ...]:
        """Excess addresses that the Service still shows, so that nobody else may have them."""
        return tuple(address for address in self.excess if address in self.service.ingress)

    @property
    def is_pending(self) -> bool:
        """Whether the cluster does not show all that was given."""
        return any(address not in self.service.ingress for address in self.kept)


def is_ours(service: ServiceView, before: Holding | None) -> bool:
    """Tell whether what the Service shows was given by us.

    The brand says so. Where it is missing, the ledger says so if this process gave every address
    that is shown: a server dropped the annotations of that write, or somebody replaced the object.
    """
    if service.is_branded:
        return True
    if before is None or before.is_foreign:
        return False
    return all(address in before.addresses for address in service.ingress)


def facts_of(
    service: ServiceView,
    before: Holding | None,
    departed: frozenset[NodeName] = frozenset(),
    statements: Mapping[IPAddress, Statement] | None = None,
) -> Facts:
    """Put together what a Service of ours has; `before` is the ledger's record of it."""
    owned = _owned(service, before)
    asked = service.families
    kept = tuple(address for address in owned if not asked or family_of(address) in asked)
    have = {family_of(address) for address in kept}
    if asked:
        missing = tuple(family for family in dict.fromkeys(asked) if family not in have)
    else:
        missing = () if have else FAMILIES
    return Facts(
        service=service,
        before=before,
        kept=kept,
        excess=tuple(address for address in owned if address not in kept),
        missing=missing,
        departed=departed,
        statements=about(statements, service.ingress),
    )


def _owned(service: ServiceView, before: Holding | None) -> tuple[IPAddress, ...]:
    shown = tuple(dict.fromkeys(service.ingress))
    held = before.addresses if before and not before.is_foreign else ()
    # An address that we did not give means that somebody else's write won, an earlier allocator's
    # for instance: ours of that family was never seen and is given up.
    replaced = {family_of(address) for address in shown if held and address not in held}
    unseen = (address for address in held if address not in shown)
    return (*shown, *(address for address in unseen if family_of(address) not in replaced))
