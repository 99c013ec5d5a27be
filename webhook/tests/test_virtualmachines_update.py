"""Updates of a VM: interfaces keep, get and move addresses."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from webhook.admission import Want
from webhook.tests.reviews import mac
from webhook.tests.vms import (
    NAT,
    VM,
    VM_UID,
    addresses,
    answered,
    nic,
    of_spec,
    on,
    on_pod,
    vm_manifest,
)

ONE, TWO, THREE = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3))
FIRST_NEW = "02:00:00:00:00:a0"
STORED = vm_manifest(nic("default", ONE, **NAT), nic("a", TWO))


def test_an_interface_on_another_network_keeps_its_address() -> None:
    new = vm_manifest(nic("default", **NAT), nic("a"), networks=[on("default"), on("a", "infra/b")])

    stored, wants = answered(new, STORED)

    assert addresses(stored) == {"default": ONE, "a": TWO}
    assert wants == ()


def test_an_interface_that_is_no_longer_served_keeps_nothing() -> None:
    new = vm_manifest(nic("default"), nic("a", TWO))

    assert answered(new, STORED) == (new, ())


def test_a_changed_address_moves() -> None:
    new = vm_manifest(nic("default", THREE, **NAT), nic("a"))

    stored, wants = answered(new, STORED)

    assert addresses(stored) == {"default": THREE, "a": TWO}
    assert wants == (Want(replace(VM, interface="default", network="pod"), mac(3), VM_UID),)


@pytest.mark.parametrize("address", [TWO, ...], ids=["with it", "without it"])
def test_an_interface_on_its_way_out_keeps_its_address(address: object) -> None:
    stored, wants = answered(
        vm_manifest(nic("default", ONE, **NAT), nic("a", address, bridge={}, state="absent")),
        STORED,
    )

    assert addresses(stored) == {"default": ONE, "a": TWO}
    assert wants == ()


def test_an_interface_that_is_new_and_on_its_way_out_gets_none() -> None:
    new = vm_manifest(nic("default", ONE, **NAT), nic("b", bridge={}, state="absent"))

    assert answered(new, STORED) == (new, ())


def test_the_address_of_one_on_its_way_out_can_go_to_another() -> None:
    new = vm_manifest(
        nic("default", ONE, **NAT), nic("a", bridge={}, state="absent"), nic("b", TWO)
    )

    assert answered(new, STORED) == (new, ())


def test_an_interface_that_had_none_until_now_gets_one() -> None:
    # As of a VM that was there before its namespace opted in.
    old = vm_manifest(nic("default", **NAT), nic("a", ""))

    stored, wants = answered(vm_manifest(nic("default", **NAT), nic("a")), old)

    assert addresses(stored) == {"default": FIRST_NEW, "a": "02:00:00:00:00:a1"}
    assert {want.object_uid for want in wants} == {VM_UID}


@pytest.mark.parametrize("strange", ["nonsense", "03:00:00:00:00:01", "00:00:00:00:00:00"])
def test_an_old_address_that_no_interface_can_have_is_not_given_back(strange: str) -> None:
    stored, wants = answered(
        vm_manifest(nic("default", **NAT)), vm_manifest(nic("default", strange))
    )

    assert addresses(stored) == {"default": FIRST_NEW}
    assert len(wants) == 1


MALFORMED: dict[str, Any] = {
    "null": None,
    "text": "spec",
    "list": [],
    "interfaces is text": {"template": {"spec": {"domain": {"devices": {"interfaces": "a"}}}}},
    "address is a number": vm_manifest(nic("default", 2, **NAT))["spec"],
    "a network is null": vm_manifest(nic("default", ONE, **NAT), networks=[{"multus": 1}])["spec"],
}


@pytest.mark.parametrize("spec", MALFORMED.values(), ids=MALFORMED)
def test_an_old_vm_that_cannot_be_read_carried_nothing(spec: object) -> None:
    new = vm_manifest(nic("default", **NAT), nic("a", TWO))

    stored, wants = answered(new, of_spec(spec))

    assert addresses(stored) == {"default": FIRST_NEW, "a": TWO}
    assert [want.requested for want in wants] == [None, mac(2)]


def test_an_old_vm_with_more_interfaces_than_are_served_is_read() -> None:
    old = vm_manifest(*(nic(f"n{number}", str(mac(number))) for number in range(1, 200)))

    stored, wants = answered(vm_manifest(nic("n150"), nic("n199")), old)

    assert addresses(stored) == {"n150": str(mac(150)), "n199": str(mac(199))}
    assert wants == ()


def test_old_interfaces_without_a_network_kept_their_address_too() -> None:
    old = vm_manifest(nic("a", TWO), networks=[])

    stored, wants = answered(vm_manifest(nic("a"), networks=[on("a")]), old)

    assert addresses(stored) == {"a": TWO}
    assert wants == ()


def test_a_bridge_on_the_pod_network_hands_its_address_on_to_another_binding() -> None:
    old = vm_manifest(nic("default", ONE), networks=[on_pod("default")])

    stored, wants = answered(vm_manifest(nic("default", **NAT)), old)

    assert addresses(stored) == {"default": ONE}
    assert wants == ()
