"""Invalid VMs: each gets a clear refusal, and the work is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from crds import kubevirt as module
from crds.kubevirt import Interface
from webhook import virtualmachines
from webhook.admission import Denied, VmReview
from webhook.tests.vms import (
    NAT,
    VM,
    VM_UID,
    answered,
    made,
    nic,
    nothing_to_do,
    of_spec,
    on,
    on_pod,
    refusal,
    vm_manifest,
)

ONE = "02:00:00:00:00:01"
WHERE = "spec.template.spec.domain.devices.interfaces"


def spec_with(interfaces: object, networks: object = None) -> dict[str, Any]:
    inner = {"domain": {"devices": {"interfaces": interfaces}}, "networks": networks}
    return {"template": {"spec": inner}}


@pytest.mark.parametrize("other", [ONE, "02-00-00-00-00-01", "0200.0000.0001"])
@pytest.mark.parametrize("old", [None, vm_manifest(nic("a", ONE), nic("b"))])
def test_an_address_twice_in_one_vm_is_refused(other: str, old: dict[str, Any] | None) -> None:
    message = refusal(vm_manifest(nic("default", **NAT), nic("a", ONE), nic("b", other)), old)

    assert message == (
        "VirtualMachine shop/web: duplicate address 02:00:00:00:00:01 in interfaces 'a' and 'b':"
        " give each its own address, or leave out the macAddress of a new one and get one from"
        " the pool"
    )


def test_a_name_twice_in_one_vm_is_refused() -> None:
    message = refusal(vm_manifest(nic("a", ONE), nic("default", **NAT), nic("a")))

    assert message == (
        f"VirtualMachine shop/web: duplicate name 'a' of interfaces 1 and 3 in {WHERE}: give each"
        f" interface a name of its own"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("02:00:00:00:00", "'02:00:00:00:00' is not a MAC address: write six octets, such as"),
        ("02:00:00:00:00:00:00:01", "is not a MAC address"),
        (" 02:00:00:00:00:01", "is not a MAC address"),
        ("\u0662:00:00:00:00:01", "is not a MAC address"),
        ("\x00", "'\\x00' is not a MAC address"),
        ("0" * 100_000, "000...' is not a MAC address"),
        ("03:00:00:00:00:01", "03:00:00:00:00:01 is a group address (its first octet is odd)"),
        ("ff-ff-ff-ff-ff-ff", "ff:ff:ff:ff:ff:ff is a group address"),
        ("0000.0000.0000", "00:00:00:00:00:00 is the zero address: no interface can own it"),
    ],
)
def test_an_address_that_no_interface_can_have_is_refused(text: str, says: str) -> None:
    message = refusal(vm_manifest(nic("default", **NAT), nic("b", text)))

    assert message.startswith("VirtualMachine shop/web: interface 'b': ")
    assert says in message


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("spec", "spec: Expected `object | null`, got `str`"),
        ([], "spec: Expected `object | null`, got `array`"),
        (7, "spec: Expected `object | null`, got `int`"),
        ({"template": []}, "got `array` - at `$.template`"),
        ({"template": {"spec": "x"}}, "got `str` - at `$.template.spec`"),
        ({"template": {"spec": {"domain": 1}}}, "got `int` - at `$.template.spec.domain`"),
        (
            {"template": {"spec": {"domain": {"devices": []}}}},
            "at `$.template.spec.domain.devices`",
        ),
        (spec_with("a"), "got `str` - at `$.template.spec.domain.devices.interfaces`"),
        (spec_with({"a": {}}), "got `object` - at `$.template.spec.domain.devices"),
        (spec_with(["a"]), "got `str` - at `$.template.spec.domain.devices.interfac"),
        (spec_with([[]]), "got `array` - at `$.template.spec.domain.devices.interf"),
        (spec_with([{"name": None}]), "Expected `str`, got `null` - at `$.template"),
        (spec_with([nic("a", [ONE])]), "Expected `str | null`, got `array`"),
        (spec_with([None]), "got `null` - at `$.template.spec.domain.devices.interf"),
        (spec_with([{"name": 1}]), "Expected `str`, got `int` - at `$.template.spec"),
        (spec_with([nic("a", 2)]), "Expected `str | null`, got `int`"),
        (spec_with([nic("a", state=1)]), "Expected `str`, got `int`"),
        (spec_with([], {"a": {}}), "got `object` - at `$.template.spec.networks`"),
        (spec_with([], [None]), "got `null` - at `$.template.spec.networks[0]`"),
        (spec_with([], [{"name": 1}]), "at `$.template.spec.networks[0].name`"),
        (spec_with([], [{"name": "a", "multus": "b"}]), "at `$.template.spec.networks[0].multus`"),
        (
            spec_with([], [{"name": "a", "multus": {"networkName": None}}]),
            "got `null` - at `$.template.spec.networks[0].multus.networkName`",
        ),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused_saying_where(spec: object, says: str) -> None:
    message = refusal(of_spec(spec))

    assert message.startswith("VirtualMachine shop/web: spec: ")
    assert says in message


@pytest.mark.parametrize("binding", [0, False, "", [], "yes", {"a": {"b": [None]}}], ids=str)
def test_a_binding_of_any_form_counts_for_kubevirt_refuses_it(binding: object) -> None:
    _, (want,) = answered(vm_manifest(nic("default", masquerade=binding)))

    assert want.owner.network == "pod"


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
def test_a_deeply_nested_spec_is_skipped_or_refused(depth: int) -> None:
    for spec in (
        b'{"x":' + b"[" * depth + b"]" * depth + b"}",
        b'{"template":' * depth + b"1" + b"}" * depth,
        b"[" * depth,
    ):
        planned = virtualmachines.plan(VmReview("r-1", False, VM, spec))  # noqa: FBT003

        assert isinstance(planned, Denied) or nothing_to_do(planned)


@pytest.mark.parametrize(
    "name",
    ["", "x" * 254, "a b", "a\nb: forged log line", "\u212a", "a/b", "\x1b[31m", "a.b"],
    ids=["empty", "long", "space", "newline", "kelvin", "slash", "escape", "dot"],
)
@pytest.mark.parametrize("address", [..., ONE], ids=["any", "requested"])
def test_a_name_that_kubevirt_refuses_is_refused_before_it_is_written(
    name: str, address: object
) -> None:
    message = refusal(vm_manifest(nic(name, address)))

    assert message.startswith("VirtualMachine shop/web: invalid name '")
    assert message.endswith(
        f" of an interface in {WHERE}: a name has 1 to 253 letters, digits, '-' and '_'"
    )


def test_the_longest_names_are_served() -> None:
    longest = "n" * 63 + "/" + "d" * 253

    _, (want,) = answered(vm_manifest(nic("x" * 253), networks=[on("x" * 253, longest)]))

    assert want.owner == replace(VM, interface="x" * 253, network=longest)


def test_a_network_s_name_that_no_allocation_can_hold_is_refused() -> None:
    message = refusal(vm_manifest(nic("a"), networks=[on("a", "n" * 64 + "/" + "d" * 253)]))

    assert message == (
        "VirtualMachine shop/web: networkName too long in interface 'a': it has 318 characters with"
        " its namespace, and can have up to 317"
    )


def test_an_interface_without_a_claim_may_have_any_name() -> None:
    assert nothing_to_do(made(of_spec(spec_with([{"name": "a b"}], [on_pod("a b")]))))


@pytest.mark.parametrize("old", [None, vm_manifest(*(nic(f"n{n}") for n in range(129)))])
def test_more_interfaces_than_can_be_served_in_time_are_refused(
    old: dict[str, Any] | None,
) -> None:
    message = refusal(vm_manifest(*(nic(f"n{number}") for number in range(129))), old)

    assert message == (
        f"VirtualMachine shop/web: too many interfaces in {WHERE}: found 129, expected up to 128"
    )


def test_a_million_interfaces_are_counted_and_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = []

    def look(**members: Any) -> Interface:  # noqa: ANN401 # any of its fields
        looked_at.append(members)
        return Interface(**members)

    monkeypatch.setattr(module, "Interface", look)
    spec = b'{"template":{"spec":{"domain":{"devices":{"interfaces":[%s{}]}}}}}' % (
        b"{}," * 999_999
    )

    planned = virtualmachines.plan(VmReview("r-1", False, VM, spec))  # noqa: FBT003

    assert isinstance(planned, Denied)
    assert "found 1000000, expected up to 128" in planned.message
    assert looked_at == []
    assert len(answered(vm_manifest(nic("a"), nic("b")))[1]) == len(looked_at) == 2


@pytest.mark.parametrize("name", ["x/log", "..", "Web", "x" * 300], ids=lambda name: name[:9])
def test_a_vm_that_can_never_be_stored_is_refused(name: str) -> None:
    message = refusal(vm_manifest(nic("a"), name=name))

    assert message.startswith(f"invalid name {name[:40]!r}"[:40])


def test_a_refusal_of_an_update_names_the_vm_and_its_old_uid_is_no_part_of_it() -> None:
    message = refusal(vm_manifest(nic("a"), nic("a")), vm_manifest(nic("a")))

    assert message.startswith("VirtualMachine shop/web: ")
    assert VM_UID not in message
