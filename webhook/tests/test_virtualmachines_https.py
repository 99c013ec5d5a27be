"""VMs over real HTTPS: the review, the JSON patch, and the allocations."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from crds.allocation import INSTANCE, MACHINE, Source, State
from crds.tests.gates import Fail
from webhook.tests.replica import bound, calls_to
from webhook.tests.reviews import body, mac, patched, pool
from webhook.tests.vms import NAT, VM, VM_UID, addresses, machine, nic, on_pod, reviewed

if TYPE_CHECKING:
    from webhook.tests.program import Answer, Program

NEW = machine(nic("default", **NAT), nic("front", ""))


async def post(program: Program, review: dict[str, Any]) -> Answer:
    return await program.ask("POST", "/mutate-virtualmachines", body(review))


async def test_a_vm_gets_its_addresses_by_one_json_patch(program: Program) -> None:
    answer = await post(program, reviewed(NEW))

    response = answer.response
    operations = json.loads(base64.b64decode(response["patch"]))
    at = "/spec/template/spec/domain/devices/interfaces"
    assert (response["uid"], response["patchType"]) == ("r-1", "JSONPatch")
    assert [(one["op"], one["path"]) for one in operations] == [
        ("add", f"{at}/0/macAddress"),
        ("add", f"{at}/1/macAddress"),
    ]
    stored = patched(NEW, answer.body)
    assert {str(mac) for mac in program.cluster.allocated} == set(addresses(stored).values())


async def test_what_was_given_is_pending_for_the_vm(program: Program) -> None:
    await post(program, reviewed(machine(nic("default", **NAT), nic("front", str(mac(9))))))

    front = program.cluster.allocated[mac(9)].allocation
    (other,) = (one.allocation for one in program.cluster.allocated.values() if one.mac != mac(9))
    assert (front.state, front.source, front.owner, front.request) == (
        State.PENDING,
        Source.REQUESTED,
        replace(VM, interface="front", network="shop/front"),
        "r-1",
    )
    assert (other.source, other.owner) == (
        Source.POOL,
        replace(VM, interface="default", network="pod"),
    )


async def test_no_interface_on_the_pod_network_is_given_what_kubevirt_refuses_there(
    program: Program,
) -> None:
    answer = await post(program, reviewed(NEW))

    assert addresses(patched(NEW, answer.body)) == {"default": str(mac(1)), "front": str(mac(2))}


async def test_on_other_networks_the_first_address_of_all_is_like_the_others(
    program: Program,
) -> None:
    new = machine(nic("front"))

    answer = await post(program, reviewed(new))

    assert addresses(patched(new, answer.body)) == {"front": str(mac(0))}


async def test_an_update_that_keeps_all_writes_it_in_without_a_call(program: Program) -> None:
    old = machine(nic("default", str(mac(7)), **NAT), nic("front", "02-00-00-00-00-08"))

    answer = await post(program, reviewed(NEW, old))

    assert patched(NEW, answer.body) == old
    assert program.cluster.calls == []


async def test_what_needs_nothing_is_allowed_as_it_is(program: Program) -> None:
    program.missing = ["the allocations are not listed yet"]
    new = machine(nic("default"), networks=[on_pod("default")])

    answer = await post(program, reviewed(new))

    assert answer.response == {"uid": "r-1", "allowed": True}


async def test_a_dry_run_shows_addresses_and_writes_nothing(program: Program) -> None:
    answer = await post(program, reviewed(NEW, dryRun=True))

    assert set(addresses(patched(NEW, answer.body))) == {"default", "front"}
    assert program.cluster.allocated == {}


async def test_a_vm_created_again_gets_its_address_also_from_its_vmi(program: Program) -> None:
    owner = replace(VM, kind=INSTANCE, uid="of-the-vmi", interface="front")
    await program.cluster.allocations.create(replace(bound(9), owner=owner))

    answer = await post(program, reviewed(machine(nic("front", str(mac(9))))))

    after = program.cluster.allocated[mac(9)].allocation
    assert answer.response["allowed"]
    assert after.owner == replace(VM, uid="of-the-vmi", interface="front", network="shop/front")
    assert after.state is State.PENDING


async def test_an_address_that_its_vmi_still_has_comes_back_to_a_vm(program: Program) -> None:
    # It was taken out of the VM, which runs on with it, and written in again.
    owner = replace(VM, uid=VM_UID, interface="front")
    before = await program.cluster.allocations.create(replace(bound(9), owner=owner))
    new = machine(nic("default", str(mac(1)), **NAT), nic("front", str(mac(9))))

    answer = await post(program, reviewed(new, machine(nic("default", str(mac(1)), **NAT))))

    assert answer.response == {"uid": "r-1", "allowed": True}
    assert program.cluster.allocated[mac(9)].allocation == replace(before.allocation, request="r-1")


async def test_a_refusal_names_the_vm_the_interface_the_address_and_its_holder(
    program: Program,
) -> None:
    holder = program.cluster.put(MACHINE, machine(nic("a", str(mac(9))), name="db"))
    owner = replace(VM, name="db", uid=holder.uid, interface="a")
    before = await program.cluster.allocations.create(replace(bound(9), owner=owner))

    answer = await post(program, reviewed(machine(nic("default", **NAT), nic("b", str(mac(9))))))

    assert answer.response == {
        "uid": "r-1",
        "allowed": False,
        "status": {
            "code": 403,
            "reason": "Forbidden",
            "message": "VirtualMachine shop/web: interface b asks for 02:00:00:00:00:09, which"
            " belongs to VirtualMachine shop/db (interface a): choose another address, or leave"
            " out the mac and get one from the pool"
            " (kubectl get macallocation 02-00-00-00-00-09)",
        },
    }
    assert program.cluster.allocated == {mac(9): before}


async def test_an_exhausted_pool_refuses_a_vm_and_gives_back_what_it_had(
    program: Program,
) -> None:
    program.pool = pool(2)

    response = (await post(program, reviewed(NEW))).response

    assert response["status"]["message"].startswith("VirtualMachine shop/web: pool default (02:")
    assert program.cluster.allocated == {}


@pytest.mark.parametrize("verb", ["create", "get"])
async def test_an_api_server_that_is_away_is_a_reason_to_retry(program: Program, verb: str) -> None:
    await program.cluster.allocations.create(bound(9))
    program.cluster.gate = Fail(calls_to(verb))

    response = (await post(program, reviewed(machine(nic("b", str(mac(9))))))).response

    assert response["status"]["code"] == 503
    assert response["status"]["message"].startswith(
        f"VirtualMachine shop/web: no address could be stored (no answer to: webhook-1 {verb} "
    )


async def test_a_spec_of_the_wrong_shape_is_a_clear_refusal(program: Program) -> None:
    new = machine(nic("default", 7, **NAT))

    response = (await post(program, reviewed(new))).response

    assert response["status"] == {
        "code": 400,
        "reason": "BadRequest",
        "message": "VirtualMachine shop/web: spec: Expected `str | null`, got `int` - at"
        " `$.template.spec.domain.devices.interfaces[0].macAddress`",
    }
    assert await program.still_serves()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": {"group": "kubevirt.io", "version": "v1alpha3", "kind": MACHINE}},
        {"kind": {"group": "kubevirt.io", "version": "v1", "kind": INSTANCE}},
        {"kind": {"group": "example.com", "version": "v1", "kind": MACHINE}},
        {"operation": "DELETE"},
    ],
)
async def test_another_kind_version_or_operation_is_answered_400(
    program: Program, changes: dict[str, Any]
) -> None:
    answer = await post(program, reviewed(NEW, **changes))

    assert answer.status == 400
    assert "expected CREATE or UPDATE of v1 Pod or kubevirt.io/v1 VirtualMachine" in answer.text
    assert program.cluster.calls == []


async def test_a_deeply_nested_spec_is_refused(program: Program) -> None:
    sent = body(reviewed(machine(nic("a", bridge="@")))).replace(b'"@"', b"[" * 200_000)

    answer = await program.ask("POST", "/mutate-virtualmachines", sent)

    assert answer.status == 400
    assert await program.still_serves()
