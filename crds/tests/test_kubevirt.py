"""VMs and VMIs are read with the addresses that they carry; an unreadable one carries none."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from crds.allocation import VM_KIND, VMI_KIND
from crds.carriers import OwnerReference
from crds.kubevirt import Interface, InvalidVirtualMachine, interfaces
from crds.kubevirt_stored import MOST_CARRIED, read_vm, read_vmi
from crds.mac import MacAddress
from crds.resources import KINDS
from crds.tests.kubevirt import Manifest, Nic, raw, vm_manifest, vmi_manifest
from kube.nesting import decode_bounded

A, B = (MacAddress.parse(f"02:00:00:00:00:0{n}") for n in "ab")


def carried(manifest: Manifest, **changes: object) -> list[tuple[MacAddress, str, str]]:
    read = KINDS[manifest["kind"]].read
    found = read(raw(manifest, **changes)).attachments
    return [(each.mac, each.interface, each.network) for each in found]


def test_a_vm_is_read_with_what_its_template_carries() -> None:
    vm = read_vm(raw(vm_manifest("db", Nic("blue", A), Nic("red", B, "infra/red"))))

    assert vm.root == (VM_KIND, "shop", "db")
    assert (vm.api_version, vm.uid, vm.version) == ("kubevirt.io/v1", "u-1", "7")
    assert not vm.terminal
    assert vm.controller is None
    assert [(each.mac, each.interface, each.network) for each in vm.attachments] == [
        (A, "blue", "shop/ovs-conf"),
        (B, "red", "infra/red"),
    ]


@pytest.mark.parametrize(
    "nic",
    [
        *(Nic("n", A, binding=binding) for binding in ("bridge", "sriov", "binding")),
        *(Nic("n", A, None, binding) for binding in ("masquerade", "slirp")),
    ],
    ids=str,
)
def test_an_interface_on_a_multus_network_or_behind_nat_is_served(nic: Nic) -> None:
    (found,) = interfaces(json.dumps(vm_manifest("db", nic)["spec"]).encode(), "shop")

    assert found.is_served
    assert found.network == ("shop/ovs-conf" if nic.network else "pod")


@pytest.mark.parametrize("binding", ["bridge", "passt", "binding", "macvtap"])
def test_an_interface_that_shares_the_pod_s_address_is_not_served(binding: str) -> None:
    (found,) = interfaces(
        json.dumps(vm_manifest("db", Nic("n", None, None, binding))["spec"]).encode(), "s"
    )

    assert found == Interface("n", None, "pod")
    assert not found.is_served


def test_an_interface_without_a_network_of_its_name_is_not_served() -> None:
    spec = vm_manifest("db", Nic("n", A))["spec"]
    spec["template"]["spec"]["networks"][0]["name"] = "other"

    (found,) = interfaces(json.dumps(spec).encode(), "shop")

    assert found == Interface("n", str(A), None)
    assert not found.is_served


def test_an_interface_with_state_absent_is_still_carried() -> None:
    vm = vm_manifest("db", Nic("n", A))
    vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][0]["state"] = "absent"

    (found,) = interfaces(json.dumps(vm["spec"]).encode(), "shop")

    assert found.is_absent
    assert carried(vm) == [(A, "n", "shop/ovs-conf")]


def test_an_address_in_the_spec_is_carried_even_if_its_interface_is_not_served() -> None:
    assert carried(vm_manifest("db", Nic("n", A, None))) == [(A, "n", "pod")]


@pytest.mark.parametrize("mac", ["", "nonsense", "03:00:00:00:00:01", "00:00:00:00:00:00"])
def test_an_invalid_address_is_not_carried(mac: str) -> None:
    assert carried(vm_manifest("db", Nic("a", mac), Nic("b", B))) == [(B, "b", "shop/ovs-conf")]


@pytest.mark.parametrize("spelling", ["02-00-00-00-00-0A", "02:00:00:00:00:0A"])
def test_all_spellings_of_an_address_are_one(spelling: str) -> None:
    assert carried(vm_manifest("db", Nic("n", spelling))) == [(A, "n", "shop/ovs-conf")]


@pytest.mark.parametrize(
    "spec",
    [
        *({}, None, 7, {"template": None}, {"template": {}}, {"template": {"spec": None}}),
        {"template": {"spec": {"domain": None}}},
        {"template": {"spec": {"domain": {"devices": {"interfaces": None}}, "networks": None}}},
        {"template": {"spec": {"domain": {"devices": {"interfaces": [{"macAddress": 7}]}}}}},
        {"template": {"spec": {"domain": {"devices": {"interfaces": {"a": "b"}}}}}},
    ],
    ids=str,
)
def test_a_vm_that_cannot_be_read_or_has_no_interfaces_carries_nothing(spec: Any) -> None:  # noqa: ANN401
    vm = read_vm(raw(vm_manifest("db", Nic("n", A)), spec=spec))

    assert vm.root == (VM_KIND, "shop", "db")
    assert vm.attachments == ()


@pytest.mark.parametrize("spec", [b"", b"{", b"[]", b'{"template":[]}', b"[" * 100_000])
def test_a_spec_that_is_not_json_is_an_invalid_vm(spec: bytes) -> None:
    with pytest.raises(InvalidVirtualMachine, match=r"^spec: "):
        interfaces(spec, "shop")


def test_a_vmi_is_read_with_what_its_spec_carries() -> None:
    vmi = read_vmi(raw(vmi_manifest("db", Nic("blue", A), made_by="u-0")))

    assert vmi.kind == VMI_KIND
    assert vmi.root == (VM_KIND, "shop", "db")
    assert vmi.controller == OwnerReference(VM_KIND, "db", "u-0")
    assert vmi.is_running
    assert [(each.mac, each.interface) for each in vmi.attachments] == [(A, "blue")]


def test_a_vmi_carries_what_its_status_shows_on_a_served_interface() -> None:
    vmi = vmi_manifest("db", Nic("blue"), Nic("red", B), seen=[_seen(A, "blue"), _seen(B, "red")])

    assert carried(vmi) == [(B, "red", "shop/ovs-conf"), (A, "blue", "shop/ovs-conf")]


@pytest.mark.parametrize("name", ["", "docker0", "default"])
def test_an_address_of_the_guest_or_of_the_pod_network_is_not_carried(name: str) -> None:
    vmi = vmi_manifest("db", Nic("default", None, None), seen=[_seen(A, name)])

    assert carried(vmi) == []


def test_an_invalid_address_in_status_is_not_carried() -> None:
    vmi = vmi_manifest("db", Nic("blue", B), seen=[{"name": "blue"}, _seen("nonsense", "blue")])

    assert carried(vmi) == [(B, "blue", "shop/ovs-conf")]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_vmi_that_has_ended_carries_nothing(phase: str) -> None:
    vmi = read_vmi(raw(vmi_manifest("db", Nic("n", A), phase=phase, seen=[_seen(A, "n")])))

    assert vmi.terminal
    assert vmi.attachments == ()


@pytest.mark.parametrize("phase", ["", "Pending", "Scheduling", "Scheduled", "Unknown", "New"])
def test_a_vmi_in_any_other_phase_carries_its_addresses(phase: str) -> None:
    vmi = read_vmi(raw(vmi_manifest("db", Nic("n", A), phase=phase)))

    assert not vmi.terminal
    assert vmi.carries(A)
    assert not vmi.is_running


@pytest.mark.parametrize("status", [None, 7, {"interfaces": 7}, {"interfaces": [{"mac": 7}]}])
def test_a_vmi_whose_status_cannot_be_read_carries_what_its_spec_says(status: Any) -> None:  # noqa: ANN401
    assert carried(vmi_manifest("db", Nic("n", A)), status=status) == [(A, "n", "shop/ovs-conf")]


@pytest.mark.parametrize("spec", [None, 7, {"domain": 7}, {"domain": {"devices": {}}}])
def test_a_vmi_whose_spec_cannot_be_read_carries_nothing(spec: Any) -> None:  # noqa: ANN401
    assert carried(vmi_manifest("db", Nic("n", A), seen=[_seen(A, "n")]), spec=spec) == []


MOVING = {
    "sourceState": {"virtualMachineInstanceUID": "u-1", "migrationUID": "m-1"},
    "targetState": {"virtualMachineInstanceUID": "u-2", "migrationUID": "m-2"},
}


def test_both_sides_of_a_migration_across_namespaces_have_the_same_guest() -> None:
    status = {"phase": "Running", "migrationState": MOVING}

    sides = {
        read_vmi(raw(vmi_manifest("db", namespace=namespace), status=status)).guest
        for namespace in ("shop", "archive")
    }

    assert sides == {"u-1/m-1/m-2"}


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"sourceState": MOVING["sourceState"]},
        {"targetState": MOVING["targetState"]},
        MOVING | {"targetState": {"virtualMachineInstanceUID": "u-2"}},
        MOVING | {"sourceState": {"migrationUID": "m-1"}},
    ],
    ids=str,
)
def test_a_migration_with_one_side_has_no_guest(state: Any) -> None:  # noqa: ANN401
    status = {"phase": "Running", "migrationState": state}

    assert read_vmi(raw(vmi_manifest("db"), status=status)).guest == ""


@pytest.mark.parametrize("read", [read_vm, read_vmi])
@pytest.mark.parametrize("text", [b"", b"{}", b"null", b"[]", b'{"metadata":{"name":"x"}}'])
def test_json_that_is_not_an_object_is_not_read(read: Any, text: bytes) -> None:  # noqa: ANN401
    with pytest.raises(msgspec.DecodeError):
        read(text)


def test_a_status_shows_one_address_of_each_interface_however_many_it_has() -> None:
    # A user who creates a VMI may write its status, too.
    many = [_seen(MacAddress(A.bits + 256 * n), "lan") for n in range(5000)]

    found = carried(vmi_manifest("db", Nic("lan")), status={"interfaces": many})

    assert [mac for mac, *_ in found] == [MacAddress(A.bits + 256 * 4999)]


def test_a_vm_carries_no_more_than_a_guest_can_have() -> None:
    many = [Nic(f"n{n}", MacAddress(A.bits + 256 * n)) for n in range(1000)]

    assert len(carried(vm_manifest("db", *many))) == MOST_CARRIED


def test_interface_and_network_of_an_owner_are_cut_to_the_limits_of_the_crd() -> None:
    owner = read_vm(raw(vm_manifest("db", Nic("x" * 1000, A, "y" * 1000)))).as_owner(A)

    assert (len(owner.interface or ""), len(owner.network or "")) == (253, 317)


def test_deep_nesting_never_hides_an_address_of_a_vm() -> None:
    # `decode_bounded` prunes what the decoder cannot follow. This must work at every depth.
    text = raw(vm_manifest("db", Nic("blue", A))).decode()

    for levels in range(20, 1200, 7):
        unknown = '{"a":' * levels + "1" + "}" * levels
        nested = text.replace('"template": {', f'"template": {{"metadata": {unknown}, ', 1)
        assert decode_bounded(read_vm, nested.encode()).carries(A)


def _seen(mac: MacAddress | str, name: str) -> Manifest:
    return {"mac": str(mac), "name": name, "infoSource": "domain"}
