"""`bgp sessions` and `bgp dataplane`."""

import click

from plugin.cli.complete import complete_nodes
from plugin.cli.flags import cluster_of
from plugin.cli.options import connection, exit_code, output, watch
from plugin.cli.show import View, show
from plugin.core import snapshot as kinds
from plugin.core.bgpstate import BgpState, bgp_of
from plugin.core.problem import NothingToShowError, PluginError
from plugin.shell.output import Format

WISHES = (kinds.PODS, kinds.BGP_CONFIGS)
one_node = click.option(
    "--node", default="", metavar="NAME", help="Only this node.", shell_complete=complete_nodes
)
check_only = click.option("--check", is_flag=True, help="Show problems only; affects tables.")


@click.group(invoke_without_command=True)
@connection
@click.pass_context
def bgp(context: click.Context) -> None:
    """Show BGP sessions, and how routes travel from addresses to neighbors."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def in_use(found: kinds.Snapshot, node: str = "") -> kinds.Snapshot:
    """Return the snapshot if there is BGP in it; NothingToShowError with a plain sentence if not.

    Raises PluginError for a node that tells nothing of BGP.
    """
    state = bgp_of(found).state
    if state is not BgpState.ACTIVE:
        raise NothingToShowError(state.value)
    names = sorted(one.status.node_name for one in found.bgp_nodes)
    if node and node not in names:
        raise PluginError(f'node "{node}" has no BGPNodeStatus; those that do: {", ".join(names)}')
    return found


@bgp.command()
@output
@watch
@exit_code
@connection
@one_node
@check_only
@click.pass_context
def sessions(context: click.Context, /, output: Format, **given: str | bool) -> None:
    """Show the BGP sessions of all nodes."""
    from plugin.core.sessions import SessionsReport, report_sessions
    from plugin.render.bgp import sessions_check, sessions_text

    node = str(given["node"])
    view: View[SessionsReport] = View(
        needs=(kinds.BGP_NODES,),
        wishes=WISHES,
        compute=lambda found: report_sessions(in_use(found, node), node),
        render=lambda report, is_wide: (
            sessions_check(report) if given["check"] else sessions_text(report, is_wide=is_wide)
        ),
        problem=lambda report: "; ".join(report.problems) if given["exit_code"] else "",
    )
    show(cluster_of(context), view, output, watch=bool(given["watch"]))


@bgp.command()
@output
@watch
@exit_code
@connection
@one_node
@check_only
@click.option("--vrf", default="", metavar="NAME", help="Only this VRF.")
@click.option("--import-only", is_flag=True, help="Only the way into the table.")
@click.option("--export-only", is_flag=True, help="Only the way into the kernel.")
@click.pass_context
def dataplane(context: click.Context, /, output: Format, **given: str | bool) -> None:
    """Show how routes travel: addresses, table, neighbors, kernel."""
    from plugin.core.dataplane import DataplaneReport, Part, report_dataplane
    from plugin.render.bgp import dataplane_check, dataplane_text

    if given["import_only"] and given["export_only"]:
        raise PluginError("--import-only and --export-only exclude each other; give one of them")
    part = Part(
        node=str(given["node"]),
        vrf=str(given["vrf"]),
        imports=not given["export_only"],
        exports=not given["import_only"],
    )
    view: View[DataplaneReport] = View(
        needs=(kinds.BGP_NODES,),
        wishes=(*WISHES, kinds.SERVICES, kinds.AGENTS),
        compute=lambda found: report_dataplane(_with_vrf(in_use(found, part.node), part.vrf), part),
        render=lambda report, _: (
            dataplane_check(report)
            if given["check"]
            else dataplane_text(report, imports=part.imports, exports=part.exports)
        ),
        problem=lambda report: "; ".join(report.problems) if given["exit_code"] else "",
    )
    show(cluster_of(context), view, output, watch=bool(given["watch"]))


def _with_vrf(found: kinds.Snapshot, name: str) -> kinds.Snapshot:
    """Return the snapshot; PluginError for a VRF that no node has."""
    known = sorted({vrf.name for node in found.bgp_nodes for vrf in node.status.vrfs or ()})
    if name and name not in known:
        raise PluginError(f'no node has a VRF "{name}"; they have: {", ".join(known) or "none"}')
    return found
