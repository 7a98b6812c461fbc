"""`evacuate`, `move` and `uncordon`: the only commands that write."""

import time
from collections.abc import Collection
from dataclasses import replace

import click

from plugin.cli.complete import complete_nodes
from plugin.cli.flags import cluster_of
from plugin.cli.options import connection, output
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.core.snapshot import Snapshot
from plugin.shell.cluster import Cluster
from plugin.shell.output import Format, structured, text, warn
from purelb.api import annotations
from purelb.api.addresses import IPAddress, parse_ip
from purelb.api.views import ServiceView

LOOK_SECONDS = 0.5  # after which a wait looks at the clock, though nothing has changed


@click.command()
@output
@connection
@click.option("--wait", is_flag=True, help="Return when the node announces nothing any more.")
@click.option("--timeout", default="1m", metavar="DURATION", help="How long to wait; 1m.")
@click.option("--force", is_flag=True, help="Even if no other node can have an address.")
@click.argument("node", shell_complete=complete_nodes)
@click.pass_context
def evacuate(context: click.Context, /, output: Format, node: str, **given: str | bool) -> None:
    """Move all local addresses of a node to others, and let it have none until `uncordon`."""
    from plugin.core.evacuation import announced_by, evacuation_of
    from plugin.render.moves import evacuation_text

    seconds, cluster = _seconds(str(given["timeout"])), cluster_of(context)
    found = cluster.read((kinds.NODES, kinds.LEASES, kinds.SERVICES), (kinds.GROUPS,))
    warn(found.gaps)
    found = _with_endpoints(cluster, found, [one for one, _ in announced_by(found, node)])
    report = evacuation_of(found, node)
    if report.stranded and not given["force"]:
        first = next(one for one in report.addresses if one.warning)
        raise PluginError(
            f"no other node can have {report.stranded} address(es) of {node}, such as {first.ip}"
            f" of {first.service}: they would be announced by nobody; --force does it nevertheless"
        )
    cluster.annotate_node(node, annotations.EVACUATE, "true")
    if given["wait"]:
        _wait_empty(cluster, node, seconds)
    if output.is_text:
        print(text(evacuation_text(report, is_done=bool(given["wait"]))))
    else:
        print(structured(report, output))


@click.command()
@output
@connection
@click.option("--back", is_flag=True, help="Let the election decide again.")
@click.argument("address")
@click.argument("node", default="", shell_complete=complete_nodes)
@click.pass_context
def move(context: click.Context, output: Format, back: bool, address: str, node: str) -> None:
    """Move a local address to a node, which announces it as long as it can."""
    from plugin.core.moving import move_of, named_by, way_back_of
    from plugin.render.moves import move_text

    if back == bool(node):
        raise PluginError("say to which NODE, or --back")
    ip, cluster = _address(address), cluster_of(context)
    found = cluster.read((kinds.SERVICES, kinds.LEASES), (kinds.NODES, kinds.AGENTS, kinds.GROUPS))
    warn(found.gaps)
    if back:
        report = way_back_of(_with_endpoints(cluster, found, named_by(found, ip)), ip)
    else:
        report = move_of(found, ip, node)
    for service in report.services:
        cluster.annotate_service(service, annotations.ANNOUNCE_NODE, node or None)
    print(text(move_text(report)) if output.is_text else structured(report, output))


@click.command()
@connection
@click.argument("node", shell_complete=complete_nodes)
@click.pass_context
def uncordon(context: click.Context, node: str) -> None:
    """Let a node that was evacuated have addresses again."""
    from plugin.core.evacuation import assert_known

    cluster = cluster_of(context)
    assert_known(cluster.read((kinds.NODES,)), node)
    cluster.annotate_node(node, annotations.EVACUATE, None)
    print(f"{node} may announce addresses again")


def _with_endpoints(
    cluster: Cluster, found: Snapshot, services: Collection[ServiceView]
) -> Snapshot:
    """Return the snapshot with EndpointSlices, if an election of these Services needs them."""
    from plugin.core.placing import needs_endpoints

    if not needs_endpoints(services):
        return found
    more = cluster.read((), (kinds.SLICES,))
    warn(more.gaps)
    return replace(found, slices=more.slices)


def _wait_empty(cluster: Cluster, node: str, seconds: float) -> None:
    from plugin.core.evacuation import announced_by
    from plugin.shell.following import Following

    following, deadline = Following(cluster, (kinds.SERVICES,)), time.monotonic() + seconds
    while left := list(announced_by(following.look(LOOK_SECONDS), node)):
        if time.monotonic() >= deadline:
            (service, address), count = left[0], len({ip for _, ip in left})
            raise PluginError(
                f"{node} still announces {count} address(es), such as {address} of"
                f" {service.key}; is its agent well? See kubectl purelb doctor --node {node}"
            )


def _address(text: str) -> IPAddress:
    try:
        return parse_ip(text)
    except ValueError as error:
        raise PluginError(str(error)) from error


def _seconds(timeout: str) -> float:
    from purelb.api.durations import parse_duration

    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise PluginError(f"--timeout: {error}") from error
