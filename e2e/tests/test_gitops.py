"""What docs/gitops.md says of Argo CD, Flux and the audit log is so, on a real API server.

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

from e2e import drift, pods, pool
from e2e.audit import Audit
from e2e.farm import OPTED_IN_VMS
from e2e.pods import NETWORKS, Shop, declaration
from testbed.client import refusal
from testbed.controlplane import ControlPlane
from testbed.kubectl import Kubectl
from testbed.kubevirt import apply_machine_crds
from testbed.kubevirt.machines import Interface, manifest
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
def machines(_machine_crds: None, shop: Shop) -> str:
    """A namespace that has opted in for VMs, too, where KubeVirt's CRDs are enough."""
    shop.client.label("namespace", shop.namespace, OPTED_IN_VMS)
    return shop.namespace


def no_drift(kubectl: Kubectl, text: str) -> None:
    """Neither kubectl, nor Flux, nor Argo CD with ServerSideDiff finds anything to do."""
    assert drift.shown(kubectl, text) == ""
    assert drift.by_dry_run(kubectl, drift.FLUX, text) == []
    assert drift.by_dry_run(kubectl, drift.ARGO, text) == []


def declared_again(shop: Shop, mac: str) -> None:
    shop.holds(mac, lambda found: found["spec"]["state"] == "Declared", f"{mac} Declared again")


# Declared addresses


@WAYS
def test_a_claimed_address_is_no_drift(shop: Shop, apply: Apply) -> None:
    mac = "0a:00:00:00:05:01" if apply is client_side else "0a:00:00:00:05:02"
    only = {"kind": "Pod", "namespace": shop.namespace, "name": "gateway"}
    text = declaration(mac, reservedFor=only)
    apply(shop.kubectl, text)
    no_drift(shop.kubectl, text)

    shop.create("gateway", [{"name": "a", "mac": mac}])
    bound = shop.bound(mac, "gateway")

    no_drift(shop.kubectl, text)
    if apply is client_side:
        assert drift.by_last_applied(shop.kubectl, text) == []
    apply(shop.kubectl, text)
    assert shop.spec(mac) == bound


def test_a_field_that_the_page_tells_to_leave_out_is_drift(shop: Shop) -> None:
    mac = "0a:00:00:00:05:03"
    text = declaration(mac, state="Declared")
    shop.kubectl.apply(text)

    shop.create("samplepod", [{"name": "a", "mac": mac}])
    shop.bound(mac, "samplepod")

    assert drift.by_last_applied(shop.kubectl, text) == ["/spec/state"]
    said = shop.kubectl.fails("apply", "-f", "-", stdin=text)
    assert "a Declared allocation has no owner; to keep an address for an object use" in said
    assert "a Declared allocation has no owner; to keep an address for an object use" in WORDS


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_pruning_a_claimed_address_is_refused_until_it_is_free(shop: Shop, cascade: str) -> None:
    mac = "0a:00:00:00:05:04" if cascade == "background" else "0a:00:00:00:05:05"
    prune = ("delete", "mac", mac.replace(":", "-"), f"--cascade={cascade}")
    shop.kubectl.apply(declaration(mac))
    shop.create("samplepod", [{"name": "a", "mac": mac}])
    before = shop.bound(mac, "samplepod")

    said = shop.kubectl.fails(*prune)
    after = shop.spec(mac)
    shop.delete("samplepod")
    declared_again(shop, mac)
    shop.kubectl(*prune)

    assert f"Bound to Pod {shop.namespace}/samplepod" in said
    assert after == before
    assert shop.allocation(mac) is None


@WAYS
def test_a_changed_reservation_is_refused_until_the_address_is_free(
    shop: Shop, apply: Apply
) -> None:
    mac = "0a:00:00:00:05:06" if apply is client_side else "0a:00:00:00:05:07"
    only = {"kind": "Pod", "namespace": shop.namespace, "name": "old"}
    changed = declaration(mac, reservedFor={**only, "name": "new"})
    flags = [] if apply is client_side else ["--server-side", f"--field-manager={drift.FLUX}"]
    apply(shop.kubectl, declaration(mac, reservedFor=only))
    shop.create("old", [{"name": "a", "mac": mac}])
    shop.bound(mac, "old")

    said = shop.kubectl.fails("apply", "-f", "-", *flags, stdin=changed)
    shop.delete("old")
    declared_again(shop, mac)
    apply(shop.kubectl, changed)

    assert "its spec cannot be changed meanwhile" in said
    assert shop.spec(mac)["reservedFor"]["name"] == "new"


@WAYS
def test_an_address_that_was_in_use_before_its_file_is_declared_by_the_sync_after_its_release(
    shop: Shop, apply: Apply
) -> None:
    mac = "0a:00:00:00:05:08" if apply is client_side else "0a:00:00:00:05:09"
    text = declaration(mac)
    shop.create("samplepod", [{"name": "a", "mac": mac}])
    before = shop.bound(mac, "samplepod")

    apply(shop.kubectl, text)
    meanwhile = shop.spec(mac)
    no_drift(shop.kubectl, text)
    shop.delete("samplepod")
    shop.freed(mac)
    apply(shop.kubectl, text)

    assert meanwhile == before
    assert shop.spec(mac)["state"] == "Declared"


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
        lambda: [one for one in [pool_spec(kubectl)] if one["ranges"] != before["ranges"]],
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
        one
        for one in yaml.safe_load_all(MANIFEST.read_text())
        if one["kind"] == "MutatingWebhookConfiguration"
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
    for one in yaml.safe_load_all(MANIFEST.read_text()):
        assert drift.by_dry_run(kubectl, drift.FLUX, json.dumps(one)) == []


# Pods and machines


def test_pods_of_a_deployment_get_addresses_and_the_deployment_is_no_drift(shop: Shop) -> None:
    labels = {"app": "web"}
    networks = {NETWORKS: '[{"name": "front"}]'}
    pod = {
        "metadata": {"labels": labels, "annotations": networks},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
    named = {"name": "web", "namespace": shop.namespace}
    text = json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named, "spec": spec}
    )

    shop.kubectl.apply(text)
    eventually(lambda: len(shop.allocations()) == 2, "two addresses")

    no_drift(shop.kubectl, text)


def test_a_bare_pod_is_drift_for_who_asks_no_webhook(shop: Shop) -> None:
    metadata = {"namespace": shop.namespace, "annotations": {NETWORKS: '[{"name": "front"}]'}}
    spec = {"containers": [{"name": "main", "image": "none"}]}
    text = json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": "bare"}, "spec": spec}
    )
    shop.kubectl.apply(text)
    pointer = f"/metadata/annotations/{NETWORKS.replace('/', '~1')}"

    found = drift.by_last_applied(shop.kubectl, text)

    assert [one for one in found if one.startswith("/metadata")] == [pointer]
    assert pointer in ignored("jsonPointers")
    no_drift(shop.kubectl, text)


@WAYS
def test_a_machine_without_addresses_in_git_is_no_drift_and_keeps_them(
    shop: Shop, machines: str, apply: Apply
) -> None:
    text = machine("web" if apply is client_side else "db", machines)
    apply(shop.kubectl, text)
    given = addresses(shop, text)

    no_drift(shop.kubectl, text)
    apply(shop.kubectl, text)

    assert all(given)
    assert addresses(shop, text) == given
    if apply is client_side:
        assert drift.by_last_applied(shop.kubectl, text) == []


def test_an_address_written_on_one_interface_leaves_the_other_its_own(
    shop: Shop, machines: str
) -> None:
    shop.kubectl.apply(machine("web", machines))
    first, second = addresses(shop, machine("web", machines))
    text = machine("web", machines, "0a:00:00:00:05:10")

    expected = drift.by_last_applied(shop.kubectl, text)
    found = drift.by_dry_run(shop.kubectl, drift.FLUX, text)
    shop.kubectl.apply(text)

    assert expected == [f"{INTERFACES}/0/macAddress", f"{INTERFACES}/1/macAddress"]
    assert found == [f"{INTERFACES}/1/macAddress"]
    assert addresses(shop, text) == [first, "0a:00:00:00:05:10"]
    assert second != "0a:00:00:00:05:10"
    [expression] = ignored("jqPathExpressions", "VirtualMachine")
    assert expression == INTERFACES.replace("/", ".") + "[]?.macAddress"


def machine(name: str, namespace: str, mac: str = "") -> str:
    vm = manifest(name, [Interface("default"), Interface("front", "front", mac)])
    vm["metadata"]["namespace"] = namespace
    return json.dumps(vm)


def addresses(shop: Shop, text: str) -> list[str]:
    named = json.loads(text)["metadata"]
    vm = shop.client.read("vm", named["name"], named["namespace"])
    interfaces = vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"]
    return [one.get("macAddress", "") for one in interfaces]


def ignored(how: str, kind: str = "Pod") -> list[str]:
    """What the page tells Argo CD not to compare, of one kind."""
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
    assert [one["type"] for one in config["plugins"]] == ["ovs", "tuning"]
    assert config["plugins"][-1]["capabilities"] == {"mac": True}


# The audit log


def history(cluster: ControlPlane, mac: str, *flags: str) -> list[str]:
    """What the page's line prints, without the heading, for this address and this log."""
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


def hold(shop: Shop, pod: str, mac: str) -> str:
    """Create a pod that comes to hold the address, and return its UID."""
    shop.create(pod, [{"name": "a", "mac": mac}])
    shop.bound(mac, pod)
    uid: str = shop.client.read("pod", pod, shop.namespace)["metadata"]["uid"]
    return uid


def test_the_log_says_who_held_an_address_and_from_when_until_when(
    cluster: ControlPlane, shop: Shop
) -> None:
    mac = "0a:00:00:00:06:01"
    first = hold(shop, "first", mac)
    shop.delete("first")
    shop.freed(mac)

    unnamed = pods.manifest("", [{"name": "a", "mac": mac}], generateName="later-")
    shop.client.create(unnamed, shop.namespace)
    later = shop.holds(mac, lambda found: found["spec"].get("owner", {}).get("uid"), "a bound pod")
    name = shop.spec(mac)["owner"]["name"]

    one, other = lines(cluster, mac, 2, 0)
    assert f"Pod {shop.namespace}/first" in one
    assert first in one
    assert f"Pod {shop.namespace}/{name}" in other
    assert later in other
    assert since(one) < until(one) <= since(other)
    [then] = history(cluster, mac, "--at", since(one))
    assert then.split() == one.split()
    assert history(cluster, mac, "--at", "2020-01-01T00:00:00Z") == []


def test_a_pod_made_again_under_its_name_is_another_holder(
    cluster: ControlPlane, shop: Shop
) -> None:
    mac = "0a:00:00:00:06:02"
    before = hold(shop, "again", mac)

    shop.delete("again")
    after = hold(shop, "again", mac)

    one, other = lines(cluster, mac, 2, 0)
    assert before in one
    assert after in other
    assert until(one) <= since(other)


def test_what_was_refused_or_only_tried_is_no_history(cluster: ControlPlane, shop: Shop) -> None:
    mac = "0a:00:00:00:06:03"
    shop.client.create(declaration(mac), dry_run=True)
    shop.create("holder", [{"name": "a", "mac": mac}])
    shop.bound(mac, "holder")

    assert refusal(lambda: shop.client.delete("mac", pods.name_of(mac)))
    shop.client.label("mac", pods.name_of(mac), {"team": "network"})

    [line] = lines(cluster, mac, 1)
    assert f"Pod {shop.namespace}/holder" in line
    refused = [one for one in writes(cluster, mac) if one["responseStatus"]["code"] == 403]
    assert [one["user"]["username"] for one in refused] == ["admin"]


def test_who_carries_the_address_of_another_is_in_the_log_too(
    cluster: ControlPlane, shop: Shop, elsewhere: Shop
) -> None:
    mac = "0a:00:00:00:06:04"
    shop.create("holder", [{"name": "a", "mac": mac}])
    shop.bound(mac, "holder")

    elsewhere.create("twin", [{"name": "a", "mac": mac}])
    lines(cluster, mac, 2)
    elsewhere.delete("twin")

    holder, twin = lines(cluster, mac, 2, 1)
    assert f"Pod {shop.namespace}/holder" in holder
    assert f"Pod {elsewhere.namespace}/twin" in twin
    assert twin.endswith("carried it, too")


def test_who_declared_an_address_is_in_the_log_and_nothing_but_allocations_is(
    cluster: ControlPlane, shop: Shop
) -> None:
    mac = "0a:00:00:00:06:05"
    shop.client.create(declaration(mac))
    shop.create("gateway", [{"name": "a", "mac": mac}])
    shop.bound(mac, "gateway")
    shop.delete("gateway")

    [line] = lines(cluster, mac, 1, 0)
    declared, *_ = writes(cluster, mac)
    assert f"Pod {shop.namespace}/gateway" in line
    assert (declared["verb"], declared["user"]["username"]) == ("create", "admin")
    events = Audit(cluster).events()
    assert {one["objectRef"]["resource"] for one in events} == {"macallocations"}
    assert {one["stage"] for one in events} == {"ResponseComplete"}
    assert all(one["verb"] not in {"get", "list", "watch"} for one in events)


def writes(cluster: ControlPlane, mac: str) -> list[dict[str, Any]]:
    name = mac.replace(":", "-")
    return [one for one in Audit(cluster).events() if one["objectRef"].get("name") == name]
