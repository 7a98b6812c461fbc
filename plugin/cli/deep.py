"""`election`, `validate`, `inspect`."""

import click

from plugin.cli.complete import complete_nodes, complete_services
from plugin.cli.flags import cluster_of, flags_of, is_name, target_of
from plugin.cli.options import connection, exit_code, output, watch
from plugin.cli.show import View, show
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.shell.output import Format


@click.command()
@output
@watch
@exit_code
@connection
@click.option(
    "--node", default="", metavar="NAME", help="Only this node.", shell_complete=complete_nodes
)
@click.option("--check", is_flag=True, help="Show problems only; affects tables.")
@click.option(
    "--simulate-drain",
    default="",
    metavar="NODE",
    help="Show who would win without this node.",
    shell_complete=complete_nodes,
)
@click.pass_context
def election(context: click.Context, /, output: Format, **given: str | bool) -> None:
    """Show the members, the networks they reach, and who would win without one."""
    from plugin.core.election import ElectionReport, problems_of, report_election
    from plugin.render.deep import election_check, election_text

    node, drained = str(given["node"]), str(given["simulate_drain"])
    view: View[ElectionReport] = View(
        needs=(kinds.LEASES, kinds.SERVICES, kinds.GROUPS, kinds.AGENTS),
        wishes=(kinds.NODES,),
        compute=lambda found: report_election(found, node, drained),
        render=lambda report, is_wide: (
            election_check(report) if given["check"] else election_text(report, is_wide=is_wide)
        ),
        problem=lambda report: "; ".join(problems_of(report)) if given["exit_code"] else "",
    )
    show(cluster_of(context), view, output, watch=bool(given["watch"]))


@click.command()
@output
@connection
@click.option("--strict", is_flag=True, help="Fail on warnings, too.")
@click.pass_context
def validate(context: click.Context, output: Format, strict: bool) -> None:
    """Check ServiceGroups, LBNodeAgents and BGPConfigurations; exit with 1 on a failure."""
    from plugin.core.checks import ValidateReport
    from plugin.core.validate import validate as checked
    from plugin.render.deep import validate_text

    view: View[ValidateReport] = View(
        needs=(kinds.GROUPS, kinds.AGENTS),
        wishes=(kinds.LEASES, kinds.NODES, kinds.CIDRS, kinds.PODS, kinds.BGP_CONFIGS),
        compute=checked,
        render=lambda report, _: validate_text(report),
        problem=lambda report: report.failure(is_strict=strict),
    )
    show(cluster_of(context), view, output)


@click.command()
@output
@watch
@connection
@click.argument("service", metavar="[NAMESPACE/]SERVICE", shell_complete=complete_services)
@click.pass_context
def inspect(context: click.Context, output: Format, watch: bool, service: str) -> None:
    """Show one Service from its addresses to the nodes that announce them."""
    from plugin.core.allocation import allocator_of
    from plugin.core.inspect import InspectReport, report_service
    from plugin.core.one import one_of
    from plugin.render.deep import inspect_text

    cluster, key = cluster_of(context), service_argument(context, service)

    def compute(found: kinds.Snapshot) -> InspectReport:
        found, one = one_of(found, key)
        return report_service(found, allocator_of(found), one)

    view: View[InspectReport] = View(
        needs=(kinds.SERVICES, kinds.service_of(key), kinds.GROUPS, kinds.LEASES, kinds.AGENTS),
        wishes=(kinds.PODS, kinds.NODES, kinds.CIDRS, kinds.BGP_NODES, kinds.slices_of(key)),
        compute=compute,
        render=lambda report, _: inspect_text(report),
    )
    show(cluster, view, output, watch=watch)


def service_argument(context: click.Context, text: str) -> str:
    """Return namespace/name; without a namespace that of `-n`, else the context's."""
    if "/" in text:
        key = text
    else:
        key = f"{flags_of(context).namespace or target_of(context).namespace}/{text}"
    parts = key.split("/")
    if len(parts) != 2 or not all(map(is_name, parts)):
        raise PluginError(f'"{text}" is no Service; write NAMESPACE/NAME')
    return key
