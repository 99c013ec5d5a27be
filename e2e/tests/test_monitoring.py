"""The file for the Prometheus operator fits the release and the guide."""

import re
from pathlib import Path
from typing import Any

import yaml

from testbed.kubectl import Kubectl
from testbed.release import Installed

PROJECT = Path(__file__).parents[2]
OPERATORS = ("ServiceMonitor", "PrometheusRule")  # kinds that come with the Prometheus operator


def objects(file: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects of a file in deploy/, by kind and name."""
    found = yaml.safe_load_all((PROJECT / "deploy" / file).read_text())
    return {(document["kind"], document["metadata"]["name"]): document for document in found}


MONITORING = objects("kubemacpool-monitoring.yaml")
SERVICE = MONITORING["Service", "kubemacpool-metrics-service"]
MONITOR = MONITORING["ServiceMonitor", "kubemacpool-metrics-monitor"]
GROUPS = MONITORING["PrometheusRule", "kubemacpool-prometheus-rule"]["spec"]["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]


def test_the_service_leads_to_the_controllers_metrics() -> None:
    controller = objects("kubemacpool.yaml")["Deployment", "kubemacpool-controller"]
    pod = controller["spec"]["template"]
    [port] = SERVICE["spec"]["ports"]
    [target] = [
        named
        for named in pod["spec"]["containers"][0]["ports"]
        if named["name"] == port["targetPort"]
    ]

    assert SERVICE["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert target["containerPort"] == port["port"] == 8443


def test_the_monitor_selects_that_service_alone() -> None:
    wanted = MONITOR["spec"]["selector"]["matchLabels"].items()
    [endpoint] = MONITOR["spec"]["endpoints"]

    assert wanted <= SERVICE["metadata"]["labels"].items()
    assert not any(
        wanted <= document["metadata"].get("labels", {}).items()
        for document in objects("kubemacpool.yaml").values()
    )
    assert endpoint["port"] == SERVICE["spec"]["ports"][0]["name"]
    assert endpoint["scheme"] == "https"


def test_the_alerts_are_those_of_the_guide_and_ask_for_metrics_that_it_names() -> None:
    guide = (PROJECT / "docs/metrics.md").read_text()
    named = {name for rule in RULES for name in re.findall(r"\bkmp_\w+", rule["expr"])}

    assert named == {"kmp_mac_collisions", "kmp_leader"}
    for name in named | {rule["alert"] for rule in RULES}:
        assert f"`{name}" in guide
    deployments = {name for kind, name in objects("kubemacpool.yaml") if kind == "Deployment"}
    asked = re.findall(r'deployment="([^"]*)"', " ".join(rule["expr"] for rule in RULES))
    assert asked
    assert set(asked) <= deployments


def test_objects_that_need_no_operator_can_be_applied(release: Installed, kubectl: Kubectl) -> None:
    assert release.webhooks
    for (kind, _), document in MONITORING.items():
        if kind not in OPERATORS:
            kubectl.client.create(document, dry_run=True)
