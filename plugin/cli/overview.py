"""`status`, `pools`, `services`, `version`."""

import click

from plugin.cli.complete import complete_groups, complete_namespaces, complete_nodes
from plugin.cli.flags import cluster_of
from plugin.cli.options import connection, exit_code, output, watch
from plugin.cli.show import View, show
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.shell.cluster import Cluster
from plugin.shell.output import Format


@click.command()
@output
@watch
@exit_code
@connection
@click.pass_context
def status(context: click.Context, output: Format, watch: bool, exit_code: bool) -> None:
    """Show the health of the whole installation on one page."""
    from plugin.core.allocation import allocator_of
    from plugin.core.status import StatusReport, report_status
    from plugin.render.overview import status_text

    view: View[StatusReport] = View(
        needs=kinds.OVERVIEW[0],
        wishes=kinds.OVERVIEW[1],
        compute=lambda found: report_status(found, allocator_of(found)),
        render=lambda report, is_wide: status_text(report, is_wide=is_wide),
        problem=lambda report: "; ".join(report.warnings) if exit_code else "",
    )
    show(cluster_of(context), view, output, watch=watch)


@click.command()
@output
@watch
@connection
@click.option(
    "--service-group",
    default="",
    metavar="NAME",
    help="Only this group.",
    shell_complete=complete_groups,
)
@click.option("--show-services", is_flag=True, help="List the Services that hold addresses.")
@click.pass_context
def pools(
    context: click.Context, output: Format, watch: bool, service_group: str, show_services: bool
) -> None:
    """Show how full the ServiceGroups are."""
    from plugin.core.allocation import allocator_of
    from plugin.core.pools import PoolsReport, report_pools
    from plugin.render.overview import pools_text

    def compute(found: kinds.Snapshot) -> PoolsReport:
        report = report_pools(found, allocator_of(found), service_group)
        if service_group and not report.service_groups:
            raise PluginError(f'there is no ServiceGroup "{service_group}" in {found.namespace}')
        return report

    view: View[PoolsReport] = View(
        needs=(kinds.SERVICES, kinds.GROUPS),
        wishes=(kinds.NODES, kinds.CIDRS),
        compute=compute,
        render=lambda report, is_wide: pools_text(
            report, shows_services=show_services, is_wide=is_wide
        ),
    )
    show(cluster_of(context), view, output, watch=watch)


@click.command()
@output
@watch
@exit_code
@connection
@click.option(
    "--pool", default="", metavar="NAME", help="From this group.", shell_complete=complete_groups
)
@click.option(
    "--node",
    default="",
    metavar="NAME",
    help="Announced by this node.",
    shell_complete=complete_nodes,
)
@click.option("--ip", default="", metavar="ADDRESS", help="With this address.")
@click.option(
    "--service-namespace",
    default="",
    metavar="NAME",
    help="In this namespace.",
    shell_complete=complete_namespaces,
)
@click.option("--problems", is_flag=True, help="Only those that something is wrong with.")
@click.option("-A", "--all-namespaces", is_flag=True, help="As it is without it, too.")
@click.pass_context
def services(
    context: click.Context,
    /,
    output: Format,
    watch: bool,
    exit_code: bool,
    all_namespaces: bool,
    **wanted: str | bool,
) -> None:
    """Show Services, their addresses and who announces them."""
    from plugin.core.services import Filter, ServicesReport, report_services
    from plugin.render.overview import services_text

    chosen = Filter(
        pool=str(wanted["pool"]),
        node=str(wanted["node"]),
        ip=_address(str(wanted["ip"])),
        namespace="" if all_namespaces else str(wanted["service_namespace"]),
        problems_only=bool(wanted["problems"]),
    )
    view: View[ServicesReport] = View(
        needs=(kinds.SERVICES, kinds.LEASES, kinds.AGENTS, kinds.GROUPS),
        wishes=(kinds.PODS,),
        compute=lambda found: report_services(found, chosen),
        render=lambda report, is_wide: services_text(report, is_wide=is_wide),
        problem=lambda report: (
            f"{report.problems} problem(s)" if exit_code and report.problems else ""
        ),
    )
    show(cluster_of(context), view, output, watch=watch)


def _address(text: str) -> str:
    from purelb.api.addresses import parse_ip

    try:
        return str(parse_ip(text)) if text else ""
    except ValueError as error:
        raise PluginError(f"--ip: {error}") from error


@click.command()
@output
@connection
@click.pass_context
def version(context: click.Context, output: Format) -> None:
    """Show which versions run, and whether all of them do."""
    from plugin.core.version import VersionReport, report_version
    from plugin.render.overview import version_text

    cluster = cluster_of(context)
    view: View[VersionReport] = View(
        needs=(),
        wishes=(kinds.PODS,),
        compute=lambda found: report_version(found, _kinds(cluster)),
        render=lambda report, _: version_text(report),
    )
    show(cluster, view, output)


def _kinds(cluster: Cluster) -> tuple[str, ...]:
    from plugin.core.wire import decode_api_resources

    found: list[str] = []
    for version in ("purelb.io/v2", "bgp.purelb.io/v1"):
        try:
            resources = decode_api_resources(cluster.client.get(f"/apis/{version}")).resources
        except PluginError:
            continue  # not installed, or what the Pods could not be read for, either
        names = {one.kind for one in resources or () if "/" not in one.name}
        found += [f"{version} {kind}" for kind in sorted(names)]
    return tuple(found)
