"""The chart with values that are allowed and that nobody thinks of."""

import pytest

from tests.charts import pod_spec, render


def test_a_label_that_the_chart_has_too_counts_once_and_as_the_user_wrote_it() -> None:
    """Prometheus' operator often looks for `app`; no key is in an object twice."""
    values = {
        "Prometheus.allocator.serviceMonitor": ("enabled", "extraLabels.app"),
        "Prometheus.allocator.prometheusRules": ("enabled", "extraLabels.app"),
        "Prometheus.podMonitor": ("enabled", "extraLabels.app"),
        "dashboards": ("enabled", "labels.app"),
    }
    switches = [f"{path}.{on}=true,{path}.{label}=mine" for path, (on, label) in values.items()]
    objects = render("--set", ",".join(switches))
    kinds = ("ServiceMonitor", "PrometheusRule", "PodMonitor")
    labels = [
        found["metadata"]["labels"]
        for found in objects
        if found["kind"] in kinds or "dashboard" in found["metadata"]["name"]
    ]
    assert [one["app"] for one in labels] == ["mine"] * 6
    assert {one["app.kubernetes.io/name"] for one in labels} == {"purelb"}


def test_a_node_selector_may_name_the_system_as_well() -> None:
    """The Jobs go where allocators go."""
    label = r"kubernetes\.io/os=linux"
    objects = render("--set", f"allocator.nodeSelector.{label},lbnodeagent.nodeSelector.{label}")
    owners = [o for o in objects if o["kind"] in ("Deployment", "DaemonSet", "Job", "Pod")]
    assert len(owners) == 5
    for owner in owners:
        assert pod_spec(owner)["nodeSelector"] == {"kubernetes.io/os": "linux"}


@pytest.mark.parametrize("release", ["r" * 53, "2026"])
def test_a_release_may_have_any_name_that_helm_allows(release: str) -> None:
    """Labels are texts of at most 63 characters, and so are the names of Services."""
    switches = [f"Prometheus.{name}.Metrics.enabled=true" for name in ("allocator", "lbnodeagent")]
    objects = render("--set", ",".join(switches), release=release)
    labels = [label for o in objects for label in o["metadata"]["labels"].values()]
    services = [o["metadata"]["name"] for o in objects if o["kind"] == "Service"]
    assert len(services) == 3
    assert [text for text in (*labels, *services) if not isinstance(text, str)] == []
    assert max(len(text) for text in (*labels, *services)) <= 63


def test_jobs_run_as_the_allocator_does() -> None:
    """A cluster that chooses users itself refuses a Pod that names one."""
    settings = "securityContext.runAsUser=null,containerSecurityContext.runAsGroup=7"
    objects = render("--set", ",".join(f"allocator.{one}" for one in settings.split(",")))
    specs = [pod_spec(o) for o in objects if o["kind"] in ("Deployment", "Job", "Pod")]
    assert len(specs) == 4
    for spec in specs:
        assert "runAsUser" not in spec["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        (container,) = spec["containers"]
        assert container["securityContext"]["runAsGroup"] == 7
