"""docs/gitops.md is right about Argo CD, Flux and the audit log, on a real API server.

The tools themselves do not run here. How they compare, apply and prune is in `e2e.drift`, and what
the API server answers them is all that counts.
"""

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import drift, pool
from e2e.audit import Audit
from e2e.pods import NETWORKS, PodNamespace, declaration, name_of
from e2e.pods import manifest as pod_manifest
from e2e.vms import OPTED_IN_VMS
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.kubevirt import apply_machine_crds
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.readiness import eventually
from testbed.release import MANIFEST, Installed
from testbed.shell import typed

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/gitops.md").read_text()
WORDS = " ".join(PAGE.split())
INTERFACES = "/spec/template/spec/domain/devices/interfaces"

Apply = Callable[[Kubectl, str], object]


def client_side(kubectl: Kubectl, text: str) -> object:
    return kubectl.apply(text)


def server_side(kubectl: Kubectl, text: str) -> object:
    return drift.applies(kubectl, drift.FLUX, text)


WAYS = pytest.mark.parametrize("apply", [client_side, server_side])


@pytest.fixture(scope="module")
def _machine_crds(kubectl: Kubectl) -> None:
    apply_machine_crds(kubectl)


@pytest.fixture
def vm_namespace(_machine_crds: None, pods: PodNamespace) -> str:
    """A namespace that has opted in for VMs, too, where KubeVirt's CRDs are enough."""
    pods.client.label("namespace", pods.namespace, OPTED_IN_VMS)
    return pods.namespace


def no_drift(kubectl: Kubectl, text: str) -> None:
    """Neither kubectl, nor Flux, nor Argo CD with ServerSideDiff finds anything to do."""
    assert drift.shown(kubectl, text) == ""
    assert drift.by_dry_run(kubectl, drift.FLUX, text) == []
    assert drift.by_dry_run(kubectl, drift.ARGO, text) == []


def declared_again(pods: PodNamespace, mac: str) -> None:
    pods.holds(mac, lambda found: found["spec"]["state"] == "Declared", f"{mac} Declared again")


# Declared addresses


@WAYS
def test_a_claimed_address_is_no_drift(pods: PodNamespace, apply: Apply) -> None:
    mac = "0a:00:00:00:05:01" if apply is client_side else "0a:00:00:00:05:02"
    only = {"kind": "Pod", "namespace": pods.namespace, "name": "gateway"}
    text = declaration(mac, reservedFor=only)
    apply(pods.kubectl, text)
    no_drift(pods.kubectl, text)

    pods.create("gateway", [{"name": "a", "mac": mac}])
    bound = pods.bound(mac, "gateway")

    no_drift(pods.kubectl, text)
    if apply is client_side:
        assert drift.by_last_applied(pods.kubectl, text) == []
    apply(pods.kubectl, text)
    assert pods.spec(mac) == bound


def test_a_field_that_the_page_tells_to_leave_out_is_drift(pods: PodNamespace) -> None:
    mac = "0a:00:00:00:05:03"
    text = declaration(mac, state="Declared")
    pods.kubectl.apply(text)

    pods.create("samplepod", [{"name": "a", "mac": mac}])
    pods.bound(mac, "samplepod")

    assert drift.by_last_applied(pods.kubectl, text) == ["/spec/state"]
    said = pods.kubectl.fails("apply", "-f", "-", stdin=text)
    assert "a Declared allocation has no owner; to keep an address for somebody use" in said
    assert "a Declared allocation has no owner; to keep an address for somebody use" in WORDS


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_pruning_a_claimed_address_is_refused_until_it_is_free(
    pods: PodNamespace, cascade: str
) -> None:
    mac = "0a:00:00:00:05:04" if cascade == "background" else "0a:00:00:00:05:05"
    prune = ("delete", "mac", mac.replace(":", "-"), f"--cascade={cascade}")
    pods.kubectl.apply(declaration(mac))
    pods.create("samplepod", [{"name": "a", "mac": mac}])
    before = pods.bound(mac, "samplepod")

    said = pods.kubectl.fails(*prune)
    after = pods.spec(mac)
    pods.delete("samplepod")
    declared_again(pods, mac)
    pods.kubectl(*prune)

    assert f"Bound to Pod {pods.namespace}/samplepod" in said
    assert after == before
    assert pods.allocation(mac) is None


@WAYS
def test_a_changed_reservation_is_refused_until_the_address_is_free(
    pods: PodNamespace, apply: Apply
) -> None:
    mac = "0a:00:00:00:05:06" if apply is client_side else "0a:00:00:00:05:07"
    only = {"kind": "Pod", "namespace": pods.namespace, "name": "old"}
    changed = declaration(mac, reservedFor={**only, "name": "new"})
    flags = [] if apply is client_side else ["--server-side", f"--field-manager={drift.FLUX}"]
    apply(pods.kubectl, declaration(mac, reservedFor=only))
    pods.create("old", [{"name": "a", "mac": mac}])
    pods.bound(mac, "old")

    said = pods.kubectl.fails("apply", "-f", "-", *flags, stdin=changed)
    pods.delete("old")
    declared_again(pods, mac)
    apply(pods.kubectl, changed)

    assert "its spec cannot be changed meanwhile" in said
    assert pods.spec(mac)["reservedFor"]["name"] == "new"


@WAYS
def test_an_address_that_was_in_use_before_its_file_is_declared_by_the_sync_after_its_release(
    pods: PodNamespace, apply: Apply
) -> None:
    mac = "0a:00:00:00:05:08" if apply is client_side else "0a:00:00:00:05:09"
    text = declaration(mac)
    pods.create("samplepod", [{"name": "a", "mac": mac}])
    before = pods.bound(mac, "samplepod")

    apply(pods.kubectl, text)
    while_bound = pods.spec(mac)
    no_drift(pods.kubectl, text)
    pods.delete("samplepod")
    pods.freed(mac)
    apply(pods.kubectl, text)

    assert while_bound == before
    assert pods.spec(mac)["state"] == "Declared"


# The pool and the release


def pool_spec(kubectl: Kubectl) -> dict[str, Any]:
    spec: dict[str, Any] = kubectl.client.read("macpool", "default")["spec"]
    return spec


def test_reserved_addresses_in_git_and_the_range_have_an_owner_each(
    release: Installed, kubectl: Kubectl
) -> None:
    assert release.webhooks
    file = yaml.safe_load((PROJECT / "docs/examples/reserved.yaml").read_text())
    text, reserved = json.dumps(file), file["spec"]["reserved"]
    before = pool_spec(kubectl)

    drift.applies(kubectl, drift.FLUX, text)
    pool.edit(kubectl, RANGE_START="02:00:00:00:00:01")
    moved = eventually(
        lambda: [spec for spec in [pool_spec(kubectl)] if spec["ranges"] != before["ranges"]],
        "another range in force",
    )
    no_drift(kubectl, text)
    pool.edit(kubectl, RANGE_START="02:00:00:00:00:00")
    eventually(lambda: pool_spec(kubectl) == {**before, "reserved": reserved}, "the old range")

    assert moved[0]["reserved"] == reserved
    assert before["ranges"][0]["start"] == "02:00:00:00:00:00"

    kubectl.client.delete("macpool", "default")  # what pruning would do
    kubectl.client.wait("macpool", "default", bool, "a new pool")
    assert pool_spec(kubectl) == before


def test_a_ca_bundle_that_a_replace_has_wiped_is_written_again(
    release: Installed, kubectl: Kubectl
) -> None:
    assert release.webhooks
    [file] = [
        document
        for document in yaml.safe_load_all(MANIFEST.read_text())
        if document["kind"] == "MutatingWebhookConfiguration"
    ]

    kubectl("replace", "-f", "-", stdin=json.dumps(file))

    eventually(lambda: all(bundles(kubectl)), "the caBundle")


def bundles(kubectl: Kubectl) -> list[str]:
    found = kubectl.client.read("mutatingwebhookconfiguration", "kubemacpool-mutator")
    return [webhook["clientConfig"].get("caBundle", "") for webhook in found["webhooks"]]


def test_a_pool_that_git_brings_before_the_controller_is_refused(
    release: Installed, kubectl: Kubectl
) -> None:
    assert release.webhooks
    text = (PROJECT / "docs/examples/reserved.yaml").read_text()

    said = kubectl.fails("create", "--dry-run=server", "-f", "-", stdin=text)

    assert "spec.ranges: Required value" in said


def test_the_installed_release_is_no_drift(release: Installed, kubectl: Kubectl) -> None:
    assert release.webhooks
    assert all(bundles(kubectl))

    assert drift.shown(kubectl, MANIFEST.read_text()) == ""
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        assert drift.by_dry_run(kubectl, drift.FLUX, json.dumps(document)) == []


# Pods and machines


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


def test_a_bare_pod_is_drift_for_who_asks_no_webhook(pods: PodNamespace) -> None:
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
def test_a_machine_without_addresses_in_git_is_no_drift_and_keeps_them(
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


def test_a_manifest_is_shown_as_its_file_has_it() -> None:
    pages = [PAGE, (PROJECT / "docs/installation.md").read_text()]
    named = re.findall(
        r"^```yaml\n# (docs/examples/\S+)\n(.*?)^```$", "\n".join(pages), re.MULTILINE | re.DOTALL
    )

    assert len(named) == 3
    for file, shown in named:
        assert shown == (PROJECT / file).read_text()


def test_the_network_of_the_sample_pod_gives_it_the_address_of_its_annotation() -> None:
    network = yaml.safe_load((PROJECT / "docs/examples/ovs-conf.yaml").read_text())
    pod = yaml.safe_load((PROJECT / "docs/examples/samplepod.yaml").read_text())
    config = json.loads(network["spec"]["config"])

    [element] = json.loads(pod["metadata"]["annotations"][NETWORKS])

    assert element == {"name": network["metadata"]["name"]}
    assert pod["metadata"]["namespace"] == network["metadata"]["namespace"]
    assert [plugin["type"] for plugin in config["plugins"]] == ["ovs", "tuning"]
    assert config["plugins"][-1]["capabilities"] == {"mac": True}


# The audit log


def history(cluster: ControlPlane, mac: str, *flags: str) -> list[str]:
    """Return what the page's command prints for this address and this log, without the heading."""
    [line] = re.findall(r"^python3 docs/examples/held\.py \S+ \S+$", PAGE, re.MULTILINE)
    _, script, _, _ = line.split()
    log = cluster.state / "audit.log"
    done = typed(cluster, " ".join(["python3", script, mac, *flags, str(log)]))
    assert done.code == 0, done.output
    return done.output.splitlines()[1:]


def lines(cluster: ControlPlane, mac: str, count: int, *ended: int) -> list[str]:
    """Its history, when it has come to `count` lines, of which those at `ended` have an end."""

    def complete() -> list[str]:
        found = history(cluster, mac)
        done = [at for at, line in enumerate(found) if until(line) != "-"]
        return found if (len(found), done) == (count, list(ended)) else []

    return eventually(complete, f"{count} lines of history of {mac}, {ended} of them ended")


def since(line: str) -> str:
    return line.split(maxsplit=1)[0]


def until(line: str) -> str:
    return line.split()[1]


def hold(pods: PodNamespace, pod: str, mac: str) -> str:
    """Create a pod that comes to hold the address, and return its UID."""
    pods.create(pod, [{"name": "a", "mac": mac}])
    pods.bound(mac, pod)
    uid: str = pods.client.read("pod", pod, pods.namespace)["metadata"]["uid"]
    return uid


def test_the_log_says_who_held_an_address_and_from_when_until_when(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:01"
    first = hold(pods, "first", mac)
    pods.delete("first")
    pods.freed(mac)

    unnamed = pod_manifest("", [{"name": "a", "mac": mac}], generateName="later-")
    pods.client.create(unnamed, pods.namespace)
    later = pods.holds(mac, lambda found: found["spec"].get("owner", {}).get("uid"), "a bound pod")
    name = pods.spec(mac)["owner"]["name"]

    line, next_line = lines(cluster, mac, 2, 0)
    assert f"Pod {pods.namespace}/first" in line
    assert first in line
    assert f"Pod {pods.namespace}/{name}" in next_line
    assert later in next_line
    assert since(line) < until(line) <= since(next_line)
    [then] = history(cluster, mac, "--at", since(line))
    assert then.split() == line.split()
    assert history(cluster, mac, "--at", "2020-01-01T00:00:00Z") == []


def test_a_pod_made_again_under_its_name_is_another_holder(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:02"
    before = hold(pods, "again", mac)

    pods.delete("again")
    after = hold(pods, "again", mac)

    line, next_line = lines(cluster, mac, 2, 0)
    assert before in line
    assert after in next_line
    assert until(line) <= since(next_line)


def test_what_was_refused_or_only_tried_is_no_history(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:03"
    pods.client.create(declaration(mac), dry_run=True)
    pods.create("holder", [{"name": "a", "mac": mac}])
    pods.bound(mac, "holder")

    assert refusal(lambda: pods.client.delete("mac", name_of(mac)))
    pods.client.label("mac", name_of(mac), {"team": "network"})

    [line] = lines(cluster, mac, 1)
    assert f"Pod {pods.namespace}/holder" in line
    refused = [write for write in writes(cluster, mac) if write["responseStatus"]["code"] == 403]
    assert [write["user"]["username"] for write in refused] == ["admin"]


def test_who_carries_the_address_of_another_is_in_the_log_too(
    cluster: ControlPlane, pods: PodNamespace, elsewhere: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:04"
    pods.create("holder", [{"name": "a", "mac": mac}])
    pods.bound(mac, "holder")

    elsewhere.create("twin", [{"name": "a", "mac": mac}])
    lines(cluster, mac, 2)
    elsewhere.delete("twin")

    holder, twin = lines(cluster, mac, 2, 1)
    assert f"Pod {pods.namespace}/holder" in holder
    assert f"Pod {elsewhere.namespace}/twin" in twin
    assert twin.endswith("carried it, too")


def test_who_declared_an_address_is_in_the_log_and_nothing_but_allocations_is(
    cluster: ControlPlane, pods: PodNamespace
) -> None:
    mac = "0a:00:00:00:06:05"
    pods.client.create(declaration(mac))
    pods.create("gateway", [{"name": "a", "mac": mac}])
    pods.bound(mac, "gateway")
    pods.delete("gateway")

    [line] = lines(cluster, mac, 1, 0)
    declared, *_ = writes(cluster, mac)
    assert f"Pod {pods.namespace}/gateway" in line
    assert (declared["verb"], declared["user"]["username"]) == ("create", "admin")
    events = Audit(cluster).events()
    assert {event["objectRef"]["resource"] for event in events} == {"macallocations"}
    assert {event["stage"] for event in events} == {"ResponseComplete"}
    assert all(event["verb"] not in {"get", "list", "watch"} for event in events)


def writes(cluster: ControlPlane, mac: str) -> list[dict[str, Any]]:
    name = mac.replace(":", "-")
    return [event for event in Audit(cluster).events() if event["objectRef"].get("name") == name]
