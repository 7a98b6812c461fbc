"""Decisions in words: the Events about a Service. Pure.

Belongs here: reasons and texts, parts of which users' tools match. Does not: when a person is told
(`settle`), how Events are sent (the shell).
"""

from collections.abc import Iterable, Sequence

from allocator.core.facts import Facts
from allocator.core.pool import PoolSet
from allocator.core.request import is_deprecated_pin, is_pinned
from purelb.api import annotations
from purelb.api.addresses import IPAddress
from purelb.api.identifiers import PoolName, ServiceKey
from purelb.api.problems import Notice, NoticeType, Problem
from purelb.api.views import ServiceView

# Nodes come and go: which addresses they are is for the condition to say.
GUARDED = (
    "some of its addresses belong to the cluster itself and are given to no Service; condition"
    " Guarded names them"
)


def assigned(
    service: ServiceView, added: Sequence[IPAddress], allocated_from: str
) -> Iterable[Notice]:
    """Tell of new addresses: once for all of them, pinned ones once each.

    `allocated_from` is the text of the annotation: one pool, or one for each pinned address.
    """
    pools = allocated_from.split(", ")
    if is_pinned(service) and len(pools) == len(added):
        for address, pool in zip(added, pools, strict=True):
            yield _normal("AddressAssigned", f"{service.key}: assigned {address} from pool {pool}")
        return
    names = ", ".join(dict.fromkeys(pools))
    text = f"{service.key}: assigned {_listed(added)} from pool {names}"
    yield _normal("AddressAssigned", text)


def settings_used(service: ServiceView) -> Iterable[Notice]:
    """Tell of annotations that override each other, and of deprecated fields."""
    if is_deprecated_pin(service):
        yield _normal(
            "DeprecationWarning",
            f"{service.key}: spec.loadBalancerIP is deprecated; use annotation"
            f" {annotations.ADDRESSES} instead",
        )
    if is_pinned(service) and annotations.SERVICE_GROUP in service.annotations:
        yield _normal(
            "ConfigurationWarning",
            f"{service.key}: the addresses asked for decide the ServiceGroup; annotation"
            f" {annotations.SERVICE_GROUP} is not used for them",
        )


def dropped(facts: Facts) -> Iterable[Notice]:
    """Tell of addresses whose family the Service no longer asks for."""
    if facts.shown_excess:
        asked = ", ".join(facts.service.families)
        yield _normal(
            "AddressReleased",
            f"{facts.service.key}: released {_listed(facts.shown_excess)}, because"
            f" spec.ipFamilies asks for {asked} only",
        )


def retired(service: ServiceView, addresses: Sequence[IPAddress]) -> Iterable[Notice]:
    """Tell of addresses given back because the Service is no LoadBalancer any more."""
    if addresses:
        text = f"released {_listed(addresses)}, because the Service is now of type {service.type}"
        yield _normal("AddressReleased", f"{service.key}: {text}")


def policy_reset(service: ServiceView) -> Notice:
    """Tell that a local address needs externalTrafficPolicy Cluster."""
    return _normal(
        "LocalOverride",
        f"{service.key}: externalTrafficPolicy set to Cluster, because one node holds the address;"
        f" annotation {annotations.ALLOW_LOCAL} keeps Local",
    )


def refused(key: ServiceKey, problem: Problem) -> Notice:
    """Tell why an address could not be given."""
    return _warning("AllocationFailed", f"{key}: {problem.detail}")


def not_multi(key: ServiceKey, pool: PoolName) -> Notice:
    """Tell that an external pool has no ranges to give one address of each."""
    return _warning(
        "ConfigurationWarning",
        f'{key}: pool "{pool}" is external, so one address of each family is given; annotation'
        f" {annotations.MULTI_POOL} has no effect there: remove it",
    )


def clashing(key: ServiceKey, problem: Problem) -> Notice:
    """Tell that two Services use an address without the right to share it."""
    return _warning("ConfigurationWarning", f"{key}: it keeps its address, but {problem.detail}")


def group_notices(pools: PoolSet, group: tuple[str, str]) -> tuple[Notice, ...]:
    """Tell what became of a ServiceGroup; empty if there is no such group."""
    problem = pools.problems.get(group)
    if problem is not None:
        return (_warning(problem.fault.value, f"ServiceGroup {'/'.join(group)}: {problem.detail}"),)
    for pool in pools.pools.values():
        if pool.group.key == group:
            parsed = _normal("Parsed", f"ServiceGroup {'/'.join(group)} is in use")
            guards = (GUARDED,) if pool.guarded else ()
            texts = (*pool.warnings, *guards)
            return (parsed, *(_warning("ConfigurationWarning", text) for text in texts))
    return ()


def _listed(addresses: Iterable[IPAddress]) -> str:
    return ", ".join(map(str, addresses))


def _normal(reason: str, message: str) -> Notice:
    return Notice(type=NoticeType.NORMAL, reason=reason, message=message)


def _warning(reason: str, message: str) -> Notice:
    return Notice(type=NoticeType.WARNING, reason=reason, message=message)
