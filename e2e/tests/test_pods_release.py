"""Release and adoption of the addresses of pods."""

import json
from collections.abc import Collection
from typing import Any

from e2e.pods import NETWORKS, PodNamespace
from testbed.readiness import eventually

OURS = "0a:00:00:00:"  # addresses of the tests' own, outside the pool's range


def test_a_running_pod_keeps_the_address_that_its_annotation_lost(pods: PodNamespace) -> None:
    [element] = pods.create("samplepod", [{"name": "a"}])
    pods.bound(element["mac"], "samplepod")

    pods.client.annotate("pod", "samplepod", {NETWORKS: None}, pods.namespace)

    # When the address of a later pod is released, that of this one would have been, too.
    [marker] = pods.create("marker", [{"name": "a"}])
    pods.bound(marker["mac"], "marker")
    pods.delete("marker")
    pods.freed(marker["mac"])
    assert "belongs to Pod" in pods.refuses("other", [{"name": "a", "mac": element["mac"]}])


def test_a_pod_that_is_deleted_frees_its_address(pods: PodNamespace) -> None:
    [element] = pods.create("samplepod", [{"name": "a"}])
    pods.bound(element["mac"], "samplepod")

    pods.delete("samplepod")

    pods.freed(element["mac"])


def test_a_pod_that_has_succeeded_or_failed_frees_its_address(pods: PodNamespace) -> None:
    macs = {}
    for phase in ("Succeeded", "Failed"):
        [element] = pods.create(phase.lower(), [{"name": "a"}])
        macs[phase] = element["mac"]
        pods.bound(element["mac"], phase.lower())

    for phase in macs:
        pods.end(phase.lower(), phase)

    for mac in macs.values():
        pods.freed(mac)


def test_a_pod_deleted_and_created_again_is_never_refused_for_its_former_self(
    pods: PodNamespace,
) -> None:
    networks = [{"name": "a", "mac": OURS + "01:01"}]
    pods.create("samplepod", networks)
    uids = set()

    for _ in range(5):
        pods.delete("samplepod")
        pods.create("samplepod", networks)
        uids.add(pods.bound(OURS + "01:01", "samplepod")["owner"]["uid"])

    assert len(uids) == 5


def test_two_pods_of_one_deployment_are_never_both_given_its_fixed_address(
    pods: PodNamespace,
) -> None:
    networks = json.dumps([{"name": "a", "mac": OURS + "01:02"}])
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {NETWORKS: networks}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }

    pods.client.create(deployment, pods.namespace)

    def refused(sets: Collection[dict[str, Any]]) -> str:
        return " ".join(
            condition["message"]
            for replica_set in sets
            for condition in replica_set["status"].get("conditions", [])
            if condition["type"] == "ReplicaFailure"
        )

    said = pods.client.until("replicaset", refused, "the second pod refused", pods.namespace)
    assert OURS + "01:02" in said
    assert len(pods.client.list("pod", pods.namespace)) == 1


def test_a_pod_that_a_later_stage_refuses_leaks_no_address(pods: PodNamespace) -> None:
    quota = {"kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": 0}}}
    pods.client.create({"apiVersion": "v1", **quota}, pods.namespace)
    eventually(lambda: "exceeded quota" in pods.refusal("early", None), "the quota in force")

    said = pods.refuses("samplepod", [{"name": "a", "mac": OURS + "01:03"}])

    assert "exceeded quota" in said
    assert pods.spec(OURS + "01:03").get("state") in {"Pending", None}  # None: Q is over
    pods.freed(OURS + "01:03")


def test_an_address_without_an_allocation_is_adopted_in_every_namespace(
    pods: PodNamespace, elsewhere: PodNamespace
) -> None:
    elsewhere.create("wild", [{"name": "a", "mac": OURS + "01:04"}])

    spec = elsewhere.bound(OURS + "01:04", "wild")

    assert spec["source"] == "Adopted"
    assert "belongs to Pod" in pods.refuses("tame", [{"name": "a", "mac": OURS + "01:04"}])


def test_a_second_carrier_is_noted_as_a_conflict_until_it_goes(
    pods: PodNamespace, elsewhere: PodNamespace
) -> None:
    pods.create("tame", [{"name": "a", "mac": OURS + "01:05"}])
    pods.bound(OURS + "01:05", "tame")

    elsewhere.create("wild", [{"name": "a", "mac": OURS + "01:05"}])
    pods.in_conflict(OURS + "01:05", "wild")
    elsewhere.delete("wild")
    pods.in_conflict(OURS + "01:05")
    assert pods.spec(OURS + "01:05")["owner"]["name"] == "tame"
