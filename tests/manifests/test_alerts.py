"""Alerts fire when they should and only then, by Prometheus' own judgment: `promtool test rules`.

`promtool` is in Debian's package `prometheus`; `.ci/run` takes it out of there.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts import CHART, SETS, render

Series = Mapping[str, str]  # values by series, in promtool's words

ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
RULES = {rule["alert"]: rule for rules in ALERTS.values() for rule in rules}
NODE = '{instance="n1"}'
VARIABLES = {"$pool": ".*", "$instance": ".*"}  # of dashboards


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert: series that it is for and series that it is not for, looked at after `minutes`.

    `labels` and `summary` are what people get of it; it is not there yet a minute before.
    """

    alert: str
    fires: Series
    quiet: Series
    minutes: int
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)


CASES = (
    Case(
        alert="PurelbAllocatorAbsent",
        fires={},
        quiet={"purelb_allocator_leader": "0x99"},
        minutes=5,
        summary="No allocator is scraped",
    ),
    Case(
        alert="PurelbNoLeader",
        fires={f"purelb_allocator_leader{{instance='{name}'}}": "0x99" for name in "ab"},
        quiet={
            f"purelb_allocator_leader{{instance='{name}'}}": f"{name == 'a':d}x99" for name in "ab"
        },
        minutes=2,
        summary="No allocator leads",
    ),
    Case(
        alert="PurelbPoolExhausted",
        fires={
            'purelb_address_pool_addresses_in_use{pool="p"}': "5x99",
            'purelb_address_pool_size{pool="p"}': "5x99",
        },
        quiet={
            'purelb_address_pool_addresses_in_use{pool="p"}': "4x99",
            'purelb_address_pool_size{pool="p"}': "5x99",
            'purelb_address_pool_addresses_in_use{pool="empty"}': "0x99",
            'purelb_address_pool_size{pool="empty"}': "0x99",
        },
        minutes=5,
        labels={"pool": "p"},
        summary="ServiceGroup p is full",
    ),
    Case(
        alert="PurelbPoolWillBeExhausted",
        fires={
            'purelb_address_pool_addresses_in_use{pool="p"}': "0+1x999",
            'purelb_address_pool_size{pool="p"}': "2000x999",
        },
        quiet={
            'purelb_address_pool_addresses_in_use{pool="p"}': "1900+0.01x999",
            'purelb_address_pool_size{pool="p"}': "2000x999",
        },
        minutes=61,  # a trend has two values
        labels={"pool": "p"},
        summary="ServiceGroup p will be full within four days",
    ),
    Case(
        alert="PurelbAllocationsRefused",
        fires={
            'purelb_address_pool_allocation_rejected_total{pool="p",reason="exhausted"}': "0+1x99"
        },
        quiet={
            'purelb_address_pool_allocation_rejected_total{pool="p",reason="exhausted"}': "9x99"
        },
        minutes=11,
        labels={"pool": "p", "reason": "exhausted"},
        summary="Services are refused an address of p",
    ),
    Case(
        alert="PurelbProviderDown",
        fires={'purelb_ipam_up{pool="p"}': "0x99"},
        quiet={'purelb_ipam_up{pool="p"}': "1x99"},
        minutes=5,
        labels={"pool": "p"},
        summary="The provider of ServiceGroup p does not answer",
    ),
    Case(
        alert="PurelbServiceGroupOutOfScope",
        fires={'purelb_servicegroups_out_of_scope{namespace="a",name="b",type="local"}': "1x99"},
        quiet={'purelb_servicegroups_out_of_scope{namespace="a",name="b",type="local"}': "0x99"},
        minutes=15,
        labels={"namespace": "a", "name": "b", "type": "local"},
        summary="ServiceGroup a/b is not used",
    ),
    Case(
        alert="PurelbStatusNotWritten",
        fires={'purelb_allocator_sg_status_writes_total{outcome="conflict"}': "0+1x99"},
        quiet={
            'purelb_allocator_sg_status_writes_total{outcome="success"}': "0+1x99",
            'purelb_allocator_sg_status_writes_total{outcome="conflict"}': "0+0.1x99",
        },
        minutes=21,
        labels={"outcome": "conflict"},
        summary="The status of ServiceGroups is not up to date",
    ),
    Case(
        alert="PurelbAgentAbsent",
        fires={},
        quiet={"purelb_election_may_hold": "0x99"},
        minutes=5,
        summary="No node agent is scraped",
    ),
    Case(
        alert="PurelbLeaseUnhealthy",
        fires={f"purelb_election_lease_healthy{NODE}": "0x99"},
        quiet={f"purelb_election_lease_healthy{NODE}": "1x99"},
        minutes=1,
        labels={"instance": "n1"},
        summary="The node agent at n1 has no valid Lease",
    ),
    Case(
        alert="PurelbMayNotHold",
        fires={f"purelb_election_may_hold{NODE}": "0x99"},
        quiet={f"purelb_election_may_hold{NODE}": "1x99"},
        minutes=5,
        labels={"instance": "n1"},
        summary="The node at n1 may not hold addresses",
    ),
    Case(
        alert="PurelbLeaseRenewalsFail",
        fires={f"purelb_election_lease_renewal_failures_total{NODE}": "0+6x99"},
        quiet={f"purelb_election_lease_renewal_failures_total{NODE}": "0+2x99"},
        minutes=13,
        labels={"instance": "n1"},
        summary="Renewals of the Lease fail at n1",
    ),
    Case(
        alert="PurelbMembersDisagree",
        fires={
            'purelb_election_member_count{instance="n1"}': "3x99",
            'purelb_election_member_count{instance="n2"}': "2x99",
            'purelb_lbnodeagent_lease_watches{instance="n1"}': "1x99",
        },
        quiet={
            'purelb_election_member_count{instance="n1"}': "3x99",
            'purelb_election_member_count{instance="n2"}': "2x99",
            'purelb_lbnodeagent_lease_watches{instance="n1"}': "3x99",
        },
        minutes=5,
        summary="Node agents disagree on who is there",
    ),
    Case(
        alert="PurelbNodeFinding",
        fires={'purelb_lbnodeagent_findings{instance="n1",check="RpFilter"}': "1x99"},
        quiet={'purelb_lbnodeagent_findings{instance="n1",check="RpFilter"}': "0x99"},
        minutes=15,
        labels={"instance": "n1", "check": "RpFilter"},
        summary="RpFilter at n1",
    ),
    Case(
        alert="PurelbWrongAnswers",
        fires={
            'purelb_lbnodeagent_witness_addresses{instance="n1",answer="none"}': "1x99",
            'purelb_lbnodeagent_witness_addresses{instance="n2",answer="none"}': "2x99",
        },
        quiet={
            'purelb_lbnodeagent_witness_addresses{instance="n1",answer="none"}': "0x99",
            'purelb_lbnodeagent_witness_addresses{instance="n1",answer="right"}': "5x99",
        },
        minutes=1,
        labels={"answer": "none"},
        summary="3 addresses with a wrong answer on the wire: none",
    ),
    Case(
        alert="PurelbConfigurationInvalid",
        fires={'purelb_lbnodeagent_selector_state{instance="n1",state="invalid"}': "1x99"},
        quiet={
            'purelb_lbnodeagent_selector_state{instance="n1",state="invalid"}': "0x99",
            'purelb_lbnodeagent_selector_state{instance="n1",state="default"}': "1x99",
        },
        minutes=5,
        labels={"instance": "n1", "state": "invalid"},
        summary="The LBNodeAgent of n1 cannot be used",
    ),
    Case(
        alert="PurelbAddressesRemoved",
        fires={'purelb_lbnodeagent_drift_repaired_total{instance="n1",reason="removed"}': "0+1x99"},
        quiet={
            'purelb_lbnodeagent_drift_repaired_total{instance="n1",reason="removed"}': "0+0.2x99"
        },
        minutes=21,
        labels={"instance": "n1", "reason": "removed"},
        summary="Somebody removes addresses at n1 again and again",
    ),
    Case(
        alert="PurelbDuplicateAddress",
        fires={
            f"purelb_lbnodeagent_foreign_conflicts_total{NODE}": "0x9 1x99",
            f"purelb_lbnodeagent_dad_failures_total{NODE}": "0x99",
        },
        quiet={
            f"purelb_lbnodeagent_foreign_conflicts_total{NODE}": "7x99",
            f"purelb_lbnodeagent_dad_failures_total{NODE}": "7x99",
        },
        minutes=10,
        labels={"instance": "n1"},
        summary="Another host has an address of ours, seen from n1",
    ),
    Case(
        alert="PurelbPacketsNotSent",
        fires={
            f"purelb_lbnodeagent_garp_errors_total{NODE}": "0x99",
            f"purelb_lbnodeagent_na_errors_total{NODE}": "0+1x99",
        },
        quiet={
            f"purelb_lbnodeagent_garp_errors_total{NODE}": "7x99",
            f"purelb_lbnodeagent_na_errors_total{NODE}": "7x99",
        },
        minutes=11,
        labels={"instance": "n1"},
        summary="n1 cannot tell its network about addresses",
    ),
    Case(
        alert="PurelbAddressesMove",
        fires={'purelb_election_winner_changes_total{service="default/web"}': "0+2x99"},
        quiet={'purelb_election_winner_changes_total{service="default/web"}': "0+1x99"},
        minutes=26,
        summary="Addresses move from node to node",
    ),
    Case(
        alert="PurelbBgpSessionDown",
        fires={f"k8gobgp_neighbors_active{NODE}": "0 1 0 1 0 1 0 1 0 1 0 1"},
        quiet={f"k8gobgp_neighbors_active{NODE}": "0 1 1 1 0x99"},
        minutes=6,
        labels={"instance": "n1"},
        summary="BGP sessions at n1 are not up",
    ),
    Case(
        alert="PurelbBgpEngineDown",
        fires={'k8gobgp_gobgpd_connection_status{instance="n1",endpoint="e"}': "0x99"},
        quiet={'k8gobgp_gobgpd_connection_status{instance="n1",endpoint="e"}': "1x99"},
        minutes=2,
        labels={"instance": "n1", "endpoint": "e"},
        summary="gobgpd at n1 does not answer",
    ),
    Case(
        alert="PurelbBgpConfigurationUnused",
        fires={
            f'k8gobgp_configuration_ready{{instance="{node}",namespace="a",name="b"}}': value
            for node, value in (("n1", "0x99"), ("n2", "1x99"))
        },
        quiet={'k8gobgp_configuration_ready{instance="n1",namespace="a",name="b"}': "1x99"},
        minutes=10,
        labels={"namespace": "a", "name": "b"},
        summary="BGPConfiguration a/b is not used as it is",
    ),
)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it; skips the test where it is missing."""
    if (program := shutil.which("promtool")) is None:
        pytest.skip("promtool not found: it is in Debian's package prometheus")
    command = (program, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def stage(case: Case, series: Series, *, minutes: int, alerts: Sequence[object]) -> object:
    """Return one test in promtool's words: what is there after so many minutes."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minutes}m", "alertname": case.alert, "exp_alerts": list(alerts)}
        ],
    }


def write(path: Path, content: object) -> str:
    """Write what promtool reads."""
    path.write_text(json.dumps(content))
    return str(path)


def test_every_alert_has_a_case() -> None:
    """And no case is of an alert that is gone."""
    assert [case.alert for case in CASES] == list(RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_its_time_has_come_and_not_otherwise(
    case: Case, tmp_path: Path
) -> None:
    """After its minutes, not one earlier, and not for series that are as they should be."""
    rule = dict(RULES[case.alert])
    rule["annotations"] = {"summary": rule["annotations"]["summary"]}
    rules = {"groups": [{"name": "purelb-runbook", "rules": [rule]}]}
    alert = {
        "exp_labels": {**case.labels, "severity": rule["labels"]["severity"]},
        "exp_annotations": {"summary": case.summary},
    }
    tests = [
        stage(case, case.fires, minutes=case.minutes, alerts=[alert]),
        stage(case, case.fires, minutes=case.minutes - 1, alerts=[]),
        stage(case, case.quiet, minutes=90, alerts=[]),
    ]
    content: dict[str, Any] = {
        "rule_files": [write(tmp_path / "rules.json", rules)],
        "evaluation_interval": "1m",
        "tests": tests,
    }
    done = promtool("test", "rules", write(tmp_path / "tests.json", content))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_prometheus_takes_the_rules_of_the_chart(values: Path, tmp_path: Path) -> None:
    """Ours and, as templates, the user's."""
    switches = [f"Prometheus.{name}.prometheusRules.enabled=true" for name in ALERTS]
    objects = render("--values", str(values), "--set", ",".join(switches))
    for found in objects:
        if found["kind"] == "PrometheusRule":
            path = tmp_path / f"{found['metadata']['name']}.json"
            done = promtool("check", "rules", write(path, found["spec"]))
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "path", sorted((CHART / "files/dashboards").glob("*.json")), ids=lambda path: path.stem
)
def test_prometheus_understands_what_a_dashboard_asks(path: Path, tmp_path: Path) -> None:
    """Each expression, as if it were a rule."""
    expressions = [
        target["expr"]
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]
    for name, value in VARIABLES.items():
        expressions = [text.replace(name, value) for text in expressions]
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions)]
    groups = {"groups": [{"name": path.stem, "rules": rules}]}
    done = promtool("check", "rules", write(tmp_path / "rules.json", groups))
    assert done.returncode == 0, done.stdout + done.stderr
