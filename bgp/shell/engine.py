"""Drives one gobgpd over its socket: operations in, what it lists and tells out.

Belongs here: which calls an operation is. Does not: the shape of messages (`messages`), the process
(`supervisor`), what is wanted (`bgp.core`).
"""

import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import assert_never

from bgp.core.model import NO_VRF, AfiSafi, Policies, Range, Route
from bgp.core.observed import LearnedPath, Seen, Sent, SessionFacts, not_sent
from bgp.core.plan import (
    AddGroup,
    AddPeer,
    AddRange,
    AddRoutes,
    AddVrf,
    DeleteGroup,
    DeletePeer,
    DeleteRange,
    DeleteVrf,
    Op,
    RemoveRoutes,
    SetPolicies,
    StartSpeaker,
    StopSpeaker,
)
from bgp.shell import messages
from purelb.runtime import gobgp_pb2 as wire
from purelb.runtime.rpc import Channel, Method, Reply, Request, RpcError

SERVICE = "/apipb.GobgpApi"
CALL_SECONDS = 5.0
LIST_SECONDS = 20.0  # a hundred thousand routes
ROUTES_AT_ONCE = 500  # in one message
UNICAST = (AfiSafi.IPV4, AfiSafi.IPV6)


def _method(name: str, request: type[Request], reply: type[Reply]) -> Method[Request, Reply]:
    return Method(f"{SERVICE}/{name}", request, reply)


START = _method("StartBgp", wire.StartBgpRequest, wire.Nothing)
STOP = _method("StopBgp", wire.Nothing, wire.Nothing)
GET = _method("GetBgp", wire.Nothing, wire.GetBgpResponse)
ADD_PEER = _method("AddPeer", wire.AddPeerRequest, wire.Nothing)
DELETE_PEER = _method("DeletePeer", wire.DeletePeerRequest, wire.Nothing)
LIST_PEER = _method("ListPeer", wire.ListPeerRequest, wire.ListPeerResponse)
RESET_PEER = _method("ResetPeer", wire.ResetPeerRequest, wire.Nothing)
ADD_GROUP = _method("AddPeerGroup", wire.AddPeerGroupRequest, wire.Nothing)
DELETE_GROUP = _method("DeletePeerGroup", wire.DeletePeerGroupRequest, wire.Nothing)
ADD_RANGE = _method("AddDynamicNeighbor", wire.AddDynamicNeighborRequest, wire.Nothing)
DELETE_RANGE = _method("DeleteDynamicNeighbor", wire.DeleteDynamicNeighborRequest, wire.Nothing)
ADD_VRF = _method("AddVrf", wire.AddVrfRequest, wire.Nothing)
DELETE_VRF = _method("DeleteVrf", wire.DeleteVrfRequest, wire.Nothing)
ADD_PATHS = _method("AddPathStream", wire.AddPathStreamRequest, wire.Nothing)
LIST_PATH = _method("ListPath", wire.ListPathRequest, wire.ListPathResponse)
GET_TABLE = _method("GetTable", wire.GetTableRequest, wire.GetTableResponse)
SET_POLICIES = _method("SetPolicies", wire.SetPoliciesRequest, wire.Nothing)
ASSIGN = _method("SetPolicyAssignment", wire.SetPolicyAssignmentRequest, wire.Nothing)
WATCH = _method("WatchEvent", wire.WatchEventRequest, wire.WatchEventResponse)

ALL = "all"


class Engine:
    """One gobgpd. All methods raise RpcError.

    `restarts` says whether sessions that an engine before this one had are to be resumed: then
    neighbors with graceful restart are told so.
    """

    def __init__(self, socket: str) -> None:
        self.restarts = False
        self._channel = Channel(socket)

    def close(self) -> None:
        """Drop the connection; it is made anew when it is needed."""
        self._channel.close()

    async def execute(self, op: Op) -> None:
        """Carry out one operation."""
        match op:
            case StartSpeaker(speaker):
                message = wire.StartBgpRequest(**{"global": messages.speaker_message(speaker)})
                await self._call(START, message)
            case StopSpeaker():
                await self._call(STOP, wire.Nothing())
            case SetPolicies(policies):
                await self._set_policies(policies)
            case AddVrf(vrf):
                await self._call(ADD_VRF, wire.AddVrfRequest(vrf=messages.vrf_message(vrf)))
            case DeleteVrf(vrf):
                await self._call(DELETE_VRF, wire.DeleteVrfRequest(name=vrf.name))
            case AddRoutes(routes):
                await self._send(routes, withdraws=False)
            case RemoveRoutes(routes):
                await self._send(routes, withdraws=True)
            case _:
                await self._change_sessions(op)

    async def _change_sessions(
        self, op: AddGroup | DeleteGroup | AddRange | DeleteRange | AddPeer | DeletePeer
    ) -> None:
        match op:
            case AddGroup(group):
                group_message = messages.group_message(group, restarts=self.restarts)
                await self._call(ADD_GROUP, wire.AddPeerGroupRequest(peer_group=group_message))
            case DeleteGroup(group):
                await self._call(DELETE_GROUP, wire.DeletePeerGroupRequest(name=group.name))
            case AddRange(each):
                entry = wire.DynamicNeighbor(prefix=each.prefix, peer_group=each.group)
                await self._call(ADD_RANGE, wire.AddDynamicNeighborRequest(dynamic_neighbor=entry))
            case DeleteRange(each):
                await self._delete_range(each)
            case AddPeer(peer):
                message = messages.peer_message(peer, restarts=self.restarts)
                await self._call(ADD_PEER, wire.AddPeerRequest(peer=message))
            case DeletePeer(peer):
                await self._call(DELETE_PEER, wire.DeletePeerRequest(address=peer.address))
            case _:
                assert_never(op)

    async def ping(self) -> bool:
        """Return whether it speaks BGP; raises RpcError if it does not answer at all."""
        reply = await self._call(GET, wire.Nothing())
        return bool(getattr(reply, "global").asn)

    async def look(self) -> Seen:
        """Return what it has, as far as others can change it."""
        if not await self.ping():
            return Seen(is_speaking=False)
        sessions = await self.sessions()
        return Seen(
            is_speaking=True,
            addresses=frozenset(one.address for one in sessions if not one.group),
            routes=frozenset([route for family in UNICAST for route in await self._own(family)]),
        )

    async def sessions(self) -> tuple[SessionFacts, ...]:
        """Return every session, dynamic neighbors' too."""
        request = wire.ListPeerRequest(enableAdvertised=True)
        replies = await self._channel.list(LIST_PEER, request, LIST_SECONDS)
        return tuple(messages.session_facts(reply.peer) for reply in replies)

    async def paths(self, family: AfiSafi) -> tuple[LearnedPath, ...]:
        """Return every path of the global table."""
        return tuple(self._paths(await self._list(wire.GLOBAL, family)))

    async def advertised(self, family: AfiSafi, neighbor: str) -> tuple[LearnedPath, ...]:
        """Return what a neighbor is sent."""
        return tuple(self._paths(await self._list(wire.ADJ_OUT, family, neighbor)))

    async def count(self, family: AfiSafi) -> int:
        """Return how many prefixes of a family there are."""
        message = messages.family_message(family)
        request = wire.GetTableRequest(table_type=wire.GLOBAL, family=message)
        return int((await self._call(GET_TABLE, request)).num_destination)

    async def watch_sessions(self) -> AsyncGenerator[None, None]:
        """Yield once for each session that changes its state; it begins with all there are."""
        request = wire.WatchEventRequest(peer=wire.WatchEventRequest.Peer())
        async with contextlib.aclosing(self._channel.watch(WATCH, request)) as replies:
            async for _ in replies:
                yield

    async def watch_paths(self) -> AsyncGenerator[tuple[LearnedPath, ...], None]:
        """Yield the best paths of prefixes, all there are and then those that change.

        A withdrawn path is one that its prefix has no more.
        """
        best = wire.WatchEventRequest.Table.Filter(
            type=wire.WatchEventRequest.Table.Filter.BEST, init=True
        )
        table = wire.WatchEventRequest.Table(filters=[best])
        request = wire.WatchEventRequest(table=table)
        async with contextlib.aclosing(self._channel.watch(WATCH, request)) as replies:
            async for reply in replies:
                found = (messages.learned_path(path) for path in reply.table.paths)
                yield tuple(path for path in found if path is not None)

    async def _call(self, method: Method[Request, Reply], request: Request) -> Reply:
        return await self._channel.call(method, request, CALL_SECONDS)

    async def _send(self, routes: Sequence[Route], *, withdraws: bool) -> None:
        vrf = routes[0].vrf
        table = wire.GLOBAL if vrf == NO_VRF else wire.VRF
        requests = (
            wire.AddPathStreamRequest(
                table_type=table,
                vrf_id=vrf,
                paths=[messages.path_message(one, withdraws=withdraws) for one in batch],
            )
            for batch in _batches(routes, ROUTES_AT_ONCE)
        )
        await self._channel.feed(ADD_PATHS, requests, LIST_SECONDS)

    async def _set_policies(self, policies: Policies) -> None:
        """Replace the policies and let them judge all routes anew.

        What they newly keep from a neighbor gobgpd 3.10 does not withdraw: it judges the old route
        by the new policy and finds that it was never sent. Routes of ours are therefore withdrawn
        and sent again; a session on which a route of others must go is reset.
        """
        before = await self._sent()
        await self._call(SET_POLICIES, messages.policy_messages(policies))
        for assignment in messages.assignment_messages(policies):
            await self._call(ASSIGN, wire.SetPolicyAssignmentRequest(assignment=assignment))
        if not before:
            return
        reset = wire.ResetPeerRequest(address=ALL, soft=True, direction=wire.ResetPeerRequest.BOTH)
        await self._call(RESET_PEER, reset)
        lost = not_sent(before, await self._sent())
        if lost.own:
            await self._send(lost.own, withdraws=True)
            await self._send(lost.own, withdraws=False)
        for address in lost.stuck:
            hard = wire.ResetPeerRequest(address=address, communication="route policy has changed")
            await self._call(RESET_PEER, hard)

    async def _sent(self) -> Sent:
        """Return what each neighbor whose session is up is sent."""
        return {
            session.address: [
                path
                for count in session.counts
                if count.family in UNICAST
                for path in await self.advertised(count.family, session.address)
            ]
            for session in await self.sessions()
            if session.is_up
        }

    async def _delete_range(self, each: Range) -> None:
        """Remove a range and the sessions of its group, which keep the group from going."""
        # Without the group's name gobgpd 3.10 ends by a nil dereference.
        request = wire.DeleteDynamicNeighborRequest(prefix=each.prefix, peer_group=each.group)
        await self._call(DELETE_RANGE, request)
        for session in await self.sessions():
            if session.group == each.group:
                with contextlib.suppress(RpcError):  # it may have gone by itself
                    await self._call(DELETE_PEER, wire.DeletePeerRequest(address=session.address))

    async def _own(self, family: AfiSafi) -> Iterator[Route]:
        found = self._paths(await self._list(wire.GLOBAL, family))
        return (Route(path.prefix) for path in found if not path.neighbor)

    async def _list(
        self, table: "wire.TableType", family: AfiSafi, name: str = ""
    ) -> tuple[wire.ListPathResponse, ...]:
        message = messages.family_message(family)
        request = wire.ListPathRequest(table_type=table, family=message, name=name)
        return await self._channel.list(LIST_PATH, request, LIST_SECONDS)

    def _paths(self, replies: Sequence[wire.ListPathResponse]) -> Iterator[LearnedPath]:
        for reply in replies:
            for path in reply.destination.paths:
                if (found := messages.learned_path(path)) is not None:
                    yield found


def _batches(routes: Sequence[Route], size: int) -> Iterator[Sequence[Route]]:
    return (routes[start : start + size] for start in range(0, len(routes), size))
