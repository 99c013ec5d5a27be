"""Of a VM and its VMI is read what they carry; what cannot be read carries nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from crds.allocation import INSTANCE, MACHINE, Owner
from crds.carriers import OwnerReference
from crds.kubevirt import BadMachine, Interface, interfaces
from crds.kubevirt_stored import MOST_CARRIED, read_instance, read_machine
from crds.mac import MacAddress
from crds.resources import INSTANCES, KINDS, MACHINES, PODS, read_pod
from crds.tests.kubevirt import Manifest, Nic, controlled_by, instance, launcher, machine
from kube.nesting import decode_bounded

A, B = (MacAddress.parse(f"02:00:00:00:00:0{n}") for n in "ab")
VERSIONED = {"resourceVersion": "7", "uid": "u-1", "generation": 3, "managedFields": []}


def raw(manifest: Manifest, **changes: object) -> bytes:
    metadata = VERSIONED | manifest["metadata"]
    return json.dumps(manifest | {"metadata": metadata} | changes).encode()


def carried(manifest: Manifest, **changes: object) -> list[tuple[MacAddress, str, str]]:
    read = KINDS[manifest["kind"]].read
    found = read(raw(manifest, **changes)).attachments
    return [(one.mac, one.interface, one.network) for one in found]


def test_a_machine_is_read_with_what_its_template_carries() -> None:
    vm = read_machine(raw(machine("db", Nic("blue", A), Nic("red", B, "infra/red"))))

    assert vm.root == (MACHINE, "shop", "db")
    assert (vm.api_version, vm.uid, vm.version) == ("kubevirt.io/v1", "u-1", "7")
    assert not vm.terminal
    assert vm.controller is None
    assert [(one.mac, one.interface, one.network) for one in vm.attachments] == [
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
    (found,) = interfaces(json.dumps(machine("db", nic)["spec"]).encode(), "shop")

    assert found.is_served
    assert found.network == ("shop/ovs-conf" if nic.network else "pod")


@pytest.mark.parametrize("binding", ["bridge", "passt", "binding", "macvtap"])
def test_what_shares_the_pod_s_own_interface_is_not_served(binding: str) -> None:
    (found,) = interfaces(
        json.dumps(machine("db", Nic("n", None, None, binding))["spec"]).encode(), "s"
    )

    assert found == Interface("n", None, "pod")
    assert not found.is_served


def test_an_interface_without_a_network_of_its_name_is_not_served() -> None:
    spec = machine("db", Nic("n", A))["spec"]
    spec["template"]["spec"]["networks"][0]["name"] = "other"

    (found,) = interfaces(json.dumps(spec).encode(), "shop")

    assert found == Interface("n", str(A), None)
    assert not found.is_served


def test_an_interface_on_its_way_out_is_absent_and_still_carried() -> None:
    vm = machine("db", Nic("n", A))
    vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"][0]["state"] = "absent"

    (found,) = interfaces(json.dumps(vm["spec"]).encode(), "shop")

    assert found.is_absent
    assert carried(vm) == [(A, "n", "shop/ovs-conf")]


def test_an_address_that_its_author_wrote_is_carried_served_or_not() -> None:
    assert carried(machine("db", Nic("n", A, None))) == [(A, "n", "pod")]


@pytest.mark.parametrize("mac", ["", "nonsense", "03:00:00:00:00:01", "00:00:00:00:00:00"])
def test_what_is_no_address_is_not_carried(mac: str) -> None:
    assert carried(machine("db", Nic("a", mac), Nic("b", B))) == [(B, "b", "shop/ovs-conf")]


@pytest.mark.parametrize("spelling", ["02-00-00-00-00-0A", "02:00:00:00:00:0A"])
def test_all_spellings_of_an_address_are_one(spelling: str) -> None:
    assert carried(machine("db", Nic("n", spelling))) == [(A, "n", "shop/ovs-conf")]


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
def test_a_machine_that_cannot_be_read_or_has_no_interfaces_carries_nothing(spec: Any) -> None:  # noqa: ANN401
    vm = read_machine(raw(machine("db", Nic("n", A)), spec=spec))

    assert vm.root == (MACHINE, "shop", "db")
    assert vm.attachments == ()


@pytest.mark.parametrize("spec", [b"", b"{", b"[]", b'{"template":[]}', b"[" * 100_000])
def test_a_spec_that_is_none_is_a_bad_machine(spec: bytes) -> None:
    with pytest.raises(BadMachine, match=r"^spec: "):
        interfaces(spec, "shop")


def test_an_instance_is_read_with_what_its_spec_carries() -> None:
    vmi = read_instance(raw(instance("db", Nic("blue", A), made_by="u-0")))

    assert vmi.kind == INSTANCE
    assert vmi.root == (MACHINE, "shop", "db")
    assert vmi.controller == OwnerReference(MACHINE, "db", "u-0")
    assert vmi.is_running
    assert [(one.mac, one.interface) for one in vmi.attachments] == [(A, "blue")]


def test_an_instance_carries_what_its_status_shows_on_a_served_interface() -> None:
    vmi = instance("db", Nic("blue"), Nic("red", B), seen=[_seen(A, "blue"), _seen(B, "red")])

    assert carried(vmi) == [(B, "red", "shop/ovs-conf"), (A, "blue", "shop/ovs-conf")]


@pytest.mark.parametrize("name", ["", "docker0", "default"])
def test_what_the_guest_made_itself_or_the_pod_network_gave_is_not_carried(name: str) -> None:
    vmi = instance("db", Nic("default", None, None), seen=[_seen(A, name)])

    assert carried(vmi) == []


def test_an_address_in_status_that_is_none_is_not_carried() -> None:
    vmi = instance("db", Nic("blue", B), seen=[{"name": "blue"}, _seen("nonsense", "blue")])

    assert carried(vmi) == [(B, "blue", "shop/ovs-conf")]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_an_instance_that_has_ended_carries_nothing(phase: str) -> None:
    vmi = read_instance(raw(instance("db", Nic("n", A), phase=phase, seen=[_seen(A, "n")])))

    assert vmi.terminal
    assert vmi.attachments == ()


@pytest.mark.parametrize("phase", ["", "Pending", "Scheduling", "Scheduled", "Unknown", "New"])
def test_an_instance_in_any_other_phase_carries_its_addresses(phase: str) -> None:
    vmi = read_instance(raw(instance("db", Nic("n", A), phase=phase)))

    assert not vmi.terminal
    assert vmi.carries(A)
    assert not vmi.is_running


@pytest.mark.parametrize("status", [None, 7, {"interfaces": 7}, {"interfaces": [{"mac": 7}]}])
def test_an_instance_whose_status_cannot_be_read_carries_what_its_spec_says(status: Any) -> None:  # noqa: ANN401
    assert carried(instance("db", Nic("n", A)), status=status) == [(A, "n", "shop/ovs-conf")]


@pytest.mark.parametrize("spec", [None, 7, {"domain": 7}, {"domain": {"devices": {}}}])
def test_an_instance_whose_spec_cannot_be_read_carries_nothing(spec: Any) -> None:  # noqa: ANN401
    assert carried(instance("db", Nic("n", A), seen=[_seen(A, "n")]), spec=spec) == []


MOVING = {
    "sourceState": {"virtualMachineInstanceUID": "u-1", "migrationUID": "m-1"},
    "targetState": {"virtualMachineInstanceUID": "u-2", "migrationUID": "m-2"},
}


def test_both_sides_of_a_migration_across_namespaces_say_the_same_guest() -> None:
    status = {"phase": "Running", "migrationState": MOVING}

    sides = {
        read_instance(raw(instance("db", namespace=namespace), status=status)).guest
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
def test_a_migration_of_one_side_alone_names_no_guest(state: Any) -> None:  # noqa: ANN401
    status = {"phase": "Running", "migrationState": state}

    assert read_instance(raw(instance("db"), status=status)).guest == ""


CONTROLLER = controlled_by(MACHINE, "db", "u-0")


@pytest.mark.parametrize(
    "references",
    [
        [],
        [CONTROLLER | {"controller": False}],
        [CONTROLLER | {"kind": "VirtualMachinePool"}],
        [CONTROLLER | {"apiVersion": "example.com/v1"}],
        [CONTROLLER | {"apiVersion": "kubevirt.io.example.com/v1"}],
    ],
    ids=str,
)
def test_only_a_kubevirt_object_that_controls_it_has_made_an_instance(
    references: list[Manifest],
) -> None:
    vmi = instance("db")
    vmi["metadata"]["ownerReferences"] = references

    assert read_instance(raw(vmi)).controller is None


def test_an_older_version_of_kubevirt_controls_as_well() -> None:
    vmi = instance("db")
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u-9"}
    older = CONTROLLER | {"apiVersion": "kubevirt.io/v1alpha3"}
    vmi["metadata"]["ownerReferences"] = [other, older]

    assert read_instance(raw(vmi)).controller == OwnerReference(MACHINE, "db", "u-0")


def test_a_launcher_pod_is_of_its_instance_s_machine() -> None:
    pod = read_pod(raw(launcher("virt-launcher-db-x7", "db", "u-0", Nic("n", A))))

    assert pod.kind == "Pod"
    assert pod.root == (MACHINE, "shop", "db")
    assert pod.controller == OwnerReference(INSTANCE, "db", "u-0")
    assert [(one.mac, one.network) for one in pod.attachments] == [(A, "shop/ovs-conf")]


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


@pytest.mark.parametrize("read", [read_machine, read_instance])
@pytest.mark.parametrize("text", [b"", b"{}", b"null", b"[]", b'{"metadata":{"name":"x"}}'])
def test_what_is_no_object_is_not_read(read: Any, text: bytes) -> None:  # noqa: ANN401
    with pytest.raises(msgspec.DecodeError):
        read(text)


def test_machines_are_listed_before_instances_before_pods() -> None:
    assert list(KINDS.values()) == [MACHINES, INSTANCES, PODS]
    assert MACHINES.named("db", "shop") == (
        "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db"
    )


def test_a_status_shows_one_address_of_each_interface_however_many_it_has() -> None:
    # Whoever creates a VMI may write its status with it.
    many = [_seen(MacAddress(A.bits + 256 * n), "lan") for n in range(5000)]

    found = carried(instance("db", Nic("lan")), status={"interfaces": many})

    assert [mac for mac, *_ in found] == [MacAddress(A.bits + 256 * 4999)]


def test_a_machine_carries_no_more_than_a_guest_can_have() -> None:
    many = [Nic(f"n{n}", MacAddress(A.bits + 256 * n)) for n in range(1000)]

    assert len(carried(machine("db", *many))) == MOST_CARRIED


def test_what_names_an_owner_is_no_longer_than_an_allocation_takes() -> None:
    owner = read_machine(raw(machine("db", Nic("x" * 1000, A, "y" * 1000)))).as_owner(A)

    assert (len(owner.interface or ""), len(owner.network or "")) == (253, 317)


@pytest.mark.parametrize("wrong", [{"name": "other"}, {"uid": ""}, {"uid": "u" * 129}])
def test_a_vm_that_an_instance_cannot_have_has_not_made_it(wrong: Manifest) -> None:
    vmi = instance("db")
    vmi["metadata"]["ownerReferences"] = [CONTROLLER | wrong]

    assert read_instance(raw(vmi)).controller is None


def test_a_launcher_holds_what_was_given_to_its_bare_instance_until_it_goes() -> None:
    pod = read_pod(raw(launcher("virt-launcher-db-x7", "db", "u-0")))
    bare = Owner(api_version="kubevirt.io/v1", kind=INSTANCE, namespace="shop", name="db")

    assert pod.still_holds(A, replace(bare, uid="u-0"))
    assert not pod.still_holds(A, replace(bare, uid="u-9"))
    assert not pod.still_holds(A, bare)


def test_at_no_depth_does_a_machine_lose_what_it_carries() -> None:
    # `decode_bounded` prunes what the decoder cannot follow. This must work at every depth.
    text = raw(machine("db", Nic("blue", A))).decode()

    for levels in range(20, 1200, 7):
        unknown = '{"a":' * levels + "1" + "}" * levels
        nested = text.replace('"template": {', f'"template": {{"metadata": {unknown}, ', 1)
        assert decode_bounded(read_machine, nested.encode()).carries(A)


def _seen(mac: MacAddress | str, name: str) -> Manifest:
    return {"mac": str(mac), "name": name, "infoSource": "domain"}
