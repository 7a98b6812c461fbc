"""Alerts and dashboards: they ask for series that exist, with labels that these have.

What Prometheus itself makes of them: `test_alerts`. It does not know which series and labels there
are, which is what goes wrong.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts import CHART, one, pod_spec, render

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/metrics.md").read_text()
RUNBOOK = (ROOT / "docs/howto/runbook.md").read_text()
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
WORKLOADS = (("Deployment", "allocator"), ("DaemonSet", "lbnodeagent"))
BOARDS = sorted((CHART / "files/dashboards").glob("*.json"))

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", re.M)
METRICS: Mapping[str, tuple[str, frozenset[str]]] = {
    name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
    for name, kind, labels in ROW.findall(REFERENCE)
}
SCRAPED = frozenset({"instance", "job", "le"})  # labels that scraping and histograms add
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
FUNCTIONS = frozenset(
    {"absent", "count", "deriv", "histogram_quantile", "increase", "max", "min", "or", "and"}
    | {"max_over_time", "predict_linear", "rate", "sum", "vector", "by", "unless", "on"}
)
OVER_TIME = frozenset({"rate", "increase"})
SELECTOR = re.compile(r"((?:purelb|k8gobgp)_\w+)(?:\{([^}]*)\})?(\[\w+\])?")
SEVERITIES = {"critical", "warning", "info"}

Rule = Mapping[str, Any]


def rules() -> Iterator[Rule]:
    """Yield every alert of ours."""
    for entries in ALERTS.values():
        yield from entries


def panels() -> Iterator[tuple[str, str]]:
    """Yield (panel, expression) of every dashboard."""
    for path in BOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


EXPRESSIONS = (*((rule["alert"], rule["expr"]) for rule in rules()), *panels())


def series(expression: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (metric, labels in braces, whether over time) of an expression."""
    for name, labels, window in SELECTOR.findall(expression):
        base = HISTOGRAM.sub("", name)
        known = base if METRICS.get(base, ("",))[0] == "histogram" else name
        yield known, labels, bool(window)


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_names_existing_series_and_labels_of_theirs(
    where: str, expression: str
) -> None:
    """What the reference lists, which is compared with what the daemons export."""
    found = list(series(expression))
    assert found, where
    assert {name for name, _, _ in found} <= METRICS.keys()
    labels = frozenset().union(*(METRICS[name][1] for name, _, _ in found)) | SCRAPED
    matched = {text for _, inside, _ in found for text in re.findall(r"(\w+)\s*[=!]", inside)}
    grouped = {
        label
        for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
        for label in group.replace(" ", "").split(",")
    }
    assert matched | grouped <= labels


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_is_well_formed(where: str, expression: str) -> None:
    """Parentheses close, functions are PromQL's, and counters are looked at over time."""
    assert expression.count("(") == expression.count(")"), where
    outside = re.sub(r"\{[^}]*\}", "", expression)
    assert set(re.findall(r"\b([a-z_]+) ?\(", outside)) <= FUNCTIONS
    for name, _, is_windowed in series(expression):
        kind = METRICS[name][0]
        assert is_windowed or kind == "gauge", f"{where}: {name} is a {kind}"
    for function in re.findall(r"(\w+)\((?:purelb|k8gobgp)_\w+(?:\{[^}]*\})?\[", outside):
        assert function in OVER_TIME | {"deriv", "max_over_time", "predict_linear"}


@pytest.mark.parametrize("rule", tuple(rules()), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_and_leads_to_what_to_do(rule: Rule) -> None:
    """Its texts use labels that its series have; the runbook has a section of its name."""
    assert rule["labels"]["severity"] in SEVERITIES
    texts = " ".join(rule["annotations"].values())
    labels = frozenset().union(*(METRICS[name][1] for name, _, _ in series(rule["expr"])))
    kept = re.findall(r"\b(?:by) \(([^)]*)\)", rule["expr"])
    allowed = frozenset(kept[0].replace(" ", "").split(",")) if kept else labels | SCRAPED
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= allowed
    assert f"### {rule['alert']}\n" in RUNBOOK


def test_the_runbook_has_no_section_of_an_alert_that_does_not_exist() -> None:
    """It would be read in vain."""
    sections = re.findall(r"^### (Purelb\w+)$", RUNBOOK, re.M)
    assert sections == [rule["alert"] for rule in rules()]


def test_rules_reach_the_cluster_as_they_are_written() -> None:
    """Prometheus' own templates inside them are not Helm's to fill in."""
    switches = [f"Prometheus.{name}.prometheusRules.enabled=true" for name in ALERTS]
    objects = render("--set", ",".join(switches))
    found = [o for o in objects if o["kind"] == "PrometheusRule"]
    assert [one["metadata"]["name"] for one in found] == ["purelb-allocator", "purelb-lbnodeagent"]
    for (name, written), rule in zip(ALERTS.items(), found, strict=True):
        (group,) = rule["spec"]["groups"]
        assert group["name"] == "purelb-runbook", name
        for alert in group["rules"]:
            del alert["annotations"]["runbook"]
        assert group["rules"] == written


@pytest.mark.parametrize("base", ["", "https://docs.example.org/howto/runbook/"])
def test_every_alert_leads_to_its_section_of_the_runbook(base: str) -> None:
    """By the file's name, and by a link if it is known where the documentation is served.

    That a page is served at its path without its suffix is MkDocs' way.
    """
    switches = [f"Prometheus.{name}.prometheusRules.enabled=true" for name in ALERTS]
    objects = render("--set", ",".join((*switches, f"Prometheus.runbookUrl={base}")))
    sections = set(re.findall(r"^### (\w+)$", RUNBOOK, re.M))
    for found in (o for o in objects if o["kind"] == "PrometheusRule"):
        for rule in found["spec"]["groups"][0]["rules"]:
            page, _, anchor = rule["annotations"]["runbook"].partition("#")
            assert ROOT / page == ROOT / "docs/howto/runbook.md"
            assert anchor in {section.lower() for section in sections}
            link = rule["annotations"].get("runbook_url", "")
            assert link == (f"{base}#{anchor}" if base else "")


def test_service_monitors_scrape_every_program_that_alerts_ask_for() -> None:
    """The sidecar's alerts are the agents', so its monitor is as well; labels of ours stay."""
    switches = [f"Prometheus.{name}.serviceMonitor.enabled=true" for name in ALERTS]
    objects = render("--set", ",".join(switches))
    monitors = [o for o in objects if o["kind"] == "ServiceMonitor"]
    names = ["allocator-metrics", "k8gobgp-metrics", "lbnodeagent-metrics"]
    assert sorted(found["metadata"]["name"] for found in monitors) == names
    services = [o for o in objects if o["kind"] == "Service"]
    pods = [pod_spec(one(objects, *where)) for where in WORKLOADS]
    named = {
        p["name"]: p["containerPort"] for pod in pods for c in pod["containers"] for p in c["ports"]
    }
    for monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = (found for found in services if found["metadata"]["labels"].items() >= wanted)
        (port,) = service["spec"]["ports"]
        assert monitor["spec"]["endpoints"] == [{"port": port["name"], "honorLabels": True}]
        assert named[port["targetPort"]] == port["port"]


def test_a_pod_monitor_keeps_the_labels_of_our_series() -> None:
    """Else `namespace` and `service` are those of the scraped Pod."""
    (monitor,) = (
        found
        for found in render("--set", "Prometheus.podMonitor.enabled=true")
        if found["kind"] == "PodMonitor"
    )
    endpoints = monitor["spec"]["podMetricsEndpoints"]
    assert [(one["port"], one["honorLabels"]) for one in endpoints] == [
        ("monitoring", True),
        ("gobgp-metrics", True),
    ]


def test_dashboards_reach_the_cluster_as_they_are_written() -> None:
    """Each in a ConfigMap of its own, with the label that Grafana's sidecar looks for."""
    found = [
        o
        for o in render("--set", "dashboards.enabled=true")
        if o["kind"] == "ConfigMap" and "dashboard" in o["metadata"]["name"]
    ]
    assert [json.loads(*one["data"].values()) for one in found] == [
        json.loads(path.read_text()) for path in BOARDS
    ]
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in found} == {"1"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_no_panel_over_another_and_asks_the_chosen_source(path: Path) -> None:
    """As a person would see at once, and no test otherwise."""
    board = json.loads(path.read_text())
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & own, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= own
        assert panel["datasource"]["uid"] == "${datasource}"
    identities = [panel["id"] for panel in board["panels"]]
    assert len(set(identities)) == len(identities)
