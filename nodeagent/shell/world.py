"""What the agent knows of the cluster, ready for the core.

Written by informers and mirrors on the loop, read by its passes. Every change wakes them.
"""

import datetime
import logging
from collections.abc import Mapping
from dataclasses import replace

from nodeagent.core.config import NodeConfig, Unconfigured, choose
from nodeagent.core.election import Electorate, Member, members_of
from nodeagent.core.identity import MacBook
from nodeagent.core.remote import RemotePools, read_groups
from nodeagent.settings import Settings
from nodeagent.shell.endpoints import EndpointWatch
from nodeagent.shell.leasewatch import LeaseWatch
from nodeagent.shell.waker import Waker
from purelb.api.groups import view_group
from purelb.api.identifiers import Instant, NodeName, ServiceKey
from purelb.api.resources import Node, NodeAgent, ServiceGroup, decode_service
from purelb.api.views import (
    LeaseView,
    NodeView,
    ServiceView,
    view_node,
    view_service,
)
from purelb.core.lease import Sightings
from purelb.runtime.clock import Clock
from purelb.runtime.informer import Informer, Source
from purelb.runtime.kinds import NODE_AGENTS, SERVICE_GROUPS, own_node
from purelb.runtime.kopf_host import Mirror
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)


class WorldStore:
    """The live caches behind `Facts`: Services, Leases, the configuration and the own Node."""

    def __init__(self, kube: Kube, clock: Clock, settings: Settings, waker: Waker) -> None:
        self.services: dict[ServiceKey, ServiceView] = {}
        self.config: NodeConfig | Unconfigured | None = None
        self.node: NodeView | None = None
        self.sightings = Sightings(patience=settings.lease_seconds)
        self.agents: Mirror[NodeAgent] = Mirror(NODE_AGENTS, self._config_changed)
        self.nodes: Mirror[Node] = Mirror(own_node(settings.node), self._config_changed)
        self.groups: Mirror[ServiceGroup] = Mirror(SERVICE_GROUPS, self._groups_changed)
        self.pools: RemotePools | None = None
        self.endpoints = EndpointWatch(kube, clock, waker)
        self.service_watch = Informer(kube, _services(), self._service_changed, clock)
        watch = LeaseWatch(kube, clock, settings, self._lease_changed, self._lease_left)
        self.lease_watch = watch
        self._clock, self._waker = clock, waker
        self._namespace = settings.namespace
        self._electorate = Electorate()
        self.macs = MacBook()
        self._out_of_sight: set[NodeName] = set()
        self._snapshot: dict[ServiceKey, ServiceView] | None = None  # None: it has changed since

    @property
    def is_complete(self) -> bool:
        """Whether everything has been listed once: before that nothing is changed on the host."""
        return (
            self.service_watch.synced.is_set()
            and self.lease_watch.synced.is_set()
            and self.config is not None
            and self.pools is not None
        )

    def snapshot(self) -> Mapping[ServiceKey, ServiceView]:
        """Return the Services of now; the same object until something changes."""
        if self._snapshot is None:
            self._snapshot = dict(self.services)
        return self._snapshot

    def fresh_since(self) -> Instant | None:
        """Return since when no change of a Lease can have escaped us; None if one may now."""
        return self.lease_watch.fresh_since()

    def electorate(self, own: Member | None, fresh_since: Instant | None) -> Electorate | None:
        """Return the members of this moment; the same object as long as nothing changes.

        The own node is no candidate where the others are not known yet.
        """
        if not self.lease_watch.synced.is_set():
            return None
        if own is not None:
            own = replace(own, subnets=self.lease_watch.shown(own.subnets))
        live = self.sightings.live(self._clock.now(), fresh_since)
        for node in self._out_of_sight - self.sightings.renewed_at().keys():
            self._out_of_sight.discard(node)
            self.macs.forget(node)
        members = sorted(members_of(live, own), key=lambda member: member.node)
        if tuple(members) != self._electorate.members:
            before = self._electorate
            self._electorate = Electorate(members, before=before)
            _tell_members(before, self._electorate)
        return self._electorate

    def _service_changed(self, old: ServiceView | None, new: ServiceView | None) -> None:
        if new is not None:
            self.services[new.key] = new
        elif old is not None:
            self.services.pop(old.key, None)
        self._snapshot = None
        self.endpoints.follow(old, new)
        if _concerns(old) or _concerns(new):
            self._waker.wake_soon()

    def _lease_changed(self, old: LeaseView | None, new: LeaseView | None) -> None:
        _tell_lease(old, new)
        returns = new is not None and new.node in self.sightings.expired()
        if new is not None and new.is_released:
            self.sightings.gone(new.node)
        elif new is not None:
            self._out_of_sight.discard(new.node)
            self.sightings.seen(new, self._clock.now(), _age(new))
            self.macs.note(new.node, new.macs)
        elif old is not None:
            self.sightings.gone(old.node)
            self.macs.forget(old.node)
        if returns or old is None or new is None or _is_news(old, new):
            self._waker.wake()

    def _lease_left(self, lease: LeaseView) -> None:
        self.sightings.left(lease.node)
        self._out_of_sight.add(lease.node)
        self._waker.wake()

    def _config_changed(self) -> None:
        if not (self.agents.synced.is_set() and self.nodes.synced.is_set()):
            return
        node = next(iter(self.nodes.objects.values()), None)
        if node is None:
            return  # not registered yet; the mirror will tell
        before, self.node = self.config, view_node(node)
        self.config = choose(self.agents.objects.values(), self.node)
        _tell_config(before, self.config)
        self._waker.wake()

    def _groups_changed(self) -> None:
        if self.groups.synced.is_set():
            views = [view_group(group) for group in self.groups.objects.values()]
            self.pools = read_groups(views, self._namespace)
            self._waker.wake()


def _tell_lease(old: LeaseView | None, new: LeaseView | None) -> None:
    """Log that a node's Lease has come or gone, in the words that tools search for."""
    was_there = old is not None and not old.is_released
    is_there = new is not None and not new.is_released
    shown = new or old
    if is_there != was_there and shown is not None:
        event = "leaseAdd" if is_there else "leaseDelete"
        logger.info("a node's lease", extra={"event": event, "node": shown.node})


def _tell_members(before: Electorate, after: Electorate) -> None:
    """Log that nodes have become members, or are none any more."""
    old, new = ({member.node for member in one.members} for one in (before, after))
    if old != new:
        facts = {"joined": sorted(new - old), "left": sorted(old - new), "memberCount": len(new)}
        logger.info("members", extra={"event": "membershipChanged", **facts})


def _tell_config(
    before: NodeConfig | Unconfigured | None, after: NodeConfig | Unconfigured
) -> None:
    """Log that no LBNodeAgent configures this node."""
    known = before.missing if isinstance(before, Unconfigured) else ""
    if isinstance(after, Unconfigured) and after.missing and after.missing != known:
        logger.info("this node announces nothing", extra={"event": after.missing})


def _services() -> Source[ServiceView]:
    return Source(path="/api/v1/services", view=lambda body: view_service(decode_service(body)))


def _concerns(service: ServiceView | None) -> bool:
    return service is not None and service.is_branded and bool(service.ingress)


def _is_news(old: LeaseView, new: LeaseView) -> bool:
    """Tell whether a Lease says more than that its holder lives."""
    facts = (old.subnets, old.is_announcing, old.has_heartbeats, old.heeds_wishes)
    is_same = facts == (new.subnets, new.is_announcing, new.has_heartbeats, new.heeds_wishes)
    return not is_same or (old.uid, old.duration, old.is_non_revertive) != (
        new.uid,
        new.duration,
        new.is_non_revertive,
    )


def _age(lease: LeaseView) -> float | None:
    """Return how long ago a Lease was renewed by the wall clocks of both hosts, None if unknown."""
    try:
        renewed = datetime.datetime.fromisoformat(lease.renewed)
    except ValueError:
        return None
    if renewed.tzinfo is None:
        return None
    return (datetime.datetime.now(datetime.UTC) - renewed).total_seconds()
