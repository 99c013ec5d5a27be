"""The objects of the one-file manifest, without a cluster."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from e2e.manifest import deployments, documents
from testbed.release import MANIFEST

PROJECT = Path(__file__).parents[2]


def test_the_manifest_brings_no_ca_bundle() -> None:
    assert "caBundle" not in MANIFEST.read_text()


def test_the_documented_sed_changes_exactly_the_two_ends_of_the_range(tmp_path: Path) -> None:
    edited = tmp_path / "kubemacpool.yaml"
    edited.write_text(MANIFEST.read_text())

    start, end = re.findall(r'-e "(s/02:[^"]+)"', (PROJECT / "README.md").read_text())
    for script in (start, end):
        command = ["sed", "-i", script.replace("$mac_oui", "02:1e:b4"), str(edited)]
        subprocess.run(command, check=True)

    lines = zip(MANIFEST.read_text().splitlines(), edited.read_text().splitlines(), strict=True)
    assert sum(before != after for before, after in lines) == 2
    changed = [
        document
        for document in yaml.safe_load_all(edited.read_text())
        if document not in documents()
    ]
    assert [document["metadata"]["name"] for document in changed] == [
        "kubemacpool-mac-range-config"
    ]
    assert changed[0]["data"] == {
        "RANGE_START": "02:1e:b4:00:00:00",
        "RANGE_END": "02:1e:b4:FF:FF:FF",
    }


def selects(policy: dict[str, Any], template: dict[str, Any]) -> bool:
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return bool(wanted.items() <= template["metadata"]["labels"].items())


def test_our_pods_accept_connections_only_at_the_ports_that_they_name() -> None:
    policies = [document for document in documents() if document["kind"] == "NetworkPolicy"]
    assert all(policy["spec"]["policyTypes"] == ["Ingress"] for policy in policies)
    assert [
        policy
        for policy in policies
        if policy["spec"]["podSelector"] == {} and len(policy["spec"]) == 2
    ]

    for template in deployments().values():
        [container] = template["spec"]["containers"]
        rules = [
            rule
            for policy in policies
            if selects(policy, template)
            for rule in policy["spec"].get("ingress", [])
        ]
        assert all(rule.keys() == {"ports"} for rule in rules)  # from anywhere
        opened = {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}
        assert opened == {("TCP", port["containerPort"]) for port in container["ports"]}


def test_an_uninstall_takes_the_webhook_configuration_away_before_what_it_calls() -> None:
    kinds = [document["kind"] for document in documents()]  # the order of kubectl delete -f

    assert kinds[0] == "MutatingWebhookConfiguration"


def test_no_pod_gets_a_token_of_ours_but_those_that_say_so() -> None:
    accounts = [document for document in documents() if document["kind"] == "ServiceAccount"]

    assert {
        account["metadata"]["name"]: account["automountServiceAccountToken"] for account in accounts
    } == {template["spec"]["serviceAccountName"]: False for template in deployments().values()}
    assert all(
        deployment["spec"]["automountServiceAccountToken"] for deployment in deployments().values()
    )


def test_an_upgrade_and_a_drain_leave_a_webhook_that_answers() -> None:
    [budget] = (document for document in documents() if document["kind"] == "PodDisruptionBudget")
    name = budget["metadata"]["name"]

    assert selects({"spec": {"podSelector": budget["spec"]["selector"]}}, deployments()[name])
    assert budget["spec"]["maxUnavailable"] == 1
    for document in documents():
        if document["kind"] == "Deployment":
            assert document["spec"]["replicas"] == 2
            assert document["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_quota_lets_our_pods_have_their_priority_where_that_needs_one() -> None:
    [quota] = (document for document in documents() if document["kind"] == "ResourceQuota")
    [scope] = quota["spec"]["scopeSelector"]["matchExpressions"]

    assert (scope["scopeName"], scope["operator"]) == ("PriorityClass", "In")
    assert quota["spec"]["hard"].keys() == {"pods"}
    for template in deployments().values():
        assert template["spec"]["priorityClassName"] in scope["values"]


def test_the_image_is_built_from_what_the_dockerfile_copies_and_no_more() -> None:
    lines = [line.split() for line in (PROJECT / "Dockerfile").read_text().splitlines()]
    copied = {line[1] for line in lines if line[:1] == ["COPY"] and not line[1].startswith("--")}

    ignored = (PROJECT / ".dockerignore").read_text().splitlines()

    rules = [line for line in ignored if not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
    assert rules[-3:] == ["**/tests", "**/conftest.py", "**/__pycache__"]
