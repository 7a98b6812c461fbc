"""Services that are none of ours, or are no longer. Pure.

Belongs here: letting go, with and without a trace to remove. Does not: Services we serve
(`settle`). Called by `decide`.
"""

from allocator.core import notices
from allocator.core.change import consumption_of, farewell_of
from allocator.core.conditions import service_conditions
from allocator.core.decisions import Decision, Ignore, Release, Report
from allocator.core.facts import is_ours
from allocator.core.holdings import Holding, holding_of
from allocator.core.request import NotOurs
from purelb.api import annotations
from purelb.api.identifiers import ServiceKey
from purelb.api.views import ServiceView

# Users may ask for a look at any Service whose class does not name somebody else.
CONSUMING = frozenset({NotOurs.NOT_LOAD_BALANCER, NotOurs.NO_CLUSTER_IP})


def gone(key: ServiceKey, before: Holding | None, is_renewed: bool) -> Decision:
    """Free everything of a Service that is deleted; `is_renewed` if a namesake has taken its place.

    Nothing is left to write. A write still on its way cannot reach the namesake, because it is
    bound to the version of the old object.
    """
    if before is None:
        return Ignore(key=key, before=None, after=None)
    return Release(key=key, before=before, after=None, is_renewed=is_renewed)


def let_go(service: ServiceView, before: Holding | None, why: NotOurs) -> Decision:
    """Leave a Service alone, or remove what is ours from one that is no LoadBalancer any more.

    The type counts more than the class, because Kubernetes removes the class with the type. Whose
    class names another controller keeps address and annotations. What it shows is not given away.
    """
    if not service.is_load_balancer and _has_ours(service, before):
        return _retired(service, before)
    after = holding_of(service, service.ingress, is_foreign=True)
    change = consumption_of(service) if why in CONSUMING else None
    if change is not None:
        return Release(key=service.key, before=before, after=after, change=change)
    return Ignore(key=service.key, before=before, after=after, why=why)


def _has_ours(service: ServiceView, before: Holding | None) -> bool:
    if is_ours(service, before) or annotations.ALLOCATED_FROM in service.annotations:
        return True
    return service_conditions(service, None) is not None


def _retired(service: ServiceView, before: Holding | None) -> Decision:
    change = farewell_of(service)
    held = before.addresses if before else ()
    addresses = tuple(dict.fromkeys((*service.ingress, *held)))
    return Release(
        key=service.key,
        before=before,
        after=holding_of(service, service.ingress),
        change=change,
        report=Report(notices=tuple(notices.retired(service, addresses))),
    )
