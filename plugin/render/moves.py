"""What `evacuate` and `move` say."""

from plugin.core.evacuation import EvacuationReport
from plugin.core.moving import MoveReport
from plugin.render.table import table


def evacuation_text(report: EvacuationReport, *, is_done: bool) -> list[str]:
    """Return who gets what; `is_done`: the node announces nothing any more."""
    node, count = report.node, len({one.ip for one in report.addresses})
    lines = []
    if report.addresses:
        rows = ((one.service, one.ip, one.heir or f"*** {one.warning}") for one in report.addresses)
        lines += [*table(("SERVICE", "IP", "GOES TO"), rows), ""]
    if is_done:
        return [*lines, f"{node} is evacuated: {count} address(es) have left it"]
    return [*lines, f"{node} is being evacuated: {count} address(es) leave it"]


def move_text(report: MoveReport) -> list[str]:
    """Return who announces what from now on."""
    if not report.services:
        return ["no Service names a node for it: nothing is changed"]
    rows = ((one.ip, one.holder or "-", one.heir) for one in report.addresses)
    services = ", ".join(report.services)
    says = (
        f"{report.node} announces it while it can" if report.node else "the election decides again"
    )
    return [*table(("IP", "FROM", "TO"), rows), "", f"{services}: {says}"]
