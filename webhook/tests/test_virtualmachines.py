"""New VMs: which interfaces get an address, and which addresses stay as written."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from webhook.admission import Want
from webhook.tests.reviews import mac
from webhook.tests.vms import (
    NAT,
    VM,
    addresses,
    answered,
    made,
    nic,
    nics_of,
    nothing_to_do,
    of_spec,
    on,
    on_pod,
    vm_manifest,
)

DEFAULT = nic("default", **NAT)


def multus(**more: object) -> dict[str, Any]:
    return {"name": "a", "multus": {"networkName": "ovs-conf", **more}}


@pytest.mark.parametrize(
    ("one", "network", "recorded"),
    [
        pytest.param(nic("a", masquerade={}), on_pod("a"), "pod", id="masquerade"),
        pytest.param(nic("a", slirp={}), on_pod("a"), "pod", id="slirp"),
        pytest.param(
            nic("a", masquerade={}, ports=[{"port": 80}], model="e1000"),
            on_pod("a"),
            "pod",
            id="masquerade with ports",
        ),
        pytest.param(nic("a"), multus(), "shop/ovs-conf", id="multus"),
        pytest.param(
            nic("a"),
            multus(networkName="infra/ovs-conf"),
            "infra/ovs-conf",
            id="of another namespace",
        ),
        pytest.param(
            nic("a"), multus(default=True), "shop/ovs-conf", id="multus as the default network"
        ),
        pytest.param(
            nic("a", masquerade={}), multus(default=True), "shop/ovs-conf", id="masquerade on it"
        ),
        pytest.param(nic("a", sriov={}), multus(), "shop/ovs-conf", id="sriov"),
        pytest.param(
            nic("a", binding={"name": "l2bridge"}), multus(), "shop/ovs-conf", id="plugin on multus"
        ),
        pytest.param(nic("a", bootOrder=1), multus(), "shop/ovs-conf", id="no binding named"),
    ],
)
def test_an_interface_behind_nat_or_on_multus_gets_an_address(
    one: dict[str, Any], network: dict[str, Any], recorded: str
) -> None:
    stored, wants = answered(vm_manifest(one, networks=[network]))

    assert addresses(stored) == {"a": "02:00:00:00:00:a0"}
    assert wants == (Want(replace(VM, interface="a", network=recorded)),)


@pytest.mark.parametrize(
    ("one", "network"),
    [
        pytest.param(nic("a"), on_pod("a"), id="bridge"),
        pytest.param(nic("a", binding={"name": "passt"}), on_pod("a"), id="plugin"),
        pytest.param(nic("a", masquerade=None), on_pod("a"), id="masquerade null"),
        pytest.param(nic("a", masquerade=None, slirp=None, bridge={}), on_pod("a"), id="nulls"),
        pytest.param(nic("a", passtBinding={}), on_pod("a"), id="passt"),
        pytest.param(nic("a", masquerade={}), {"name": "a", "pod": None}, id="pod null"),
        pytest.param(nic("a", masquerade={}), {"name": "a"}, id="no source"),
        pytest.param(nic("a"), {"name": "a", "multus": None}, id="multus null"),
        pytest.param(nic("a"), on("another"), id="no network of its name"),
        pytest.param(nic("a", state="absent", masquerade={}), on_pod("a"), id="absent"),
        pytest.param(nic("a", state="absent"), on("a"), id="absent on multus"),
    ],
)
def test_others_are_left_alone(one: dict[str, Any], network: dict[str, Any]) -> None:
    planned = made(vm_manifest(one, networks=[network]))

    assert nothing_to_do(planned)


@pytest.mark.parametrize(
    "empty", [..., "", None], ids=["absent", "empty (KubeVirt's clones)", "null"]
)
def test_no_address_empty_and_null_are_alike(empty: object) -> None:
    stored, wants = answered(vm_manifest(nic("default", empty, **NAT), nic("a", empty)))

    assert addresses(stored) == {"default": "02:00:00:00:00:a0", "a": "02:00:00:00:00:a1"}
    assert [want.requested for want in wants] == [None, None]


def test_an_address_is_written_into_its_interface_and_nothing_else_changes() -> None:
    new = vm_manifest(
        DEFAULT,
        nic("plain", "02:00:00:00:00:01"),
        nic("pods"),
        nic("front", sriov={}, pciAddress="0000:81:01.0"),
        networks=[on("front", "infra/front"), on_pod("pods"), on("plain"), on_pod("default")],
    )

    stored, wants = answered(new)

    assert [want.owner.interface for want in wants] == ["default", "plain", "front"]
    assert addresses(stored) == {
        "default": "02:00:00:00:00:a0",
        "plain": "02:00:00:00:00:01",
        "front": "02:00:00:00:00:a2",
    }
    for number in (0, 3):
        del nics_of(stored)[number]["macAddress"]
    assert stored == new


@pytest.mark.parametrize("text", ["02:00:00:00:00:2A", "02-00-00-00-00-2a", "0200.0000.002a"])
def test_a_requested_address_stays_as_its_author_wrote_it(text: str) -> None:
    new = vm_manifest(nic("default", text, **NAT))

    stored, (want,) = answered(new)

    assert stored == new
    assert want.requested == mac(0x2A)


@pytest.mark.parametrize(
    "one",
    [
        nic("default", "02:00:00:00:00:2a"),
        nic("default", "02:00:00:00:00:2a", binding={"name": "passt"}),
        nic("default", "02:00:00:00:00:2a", **NAT),
        nic("a", "02:00:00:00:00:2a", sriov={}),
        nic("default", "02:00:00:00:00:2a", state="absent", **NAT),
    ],
    ids=["bridge on the pod network", "plugin", "masquerade", "sriov", "absent"],
)
def test_a_requested_address_is_claimed_on_any_binding(one: dict[str, Any]) -> None:
    new = vm_manifest(one)

    stored, (want,) = answered(new)

    assert stored == new
    assert (want.owner.interface, want.requested) == (one["name"], mac(0x2A))


def test_a_requested_address_of_an_interface_without_a_network_is_claimed() -> None:
    _, (want,) = answered(vm_manifest(nic("a", "02:00:00:00:00:2a"), networks=[]))

    assert want == Want(replace(VM, interface="a"), mac(0x2A))


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {},
        {"template": None},
        {"template": {"spec": None}},
        {"template": {"spec": {"domain": None}}},
        {"template": {"spec": {"domain": {}, "networks": [on_pod("default")]}}},
        {"template": {"spec": {"domain": {"devices": None}}}},
        {"template": {"spec": {"domain": {"devices": {"interfaces": None}}}}},
        {"template": {"spec": {"domain": {"devices": {"interfaces": []}}, "networks": None}}},
    ],
    ids=str,
)
def test_a_vm_that_lists_no_interface_needs_nothing(spec: object) -> None:
    assert nothing_to_do(made(of_spec(spec)))


def test_a_vm_that_is_to_be_named_yet_is_served() -> None:
    nameless = vm_manifest(DEFAULT)
    nameless["metadata"]["name"] = None

    _, (want,) = answered(nameless)

    assert want.owner.name is None


def test_as_many_interfaces_as_can_be_served_in_time_are_taken() -> None:
    _, wants = answered(vm_manifest(*(nic(f"n{number}") for number in range(128))))

    assert len(wants) == 128
