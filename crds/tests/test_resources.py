from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from crds.allocation import Allocation, Owner, Source, State
from crds.mac import MacAddress
from crds.networks import ANNOTATION
from crds.pool import CollisionPolicy
from crds.resources import ALLOCATED, ALLOCATIONS, PODS, POOLS, VMS, NameAndVersion
from kube.resource import is_name, is_namespace

# As a real API server wrote them, with fields that are not read.
POD: dict[str, Any] = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {
        "name": "samplepod",
        "namespace": "shop",
        "uid": "7e4180f8-f7ad-47ae-9740-d67c7b865295",
        "resourceVersion": "273",
        "generation": 1,
        "creationTimestamp": "2026-11-24T12:00:00Z",
        "labels": {"app": "sample"},
        "annotations": {
            ANNOTATION: '[{"name":"ovs-conf","mac":"02:00:00:00:00:2A"},{"name":"b"}]',
            "k8s.v1.cni.cncf.io/network-status": '[{"name":"x","mac":"02:00:00:00:00:99"}]',
            "other": "",
        },
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:labels": {}}}}],
    },
    "spec": {
        "containers": [{"name": "c", "image": "i", "resources": {}}],
        "restartPolicy": "Never",
    },
    "status": {"phase": "Running", "qosClass": "BestEffort", "conditions": [{"type": "Ready"}]},
}
ALLOCATION = b"""{
  "apiVersion": "kubemacpool.io/v1beta1", "kind": "MacAllocation",
  "metadata": {"name": "02-00-00-00-00-2a", "uid": "u-9", "resourceVersion": "41",
               "creationTimestamp": "2026-11-24T12:00:00Z", "generation": 2,
               "labels": {"team": "shop"}, "managedFields": [{"manager": "kubemacpool"}]},
  "spec": {"mac": "02:00:00:00:00:2a", "state": "Bound", "source": "Requested", "declared": true,
           "owner": {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "samplepod",
                     "uid": "u-1", "interface": "net1", "network": "shop/ovs-conf"},
           "request": "r-1", "shared": true},
  "status": {"conflicts": [{"apiVersion": "v1", "kind": "Pod", "namespace": "shop",
             "name": "other", "uid": "u-2", "interface": "net1", "since": "2026-11-24T12:00:00Z"}]}
}"""
POOL = b"""{
  "apiVersion": "kubemacpool.io/v1beta1", "kind": "MacPool",
  "metadata": {"name": "default", "uid": "u-3", "resourceVersion": "7"},
  "spec": {"ranges": [{"start": "02:00:00:00:00:00", "end": "02:00:00:00:00:0f"}],
           "reserved": [{"start": "02:00:00:00:00:01"},
                        {"start": "02:00:00:00:00:04", "end": "02:00:00:00:00:05"}]},
  "status": {"size": 13, "allocated": 3, "free": 10, "conditions": [
    {"type": "Ready", "status": "True", "reason": "InForce", "message": "",
     "lastTransitionTime": "2026-11-24T12:00:00Z", "observedGeneration": 1},
    {"type": "Adopted", "status": "False", "reason": "Listing", "message": "not yet",
     "lastTransitionTime": "2026-11-24T12:00:00Z"}]}
}"""
MAC = MacAddress.parse("02:00:00:00:00:2a")


def test_a_pod_is_read_with_what_it_carries() -> None:
    pod = PODS.read(json.dumps(POD).encode())

    assert pod.root == ("Pod", "shop", "samplepod")
    assert (pod.api_version, pod.version) == ("v1", "273")
    assert pod.uid == "7e4180f8-f7ad-47ae-9740-d67c7b865295"
    assert not pod.terminal
    assert [
        (attachment.mac, attachment.interface, attachment.network) for attachment in pod.attachments
    ] == [(MAC, "net1", "shop/ovs-conf")]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_carries_nothing(phase: str) -> None:
    pod = PODS.read(json.dumps({**POD, "status": {"phase": phase}}).encode())

    assert pod.terminal
    assert pod.attachments == ()


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown", ""])
def test_a_pod_in_any_other_phase_carries_its_addresses(phase: str) -> None:
    pod = PODS.read(json.dumps({**POD, "status": {"phase": phase}}).encode())

    assert not pod.terminal
    assert pod.carries(MAC)


@pytest.mark.parametrize(
    "annotations", [{}, {"other": "x"}, {ANNOTATION: "a,b"}, {ANNOTATION: "["}]
)
def test_a_pod_whose_annotation_holds_no_address_carries_nothing(
    annotations: dict[str, str],
) -> None:
    metadata = {**POD["metadata"], "annotations": annotations}

    pod = PODS.read(json.dumps({**POD, "metadata": metadata}).encode())

    assert pod.attachments == ()


def test_a_pod_may_have_no_annotations_and_no_status() -> None:
    pod = PODS.read(b'{"metadata":{"name":"a","namespace":"b","uid":"c","resourceVersion":"1"}}')

    assert pod.root == ("Pod", "b", "a")
    assert not pod.terminal


def test_an_allocation_is_read_whole() -> None:
    stored = ALLOCATIONS.read(ALLOCATION)

    assert stored.allocation == Allocation(
        mac=MAC,
        state=State.BOUND,
        source=Source.REQUESTED,
        owner=Owner(
            api_version="v1",
            kind="Pod",
            namespace="shop",
            name="samplepod",
            uid="u-1",
            interface="net1",
            network="shop/ovs-conf",
        ),
        request="r-1",
        declared=True,
        shared=True,
    )
    assert (stored.mac, stored.uid, stored.version) == (MAC, "u-9", "41")
    assert [str(conflict) for conflict in stored.conflicts] == ["Pod shop/other (interface net1)"]
    assert stored.conflicts[0].since == "2026-11-24T12:00:00Z"


def test_a_name_and_a_version_are_read_of_an_allocation() -> None:
    assert ALLOCATED.read(ALLOCATION) == NameAndVersion(
        MAC, int(ALLOCATIONS.read(ALLOCATION).version)
    )


def test_a_pool_is_read_with_its_reserved_addresses_and_status() -> None:
    found = POOLS.read(POOL)

    assert found.pool.name == "default"
    assert [mac.bits & 0xFF for mac in found.pool.walk(0)] == [0, 2, 3, *range(6, 16)]
    assert (found.status.size, found.status.allocated, found.status.free) == (13, 3, 10)
    assert found.status.says("Ready")
    assert not found.status.says("Adopted")
    assert not found.status.says("Unheard")


@pytest.mark.parametrize("policy", CollisionPolicy)
def test_a_pool_is_read_with_its_policy(policy: CollisionPolicy) -> None:
    raw = json.dumps({"metadata": {"name": "default"}, "spec": {"collisionPolicy": policy}})

    assert POOLS.read(raw.encode()).policy is policy


def test_a_new_pool_has_no_status_and_policy_reject() -> None:
    found = POOLS.read(b'{"metadata":{"name":"default"},"spec":{"ranges":[]}}')

    assert found.pool.size == 0
    assert found.policy is CollisionPolicy.REJECT
    assert not found.status.says("Adopted")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b'{"metadata":{}}'])
@pytest.mark.parametrize("resource", [PODS, ALLOCATIONS, ALLOCATED, POOLS])
def test_json_of_another_object_is_not_read(resource: Any, raw: bytes) -> None:  # noqa: ANN401
    with pytest.raises(msgspec.DecodeError):
        resource.read(raw)


def test_paths_are_those_of_the_api() -> None:
    assert PODS.collection == "/api/v1/pods"
    assert PODS.named("web", "shop") == "/api/v1/namespaces/shop/pods/web"
    assert VMS.named("db", "shop") == ("/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db")
    assert ALLOCATIONS.named(MAC.name) == (
        "/apis/kubemacpool.io/v1beta1/macallocations/02-00-00-00-00-2a"
    )


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "a?b", "a#b", "a%2fb", "ä b"])
def test_a_name_never_leads_out_of_its_path(name: str) -> None:
    path = PODS.named(name, name)

    assert path.count("/") == 6
    assert not set(path) & set("?# ")


@pytest.mark.parametrize("name", ["a", "0", "web-1", "a.b", "a-b.c-d", "x" * 253])
def test_a_name_that_the_api_server_accepts_is_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "..", "a/b", "x/log", "a..b", "a.", ".a", "-a", "a-", "A", "a_b", "a\n", "\na"],
        *["a b", "a%2Fb", "a?b", "a#b", "\u00fc", "\u0661", "a\x00", "x" * 254],
    ],
)
def test_a_name_that_the_api_server_refuses_is_no_name(name: str) -> None:
    assert not is_name(name)
    assert not is_namespace(name)


def test_a_namespace_is_one_label_of_up_to_63_characters() -> None:
    assert is_namespace("x" * 63)
    assert not is_namespace("x" * 64)
    assert not is_namespace("a.b")
