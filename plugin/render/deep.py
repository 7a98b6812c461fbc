"""Tables of `election`, `validate` and `inspect`."""

from plugin.core.checks import ValidateReport
from plugin.core.election import ElectionReport, MemberRow, Moved, problems_of
from plugin.core.inspect import ElectionRow, InspectReport
from plugin.core.nodeconfig import State
from plugin.render.table import table


def election_text(report: ElectionReport, *, is_wide: bool) -> list[str]:
    """Return the members, what they reach, and the drain's outcome."""
    headers = ["NODE", "CONFIG", "SUBNETS", "RENEWED", "EXPIRES", "HEALTHY", "ANNOUNCING"]
    if is_wide:
        headers += ["CANDIDATE", "FINDINGS"]
    lines = table(headers, [_member(node, is_wide=is_wide) for node in report.nodes])
    lines += [note for node in report.nodes for note in _notes(node)]
    lines += ["", f"Members: {len(report.nodes)}, Subnets: {len(report.subnet_coverage)} unique"]
    lines.append("Subnet Coverage:")
    for one in report.subnet_coverage:
        pools = f"  (covers: {', '.join(one.pools)})" if one.pools else ""
        lines.append(f"  {one.subnet} -> {', '.join(one.nodes)}{pools}")
    if report.uncovered_ranges:
        lines += ["", "Uncovered Pool Ranges:"]
        lines += [
            f"  {one.service_group}: {one.pool} (subnet {one.subnet}) - NO NODES WITH THIS SUBNET"
            for one in report.uncovered_ranges
        ]
    return lines + (_drain(report) if report.drain_node else [])


def election_check(report: ElectionReport) -> list[str]:
    """Return the problems, or one line that there are none."""
    subnets = len(report.subnet_coverage)
    clear = f"All {len(report.nodes)} node(s) healthy, {subnets} subnet(s) covered"
    return problems_of(report) or [f"{clear}, no problems detected"]


def _member(node: MemberRow, *, is_wide: bool) -> list[object]:
    cells: list[object] = [node.name, node.config.state, ",".join(node.subnets) or "(none)"]
    cells += [node.renewed_ago, node.expires_in, str(node.healthy).lower()]
    cells.append(f"{node.announcing} IPs")
    return cells + ([str(node.candidate).lower(), node.findings] if is_wide else [])


def _notes(node: MemberRow) -> list[str]:
    config, notes = node.config, []
    if config.state == State.DESELECTED:
        notes.append(f"{node.name} is selected by no LBNodeAgent: it announces nothing")
    if config.state == State.INVALID:
        notes.append(f"{node.name} announces nothing: {config.reason}")
    if node.evacuated:
        notes.append(f"{node.name} is evacuated; kubectl purelb uncordon {node.name} ends that")
    if config.ignored:
        over = ", ".join(config.ignored)
        if config.contested:
            notes.append(
                f"{node.name} matches multiple specific nodeSelectors; {config.agent} counts, by"
                f" its name, over {over}"
            )
        else:
            notes.append(f"{node.name} uses scoped override {config.agent} (over {over})")
    return [f"  note: {note}" for note in notes]


def _drain(report: ElectionReport) -> list[str]:
    node, rows = report.drain_node, report.drain_simulation
    headers = ["SERVICE", "IP", "CURRENT", "NEW WINNER", "SUBNET"]
    lines = ["", f"Simulating removal of {node} from elections...", ""]
    lines += table(headers, [_moved(row) for row in rows])
    lost = sum(bool(row.warning) for row in rows)
    moving = sum(row.current_winner == node for row in rows)
    lines.append("")
    if lost:
        lines.append(f"WARNING: {lost} IP(s) will have NO announcer after drain")
    return [*lines, f"{moving} IP(s) will move"]


def _moved(row: Moved) -> list[str]:
    warning = f"  *** {row.warning} ***" if row.warning else ""
    current = f"{row.current_winner or '(NONE)'} ->"
    return [row.service, row.ip, current, row.new_winner or "(NONE)", row.subnet + warning]


def validate_text(report: ValidateReport) -> list[str]:
    """Return all verdicts and their counts."""
    lines = [f"Checking {report.checked}...", ""]
    lines += [f"{row.status}  {row.message}" for row in report.checks]
    counts = f"Result: {report.fail} FAIL, {report.warn} WARN, {report.pass_} PASS"
    return [*lines, "", counts]


def inspect_text(report: InspectReport) -> list[str]:
    """Return the sections that there are."""
    parts = [report.type, report.ip_families, f"ETP={report.external_traffic_policy or '-'}"]
    lines = [f"Service: {report.service} ({', '.join(part for part in parts if part)})", ""]
    if report.diagnosis is not None:
        lines += [f"Status: {report.status} - no IP allocated", "", "Diagnosis:"]
        lines += [f"  {detail}" for detail in report.diagnosis.details]
        lines.append(f"  >>> {report.diagnosis.reason} <<<")
    else:
        lines += _allocation(report)
        lines += [line for one in report.elections for line in ["", *_election(one)]]
        lines += _announcement(report)
        lines += _bgp(report)
    ready, nodes = report.endpoints.ready, ", ".join(report.endpoints.nodes)
    return [*lines, "", f"Endpoints: {ready} ready" + (f" ({nodes})" if nodes else "")]


def _family(ip: str) -> str:
    return "IPv6" if ":" in ip else "IPv4"


def _allocation(report: InspectReport) -> list[str]:
    lines = ["Allocation:"]
    for one in report.allocations:
        where = f", range {one.range}, subnet {one.subnet}" if one.range else ""
        lines.append(f"  {_family(one.ip)}: {one.ip} from {one.pool} ({one.pool_type}{where})")
    if report.sharing is None:
        return [*lines, "  Sharing: none"]
    lines.append(f'  Sharing: key "{report.sharing.key}", shared with:')
    return lines + [f"    {other}" for other in report.sharing.co_tenants]


def _election(one: ElectionRow) -> list[str]:
    candidates = ", ".join(one.candidates) or "none"
    lines = [f"Election ({one.ip}):", f"  Candidates: {candidates} (subnet {one.subnet or '-'})"]
    if one.preferred_nodes:
        lines.append(f"  Affinity prefers: {', '.join(one.preferred_nodes)}")
    matches = "MATCHES ANNOUNCER" if one.matches_announcer else "DOES NOT MATCH ANNOUNCER"
    return [*lines, f"  Winner: {one.winner or 'nobody'} ({one.method})  [{matches}]"]


def _announcement(report: InspectReport) -> list[str]:
    if not report.announcements:
        return ["", "Announcement: none"]
    lines = ["", "Announcement:"]
    for one in report.announcements:
        if one.node:
            health = "healthy" if one.lease_healthy else "UNHEALTHY"
            ago = f", renewed {one.renewed_ago} ago" if one.renewed_ago else ""
            lines.append(
                f"  {_family(one.ip)}: {one.node} / {one.interface}  (lease {health}{ago})"
            )
        else:
            lines.append(f"  {_family(one.ip)}: every node / {one.interface}")
    return lines


def _bgp(report: InspectReport) -> list[str]:
    if report.bgp_note:
        return ["", "BGP (remote pool):", f"  {report.bgp_note}"]
    if not report.bgp:
        return []
    return ["", "BGP (remote pool):"] + [
        f"  Route {row.ip} in RIB on {row.node}: {_yes(row.in_rib)},"
        f" Advertised: {_yes(row.advertised)}"
        for row in report.bgp
    ]


def _yes(value: bool) -> str:
    return "Yes" if value else "No"
