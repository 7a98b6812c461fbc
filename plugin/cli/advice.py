"""`explain`, `doctor`, `diff`, `support-bundle`."""

from pathlib import Path

import click

from plugin.cli.complete import complete_nodes, complete_services
from plugin.cli.deep import service_argument
from plugin.cli.flags import cluster_of
from plugin.cli.options import connection, exit_code, output, watch
from plugin.cli.show import View, show
from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.shell.output import Format

SOURCES = (kinds.SERVICES, kinds.GROUPS, kinds.LEASES, kinds.AGENTS)


@click.command()
@output
@watch
@exit_code
@connection
@click.argument("service", metavar="[NAMESPACE/]SERVICE", shell_complete=complete_services)
@click.pass_context
def explain(
    context: click.Context, output: Format, watch: bool, exit_code: bool, service: str
) -> None:
    """Explain the whole chain from a Service's request to who answers for its address."""
    from plugin.core.allocation import allocator_of
    from plugin.core.explain import Explanation, explain_service
    from plugin.core.one import one_of
    from plugin.render.advice import explain_text

    cluster, key = cluster_of(context), service_argument(context, service)

    def compute(found: kinds.Snapshot) -> Explanation:
        found, one = one_of(found, key)
        return explain_service(found, allocator_of(found), one)

    view: View[Explanation] = View(
        needs=(*SOURCES, kinds.service_of(key)),
        wishes=(
            *(kinds.PODS, kinds.NODES, kinds.CIDRS),
            kinds.slices_of(key),
            kinds.events_of(key),
        ),
        compute=compute,
        render=lambda report, _: explain_text(report),
        problem=lambda report: report.verdict if exit_code and not report.reachable else "",
    )
    show(cluster, view, output, watch=watch)


why = explain


@click.command()
@output
@watch
@exit_code
@connection
@click.option(
    "--node", default="", metavar="NAME", help="Only this node.", shell_complete=complete_nodes
)
@click.pass_context
def doctor(context: click.Context, output: Format, watch: bool, exit_code: bool, node: str) -> None:
    """Show what keeps nodes from serving, and the lines that an administrator has to write."""
    from plugin.core.doctor import DoctorReport, examine
    from plugin.render.advice import doctor_text

    def compute(found: kinds.Snapshot) -> DoctorReport:
        report = examine(found, node)
        if node and not report.nodes:
            raise PluginError(f'there is no node "{node}"; see kubectl get nodes')
        return report

    view: View[DoctorReport] = View(
        needs=(kinds.LEASES, kinds.AGENTS),
        wishes=(kinds.PODS, kinds.NODES, kinds.SERVICES, kinds.BGP_NODES),
        compute=compute,
        render=lambda report, _: doctor_text(report),
        problem=lambda report: (
            f"{report.warnings} warning(s)" if exit_code and report.warnings else ""
        ),
    )
    show(cluster_of(context), view, output, watch=watch)


@click.command()
@output
@exit_code
@connection
@click.argument("file", metavar="FILE", type=click.Path())
@click.pass_context
def diff(context: click.Context, output: Format, exit_code: bool, file: str) -> None:
    """Show what ServiceGroups in FILE (- for standard input) would do if they were applied."""
    from plugin.core.difference import DiffReport, difference
    from plugin.render.advice import diff_text
    from plugin.shell.files import read_groups

    cluster = cluster_of(context)
    groups = read_groups(file, cluster.namespace)
    view: View[DiffReport] = View(
        needs=(kinds.SERVICES, kinds.GROUPS),
        wishes=(kinds.LEASES, kinds.PODS, kinds.NODES, kinds.CIDRS),
        compute=lambda found: difference(found, groups),
        render=lambda report, _: diff_text(report),
        problem=lambda report: (
            f"{report.stranded} address(es) would be stranded"
            if exit_code and report.stranded
            else ""
        ),
    )
    show(cluster, view, output)


@click.command("support-bundle")
@connection
@click.option("-f", "--file", "path", type=click.Path(path_type=Path), help="Archive to write.")
@click.option("--log-lines", default=500, show_default=True, help="Of each container; 0 for none.")
@click.pass_context
def support_bundle(context: click.Context, path: Path | None, log_lines: int) -> None:
    """Collect what somebody else needs to understand this cluster, without secrets."""
    from plugin.shell.bundle import collect, default_name
    from plugin.shell.files import write_archive

    cluster = cluster_of(context)
    files = collect(cluster, log_lines)
    name = default_name(cluster.client.now())
    target = path or Path(f"{name}.tar.gz")
    write_archive(target, name, files)
    print(f"{target}: {len(files)} files, {sum(map(len, files.values()))} bytes; no Secret is read")
