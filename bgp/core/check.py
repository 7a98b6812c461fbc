"""Whether a BGPConfiguration makes sense, before any node is asked.

Belongs here: the speaker as a whole, and the order of all checks. Does not: sessions, policies and
routes (`check_sessions`, `check_policies`, `check_routes`), what is wrong on one node (`desired`).
"""

from collections.abc import Iterator

from bgp.core import fields
from bgp.core.check_policies import check_policies
from bgp.core.check_routes import check_export, check_import, check_vrfs
from bgp.core.check_sessions import check_dynamic, check_groups, check_neighbors
from bgp.core.findings import Finding, remark
from bgp.core.routerid import check_router_id
from purelb.api.bgp import BgpSpec, Confederation, GlobalSpec

SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT = 10, 86_400  # seconds
NOT_LISTENING = -1  # a port with which the engine only connects


def check(spec: BgpSpec) -> tuple[Finding, ...]:
    """Return everything that is wrong, in the order of the fields."""
    policies = {policy.name for policy in spec.policy_definitions or ()}
    return (
        *_check_global(spec.global_),
        *fields.apply_policy("spec.global.applyPolicy", spec.global_.apply_policy, policies),
        *check_neighbors(spec, policies),
        *check_groups(spec, policies),
        *check_dynamic(spec),
        *check_vrfs(spec),
        *check_policies(spec),
        *check_import(spec),
        *check_export(spec),
    )


def _check_global(spec: GlobalSpec) -> Iterator[Finding]:
    path = "spec.global"
    yield from fields.asn(f"{path}.asn", spec.asn)
    yield from check_router_id(spec.router_id, spec.router_id_pool)
    port = f"{path}.listenPort"
    yield from fields.number(port, spec.listen_port, NOT_LISTENING, fields.LARGEST_U16)
    for position, text in enumerate(spec.listen_addresses or ()):
        yield from fields.address(f"{path}.listenAddresses[{position}]", text)
    for position, text in enumerate(spec.families or ()):
        yield from fields.family_name(f"{path}.families[{position}]", text)
    if spec.families:
        yield remark(
            f"{path}.families", "has no effect; set afiSafis of each neighbor or of its group"
        )
    yield from fields.link(f"{path}.bindToDevice", spec.bind_to_device)
    if spec.default_route_distance is not None:
        yield remark(
            f"{path}.defaultRouteDistance",
            "has no effect: routes in the kernel have no distance; set metric of the export rules",
        )
    if spec.confederation is not None:
        yield from _check_confederation(f"{path}.confederation", spec.confederation)
    yield from fields.restart(f"{path}.gracefulRestart", spec.graceful_restart)
    heartbeat = spec.node_status.heartbeat_seconds
    where = f"{path}.nodeStatus.heartbeatSeconds"
    yield from fields.number(where, heartbeat, SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT)


def _check_confederation(path: str, value: Confederation) -> Iterator[Finding]:
    if value.enabled:
        yield from fields.asn(f"{path}.identifier", value.identifier)
    for position, member in enumerate(value.member_as_list or ()):
        yield from fields.asn(f"{path}.memberAsList[{position}]", member)
