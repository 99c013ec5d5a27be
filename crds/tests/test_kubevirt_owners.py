"""The VM of a VMI, and the VMI of a launcher pod, by ownerReference."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crds.allocation import INSTANCE, MACHINE, Owner
from crds.carriers import OwnerReference
from crds.kubevirt_stored import read_instance
from crds.mac import MacAddress
from crds.resources import read_pod
from crds.tests.kubevirt import Manifest, Nic, controlled_by, instance, launcher, raw

A = MacAddress.parse("02:00:00:00:00:0a")


CONTROLLER = controlled_by(MACHINE, "db", "u-0")


@pytest.mark.parametrize(
    "references",
    [
        [],
        [CONTROLLER | {"controller": False}],
        [CONTROLLER | {"kind": "VirtualMachinePool"}],
        [CONTROLLER | {"apiVersion": "example.com/v1"}],
        [CONTROLLER | {"apiVersion": "kubevirt.io.example.com/v1"}],
        [CONTROLLER | {"name": "other"}],
        [CONTROLLER | {"uid": ""}],
        [CONTROLLER | {"uid": "u" * 129}],
    ],
    ids=str,
)
def test_only_a_valid_reference_to_a_controlling_vm_makes_it_the_owner_of_an_instance(
    references: list[Manifest],
) -> None:
    vmi = instance("db")
    vmi["metadata"]["ownerReferences"] = references

    assert read_instance(raw(vmi)).controller is None


def test_an_older_api_version_of_the_owner_counts_too() -> None:
    vmi = instance("db")
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u-9"}
    older = CONTROLLER | {"apiVersion": "kubevirt.io/v1alpha3"}
    vmi["metadata"]["ownerReferences"] = [other, older]

    assert read_instance(raw(vmi)).controller == OwnerReference(MACHINE, "db", "u-0")


def test_a_launcher_pod_is_a_part_of_its_machine() -> None:
    pod = read_pod(raw(launcher("virt-launcher-db-x7", "db", "u-0", Nic("n", A))))

    assert pod.kind == "Pod"
    assert pod.root == (MACHINE, "shop", "db")
    assert pod.controller == OwnerReference(INSTANCE, "db", "u-0")
    assert [(attachment.mac, attachment.network) for attachment in pod.attachments] == [
        (A, "shop/ovs-conf")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {}},
        {"labels": {"kubevirt.io": "virt-handler"}},
        {"ownerReferences": []},
        {"ownerReferences": [controlled_by(MACHINE, "db", "u-0")]},
        {"ownerReferences": [controlled_by(INSTANCE, "db", "u-0") | {"apiVersion": "apps/v1"}]},
    ],
    ids=str,
)
def test_a_pod_without_the_label_or_the_reference_is_no_launcher(change: Manifest) -> None:
    pod = launcher("virt-launcher-db-x7", "db", "u-0", Nic("n", A))
    pod["metadata"] |= change

    assert read_pod(raw(pod)).root == ("Pod", "shop", "virt-launcher-db-x7")


def test_a_launcher_keeps_an_address_of_its_instance_without_a_vm() -> None:
    pod = read_pod(raw(launcher("virt-launcher-db-x7", "db", "u-0")))
    bare = Owner(api_version="kubevirt.io/v1", kind=INSTANCE, namespace="shop", name="db")

    assert pod.still_holds(A, replace(bare, uid="u-0"))
    assert not pod.still_holds(A, replace(bare, uid="u-9"))
    assert not pod.still_holds(A, bare)
