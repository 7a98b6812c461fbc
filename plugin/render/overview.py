"""Tables of `status`, `pools`, `services` and `version`."""

from collections.abc import Iterator

from plugin.core.document import percent
from plugin.core.pools import GroupRow, PoolsReport
from plugin.core.services import ServiceRow, ServicesReport
from plugin.core.status import StatusReport
from plugin.core.verdicts import Verdict
from plugin.core.version import ComponentVersion, VersionReport
from plugin.render.table import or_dash, table


def status_text(report: StatusReport, *, is_wide: bool) -> list[str]:
    """Return the page; wide, with a warning on each line."""
    parts = report.components
    components = [f"Allocator {parts.allocator}", f"LBNodeAgents {parts.lbnodeagent}"]
    if parts.k8gobgp:
        components.append(f"k8gobgp {parts.k8gobgp}")
    title = "PureLB Cluster Status"
    lines = [
        title,
        "=" * len(title),
        f"Components:  {' | '.join(components)}",
        f"Pools:       {report.pools.summary}",
        f"Election:    {report.election.summary}",
        f"BGP:         {report.bgp.summary}",
        f"Services:    {report.services.summary}",
    ]
    if report.findings:
        lines.append(f"Hosts:       {report.findings} finding(s); see kubectl purelb doctor")
    lines.append("")
    if not report.warnings:
        return [*lines, f"Overall: {report.overall}"]
    if is_wide:
        return [*lines, f"Overall: {report.overall}", *(f"  - {w}" for w in report.warnings)]
    return [*lines, f"Overall: {report.overall} ({'; '.join(report.warnings)})"]


def pools_text(report: PoolsReport, *, shows_services: bool, is_wide: bool) -> list[str]:
    """Return the table, the totals, and what is wrong with groups."""
    headers = ["SERVICEGROUP", "TYPE", "POOL RANGE", "SUBNET", "FAMILY"]
    headers += ["SIZE", "USED", "AVAIL", "UTIL%"]
    if is_wide:
        headers += ["NAMESPACES", "RESERVED"]
    rows = [
        row
        for group in report.service_groups
        for row in _group_rows(group, shows_services=shows_services, is_wide=is_wide)
    ]
    lines = [*table(headers, rows), "", _totals(report)]
    notes = [f"{group.name}: {group.problem}" for group in report.service_groups if group.problem]
    notes += report.out_of_scope
    return lines + [f"  *** not usable: {note}" for note in notes]


def _group_rows(group: GroupRow, *, shows_services: bool, is_wide: bool) -> Iterator[list[object]]:
    bound = ",".join(group.namespaces) + (" (enforced)" if group.enforced else "")
    wide = [or_dash(bound), group.reserved] if is_wide else []
    for one in group.ranges:
        cells: list[object] = [group.name, group.type, one.pool, one.subnet, one.family]
        cells += [one.size, one.used, one.available, f"{one.util_percent:.0f}%"]
        yield cells + wide
        if shows_services:
            for service in one.services:
                yield ["", "", f"  {service}", *[""] * (6 + len(wide))]
    if group.provider and not group.problem:
        managed = f"(managed by {group.provider})"
        yield [group.name, group.type, managed, "-", "-", "-", group.allocated, "-", "-", *wide]
    elif not group.ranges:
        yield [group.name, or_dash(group.type), *["-"] * 7, *wide]


def _totals(report: PoolsReport) -> str:
    parts = [
        f"{used}/{size} {family} used ({percent(used, size):.0f}%)"
        for family, used, size in (
            ("IPv4", report.used_ipv4, report.total_ipv4),
            ("IPv6", report.used_ipv6, report.total_ipv6),
        )
        if size
    ]
    if report.external_pools:
        parts.append(
            f"{report.external_pools} external pool(s): {report.external_allocated} allocated"
        )
    groups = len(report.service_groups)
    ranges = sum(len(group.ranges) for group in report.service_groups)
    return f"Totals: {groups} ServiceGroup(s), {ranges} range(s), {' | '.join(parts) or 'empty'}"


def services_text(report: ServicesReport, *, is_wide: bool) -> list[str]:
    """Return the table, the shared addresses, and the counts."""
    headers = ["NAMESPACE", "SERVICE", "IPS", "POOL", "TYPE", "IPAM", "ANNOUNCING", "SHARING"]
    headers += ["PORTS", "STATUS"] if is_wide else ["STATUS"]
    lines = table(headers, [_service_row(row, is_wide=is_wide) for row in report.services])
    if report.shared_ips:
        lines += ["", "Shared IPs:"]
        lines += [
            f"  {shared.ip} (sharing key: {shared.sharing_key}): {', '.join(shared.services)}"
            for shared in report.shared_ips
        ]
    counts = f"{report.total_services} service(s), {report.total_ips} IP(s)"
    return [*lines, "", f"{counts}, {report.problems} problem(s)"]


def _service_row(row: ServiceRow, *, is_wide: bool) -> list[str]:
    cells = (row.pool, row.pool_type, row.ipam, row.announcing, row.sharing_key)
    marker = "" if row.status in (Verdict.OK, Verdict.PENDING) else "  ***"
    ports = [or_dash(row.ports)] if is_wide else []
    shown = [row.namespace, row.name, row.ip, *(or_dash(cell) for cell in cells)]
    return [*shown, *ports, row.status + marker]


def version_text(report: VersionReport) -> list[str]:
    """Return one line for each component."""
    lines = [
        f"Plugin:      {report.plugin}",
        f"Allocator:   {_version(report.allocator, 'pod')}",
        f"LBNodeAgent: {_version(report.lbnodeagent, 'pod')}",
    ]
    if report.k8gobgp.pods:
        lines.append(f"k8gobgp:     {_version(report.k8gobgp, 'sidecar')}")
    lines += [f"CRDs:        {', '.join(report.crds) or 'none'}", ""]
    consistent = "OK" if report.consistent else "DEGRADED (not all pods running)"
    return [*lines, f"Version Consistency: {consistent}"]


def _version(found: ComponentVersion, noun: str) -> str:
    image = found.image or "(none)"
    return f"{image} ({found.pods} {noun}(s), {found.running} Running)"
