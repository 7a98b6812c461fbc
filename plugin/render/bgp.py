"""Tables of `bgp sessions` and `bgp dataplane`."""

from plugin.core.dataplane import DataplaneReport
from plugin.core.sessions import SessionRow, SessionsReport
from plugin.render.table import or_dash, table


def sessions_text(report: SessionsReport, *, is_wide: bool) -> list[str]:
    """Return all sessions and the problems."""
    headers = ["NODE", "ROUTER ID", "NEIGHBOR", "PEER ASN", "STATE", "UPTIME", "PREFIXES"]
    headers += ["LOCAL ASN", "LAST ERROR", "SELECTOR"] if is_wide else ["SELECTOR"]
    lines = [f"BGP Global: ASN {report.global_asn}, Router ID: {report.router_id_mode}", ""]
    lines += table(headers, [_session(row, is_wide=is_wide) for row in report.sessions])
    return lines + _listed("Problems:", report.problems)


def sessions_check(report: SessionsReport) -> list[str]:
    """Return the problems, or one line that there are none."""
    if report.problems:
        return ["Problems:", *(f"  {problem}" for problem in report.problems)]
    up = sum(row.state == "Established" for row in report.sessions)
    return [f"All {up} BGP session(s) established, no problems detected"]


def _session(row: SessionRow, *, is_wide: bool) -> list[str]:
    is_peer = row.state != "-"
    marker = "" if row.state in ("Established", "-") else "  *** DOWN ***"
    prefixes = f"{row.prefixes_sent}/{row.prefixes_received}" if is_peer else "-"
    cells = [row.node, or_dash(row.router_id), row.neighbor, str(row.peer_asn or "-")]
    cells += [row.state, row.uptime, prefixes]
    if is_wide:
        cells += [str(row.local_asn or "-"), or_dash(row.last_error)]
    return [*cells, or_dash(row.selector) + marker]


def dataplane_text(report: DataplaneReport, *, imports: bool, exports: bool) -> list[str]:
    """Return the sections that are wanted, in the order in which routes travel."""
    lines: list[str] = []
    if imports:
        lines += _import(report)
    if imports and exports and report.rib_routes:
        lines += _advertisements(report)
    if exports and report.export_enabled:
        lines += _export(report)
    if report.cross_reference:
        lines += _crossed(report)
    if report.vrfs:
        lines += ["", "=== VRFs ==="]
        lines += [
            f"  {vrf.name}: RD {vrf.rd}, {vrf.imported_routes} imported routes,"
            f" {vrf.exported_routes} exported routes"
            for vrf in report.vrfs
        ]
    lines += _listed("=== Problems ===", report.problems)
    return lines[1:] if lines and not lines[0] else lines


def dataplane_check(report: DataplaneReport) -> list[str]:
    """Return the problems, or one line that there are none."""
    if report.problems:
        return ["Problems:", *(f"  {problem}" for problem in report.problems)]
    return ["No data plane problems detected"]


def _listed(title: str, problems: tuple[str, ...]) -> list[str]:
    return ["", title, *(f"  {problem}" for problem in problems)] if problems else []


def _import(report: DataplaneReport) -> list[str]:
    rows = [
        (
            one.node,
            one.interface,
            one.address,
            "Yes" if one.in_rib else "NO  *** IMPORT FAILURE ***",
        )
        for one in report.import_addresses
    ]
    filled = {(one.node, one.interface) for one in report.import_addresses}
    for link in report.import_interfaces:
        if (link.node, link.interface) not in filled:
            state = (link.oper_state or "unknown") if link.exists else "NOT FOUND  ***"
            rows.append((link.node, link.interface, "(no addresses)", state))
    config = "enabled" if report.import_enabled else "disabled"
    lines = ["=== Netlink Import ===", f"Config: {config}"]
    if rows:
        lines += ["", *table(("NODE", "INTERFACE", "ADDRESS", "IN RIB?"), rows)]
    return lines


def _advertisements(report: DataplaneReport) -> list[str]:
    rows = (
        (
            one.node,
            one.prefix,
            ", ".join(one.advertised_to) or "(not advertised)",
            or_dash(one.service),
        )
        for one in report.rib_routes
    )
    headers = ("NODE", "ROUTE", "ADVERTISED TO", "SERVICE")
    return ["", "=== BGP Advertisements ===", *table(headers, rows)]


def _export(report: DataplaneReport) -> list[str]:
    rules = ", ".join(
        f'"{rule.name}" (metric={rule.metric}, table={rule.table_id})'
        for rule in report.export_rules
    )
    lines = ["", "=== Netlink Export ===", "Config: enabled"]
    if rules:
        lines.append(f"Rules: {rules}")
    rows = [
        (
            one.node,
            one.prefix,
            "Yes" if one.installed else "NO  *** EXPORT FAILURE ***",
            one.table,
            one.metric,
        )
        for one in report.export_routes
    ]
    if rows:
        headers = ("NODE", "RECEIVED ROUTE", "IN KERNEL?", "TABLE", "METRIC")
        lines += ["", *table(headers, rows)]
    return lines


def _crossed(report: DataplaneReport) -> list[str]:
    lines = ["", "=== Cross-reference (remote pool services) ==="]
    for one in report.cross_reference:
        where = f" on {one.node}" if one.node else ""
        is_bad = one.status not in ("OK", "ETP Local (endpoint-only)")
        marker = f"  *** {one.status} ***" if is_bad else ""
        lines.append(f"  {one.ip}  {one.service:<30}  {one.status}{where}{marker}")
    return lines
