"""docs/gitops.md is right about Deployments, pods and VMs: their addresses are no drift."""

import json
import re
import textwrap

import pytest
import yaml

from e2e import drift
from e2e.gitops import PAGE, PROJECT, WAYS, Apply, client_side, no_drift
from e2e.pods import NETWORKS, PodNamespace
from e2e.vms import OPTED_IN_VMS
from testbed.kubectl import Kubectl
from testbed.kubevirt import apply_vm_crds
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.readiness import eventually

INTERFACES = "/spec/template/spec/domain/devices/interfaces"


@pytest.fixture(scope="module")
def _vm_crds(kubectl: Kubectl) -> None:
    apply_vm_crds(kubectl)


@pytest.fixture
def vm_namespace(_vm_crds: None, pods: PodNamespace) -> str:
    """A namespace that has opted in for VMs, too, where KubeVirt's CRDs are enough."""
    pods.client.label("namespace", pods.namespace, OPTED_IN_VMS)
    return pods.namespace


def test_pods_of_a_deployment_get_addresses_and_the_deployment_is_no_drift(
    pods: PodNamespace,
) -> None:
    labels = {"app": "web"}
    networks = {NETWORKS: '[{"name": "front"}]'}
    pod = {
        "metadata": {"labels": labels, "annotations": networks},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
    named = {"name": "web", "namespace": pods.namespace}
    text = json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named, "spec": spec}
    )

    pods.kubectl.apply(text)
    eventually(lambda: len(pods.allocations()) == 2, "two addresses")

    no_drift(pods.kubectl, text)


def test_a_bare_pod_is_drift_for_a_tool_that_asks_no_webhook(pods: PodNamespace) -> None:
    metadata = {"namespace": pods.namespace, "annotations": {NETWORKS: '[{"name": "front"}]'}}
    spec = {"containers": [{"name": "main", "image": "none"}]}
    text = json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": "bare"}, "spec": spec}
    )
    pods.kubectl.apply(text)
    pointer = f"/metadata/annotations/{NETWORKS.replace('/', '~1')}"

    found = drift.by_last_applied(pods.kubectl, text)

    assert [pointed for pointed in found if pointed.startswith("/metadata")] == [pointer]
    assert pointer in ignored("jsonPointers")
    no_drift(pods.kubectl, text)


@WAYS
def test_a_vm_without_addresses_in_git_is_no_drift_and_keeps_them(
    pods: PodNamespace, vm_namespace: str, apply: Apply
) -> None:
    text = machine("web" if apply is client_side else "db", vm_namespace)
    apply(pods.kubectl, text)
    given = addresses(pods, text)

    no_drift(pods.kubectl, text)
    apply(pods.kubectl, text)

    assert all(given)
    assert addresses(pods, text) == given
    if apply is client_side:
        assert drift.by_last_applied(pods.kubectl, text) == []


def test_an_address_written_on_one_interface_leaves_the_other_its_own(
    pods: PodNamespace, vm_namespace: str
) -> None:
    pods.kubectl.apply(machine("web", vm_namespace))
    first, second = addresses(pods, machine("web", vm_namespace))
    text = machine("web", vm_namespace, "0a:00:00:00:05:10")

    expected = drift.by_last_applied(pods.kubectl, text)
    found = drift.by_dry_run(pods.kubectl, drift.FLUX, text)
    pods.kubectl.apply(text)

    assert expected == [f"{INTERFACES}/0/macAddress", f"{INTERFACES}/1/macAddress"]
    assert found == [f"{INTERFACES}/1/macAddress"]
    assert addresses(pods, text) == [first, "0a:00:00:00:05:10"]
    assert second != "0a:00:00:00:05:10"
    [expression] = ignored("jqPathExpressions", "VirtualMachine")
    assert expression == INTERFACES.replace("/", ".") + "[]?.macAddress"


def machine(name: str, namespace: str, mac: str = "") -> str:
    vm = manifest(name, [Interface("default"), Interface("front", "front", mac)])
    vm["metadata"]["namespace"] = namespace
    return json.dumps(vm)


def addresses(pods: PodNamespace, text: str) -> list[str]:
    named = json.loads(text)["metadata"]
    vm = pods.client.read("vm", named["name"], named["namespace"])
    interfaces = vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"]
    return [interface.get("macAddress", "") for interface in interfaces]


def ignored(how: str, kind: str = "Pod") -> list[str]:
    """Return the fields of one kind that the page tells Argo CD to ignore."""
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL):
        for document in yaml.safe_load_all(textwrap.dedent(block)):
            for rule in document.get("spec", {}).get("ignoreDifferences", []):
                if rule["kind"] == kind:
                    expressions: list[str] = rule[how]
                    return expressions
    raise AssertionError(f"the page has no ignoreDifferences for {kind}")


def test_the_network_of_the_sample_pod_gives_it_the_address_of_its_annotation() -> None:
    network = yaml.safe_load((PROJECT / "docs/examples/ovs-conf.yaml").read_text())
    pod = yaml.safe_load((PROJECT / "docs/examples/samplepod.yaml").read_text())
    config = json.loads(network["spec"]["config"])

    [element] = json.loads(pod["metadata"]["annotations"][NETWORKS])

    assert element == {"name": network["metadata"]["name"]}
    assert pod["metadata"]["namespace"] == network["metadata"]["namespace"]
    assert [plugin["type"] for plugin in config["plugins"]] == ["ovs", "tuning"]
    assert config["plugins"][-1]["capabilities"] == {"mac": True}
