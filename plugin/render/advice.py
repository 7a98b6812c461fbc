"""Tables of `explain`, `doctor` and `diff`."""

from collections.abc import Iterator

from plugin.core.difference import DiffReport
from plugin.core.doctor import Ailment, DoctorReport
from plugin.core.explain import Explanation
from plugin.render.table import table


def explain_text(report: Explanation) -> list[str]:
    """Return the verdict, the chain, and every candidate with its reason."""
    lines = [f"Service: {report.service}", f"Verdict: {report.verdict}", ""]
    lines += table(
        ("STEP", "STATUS", "WHAT"), ((s.stage, s.status, s.message) for s in report.steps)
    )
    if report.groups:
        rows = ((one.group, _yes(one.chosen), _yes(one.serves), one.why) for one in report.groups)
        lines += ["", *table(("SERVICEGROUP", "CHOSEN", "MAY SERVE", "WHY"), rows)]
    if report.nodes:
        nodes = (
            (one.ip, one.node, _yes(one.candidate), _yes(one.winner), one.why)
            for one in report.nodes
        )
        lines += ["", *table(("IP", "NODE", "CANDIDATE", "WINNER", "WHY"), nodes)]
    if report.events:
        events = ((one.ago, one.type, one.reason, one.message) for one in report.events)
        lines += ["", *table(("LAST SEEN", "TYPE", "EVENT", "MESSAGE"), events)]
    return lines


def doctor_text(report: DoctorReport) -> list[str]:
    """Return the nodes with findings, each with the lines to write, and the count."""
    lines: list[str] = []
    for node in report.nodes:
        if not node.findings:
            continue
        lines.append(f"{node.node}:")
        for one in node.findings:
            lines += _ailment(one)
        lines.append("")
    healthy = sum(node.healthy for node in report.nodes)
    return [
        *lines,
        f"{healthy} of {len(report.nodes)} node(s) healthy, {report.warnings} warning(s)",
    ]


def _ailment(one: Ailment) -> Iterator[str]:
    grade = "WARN" if one.severity == "Warning" else "NOTE"
    since = f" (for {one.since})" if one.since else ""
    yield f"  {grade}  {one.type} {one.subject}{since}: {one.message}"
    if one.remedy is not None:
        yield f"        {one.remedy.path}:"
        for line in one.remedy.content.splitlines():
            yield f"          {line}"
        yield f"        then: {one.remedy.then}"


def diff_text(report: DiffReport) -> list[str]:
    """Return what changes about groups, addresses and waiting Services."""
    lines = table(
        ("SERVICEGROUP", "CHANGE", "SIZE", "AVAILABLE", "USABLE"),
        (
            (
                one.group,
                one.change,
                f"{one.size_before} -> {one.size_after}",
                f"{one.available_before} -> {one.available_after}",
                f"no  *** {one.problem}" if one.problem else "yes",
            )
            for one in report.groups
        ),
    )
    if report.broken:
        lines += ["", "Groups that become unusable:"]
        lines += [f"  *** {text}" for text in report.broken]
    if report.addresses:
        rows = (
            (one.service, one.ip, one.effect + ("  ***" if one.severe else ""))
            for one in report.addresses
        )
        lines += ["", *table(("SERVICE", "IP", "EFFECT"), rows)]
    if report.waiting:
        waits = ((one.service, one.before, one.after) for one in report.waiting)
        lines += ["", *table(("WAITING SERVICE", "NOW", "THEN"), waits)]
    held = len(report.addresses)
    counts = f"{held} address(es) concerned, {report.stranded} stranded"
    return [*lines, "", f"{counts}, {len(report.waiting)} waiting Service(s) answered otherwise"]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
