"""docs/gitops.md is right about Argo CD, Flux and the audit log, on a real API server.

The tools do not run here. `e2e.drift` sends the requests with which they compare, apply and prune.
"""

import json
from typing import Any

import pytest
import yaml

from e2e import drift, pool
from e2e.gitops import PAGE, PROJECT, WAYS, Apply, client_side, no_drift
from e2e.manifest import documents
from e2e.pods import PodNamespace, allocation
from testbed.kubectl import Kubectl
from testbed.readiness import eventually
from testbed.release import MANIFEST, Installed

WORDS = " ".join(PAGE.split())


def declared_again(pods: PodNamespace, mac: str) -> None:
    pods.holds(mac, lambda found: found["spec"]["state"] == "Declared", f"{mac} Declared again")


@WAYS
def test_a_claimed_address_is_no_drift(pods: PodNamespace, apply: Apply) -> None:
    mac = "0a:00:00:00:05:01" if apply is client_side else "0a:00:00:00:05:02"
    only = {"kind": "Pod", "namespace": pods.namespace, "name": "gateway"}
    text = allocation(mac, reservedFor=only)
    apply(pods.kubectl, text)
    no_drift(pods.kubectl, text)

    pods.create("gateway", [{"name": "a", "mac": mac}])
    pods.bound(mac, "gateway")
    before = pods.allocation(mac)

    no_drift(pods.kubectl, text)
    if apply is client_side:
        assert drift.by_last_applied(pods.kubectl, text) == []
    apply(pods.kubectl, text)
    assert pods.allocation(mac) == before  # with its resourceVersion: nothing was written


def test_a_field_that_the_page_tells_to_leave_out_is_drift(pods: PodNamespace) -> None:
    mac = "0a:00:00:00:05:03"
    text = allocation(mac, state="Declared")
    pods.kubectl.apply(text)

    pods.create("samplepod", [{"name": "a", "mac": mac}])
    pods.bound(mac, "samplepod")

    assert drift.by_last_applied(pods.kubectl, text) == ["/spec/state"]
    said = pods.kubectl.fails("apply", "-f", "-", stdin=text)
    assert "a Declared allocation has no owner; to keep an address for an object use" in said
    assert "a Declared allocation has no owner; to keep an address for an object use" in WORDS


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_pruning_a_claimed_address_is_refused_until_it_is_free(
    pods: PodNamespace, cascade: str
) -> None:
    mac = "0a:00:00:00:05:04" if cascade == "background" else "0a:00:00:00:05:05"
    prune = ("delete", "mac", mac.replace(":", "-"), f"--cascade={cascade}")
    pods.kubectl.apply(allocation(mac))
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
    changed = allocation(mac, reservedFor={**only, "name": "new"})
    flags = [] if apply is client_side else ["--server-side", f"--field-manager={drift.FLUX}"]
    apply(pods.kubectl, allocation(mac, reservedFor=only))
    pods.create("old", [{"name": "a", "mac": mac}])
    pods.bound(mac, "old")

    said = pods.kubectl.fails("apply", "-f", "-", *flags, stdin=changed)
    pods.delete("old")
    declared_again(pods, mac)
    apply(pods.kubectl, changed)

    assert "until it is free its spec cannot be changed" in said
    assert pods.spec(mac)["reservedFor"]["name"] == "new"


@WAYS
def test_an_address_that_was_in_use_before_its_file_is_declared_by_the_sync_after_its_release(
    pods: PodNamespace, apply: Apply
) -> None:
    mac = "0a:00:00:00:05:08" if apply is client_side else "0a:00:00:00:05:09"
    text = allocation(mac)
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
    [file] = (
        document for document in documents() if document["kind"] == "MutatingWebhookConfiguration"
    )

    # --save-config: without the annotation of kubectl apply, a later apply removes no field.
    kubectl("replace", "--save-config", "-f", "-", stdin=json.dumps(file))

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
    for document in documents():
        assert drift.by_dry_run(kubectl, drift.FLUX, json.dumps(document)) == []
