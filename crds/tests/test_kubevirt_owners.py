"""The VM of a VMI, and the VMI of a launcher pod, by ownerReference."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crds.allocation import VM_KIND, VMI_KIND, Owner
from crds.carriers import OwnerReference
from crds.kubevirt_stored import read_vmi
from crds.mac import MacAddress
from crds.resources import read_pod
from crds.tests.kubevirt import Manifest, Nic, controlled_by, launcher, raw, vmi_manifest

A = MacAddress.parse("02:00:00:00:00:0a")


CONTROLLER = controlled_by(VM_KIND, "db", "u-0")


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
def test_only_a_valid_reference_to_a_controlling_vm_makes_it_the_owner_of_a_vmi(
    references: list[Manifest],
) -> None:
    vmi = vmi_manifest("db")
    vmi["metadata"]["ownerReferences"] = references

    assert read_vmi(raw(vmi)).controller is None


def test_an_older_api_version_of_the_owner_counts_too() -> None:
    vmi = vmi_manifest("db")
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u-9"}
    older = CONTROLLER | {"apiVersion": "kubevirt.io/v1alpha3"}
    vmi["metadata"]["ownerReferences"] = [other, older]

    assert read_vmi(raw(vmi)).controller == OwnerReference(VM_KIND, "db", "u-0")


def test_a_launcher_pod_is_a_part_of_its_vm() -> None:
    pod = read_pod(raw(launcher("virt-launcher-db-x7", "db", "u-0", Nic("n", A))))

    assert pod.kind == "Pod"
    assert pod.root == (VM_KIND, "shop", "db")
    assert pod.controller == OwnerReference(VMI_KIND, "db", "u-0")
    assert [(attachment.mac, attachment.network) for attachment in pod.attachments] == [
        (A, "shop/ovs-conf")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {}},
        {"labels": {"kubevirt.io": "virt-handler"}},
        {"ownerReferences": []},
        {"ownerReferences": [controlled_by(VM_KIND, "db", "u-0")]},
        {"ownerReferences": [controlled_by(VMI_KIND, "db", "u-0") | {"apiVersion": "apps/v1"}]},
    ],
    ids=str,
)
def test_a_pod_without_the_label_or_the_reference_is_no_launcher(change: Manifest) -> None:
    pod = launcher("virt-launcher-db-x7", "db", "u-0", Nic("n", A))
    pod["metadata"] |= change

    assert read_pod(raw(pod)).root == ("Pod", "shop", "virt-launcher-db-x7")


def test_a_launcher_keeps_an_address_of_its_vmi_without_a_vm() -> None:
    pod = read_pod(raw(launcher("virt-launcher-db-x7", "db", "u-0")))
    bare = Owner(api_version="kubevirt.io/v1", kind=VMI_KIND, namespace="shop", name="db")

    assert pod.still_holds(A, replace(bare, uid="u-0"))
    assert not pod.still_holds(A, replace(bare, uid="u-9"))
    assert not pod.still_holds(A, bare)
