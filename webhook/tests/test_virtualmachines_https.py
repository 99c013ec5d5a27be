"""VMs over real HTTPS: the review, the JSON patch, and the allocations."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from crds.allocation import Source, State
from webhook.tests.reviews import body, mac, patched
from webhook.tests.vms import NAT, VM, addresses, nic, reviewed, vm_manifest

if TYPE_CHECKING:
    from webhook.tests.program import Answer, Program

NEW = vm_manifest(nic("default", **NAT), nic("front", ""))


async def post(program: Program, review: dict[str, Any]) -> Answer:
    return await program.ask("POST", "/mutate-virtualmachines", body(review))


async def test_a_vm_gets_its_addresses_by_one_json_patch(program: Program) -> None:
    answer = await post(program, reviewed(NEW))

    response = answer.response
    operations = json.loads(base64.b64decode(response["patch"]))
    at = "/spec/template/spec/domain/devices/interfaces"
    assert (response["uid"], response["patchType"]) == ("r-1", "JSONPatch")
    assert [(operation["op"], operation["path"]) for operation in operations] == [
        ("add", f"{at}/0/macAddress"),
        ("add", f"{at}/1/macAddress"),
    ]
    stored = patched(NEW, answer.body)
    assert {str(mac) for mac in program.cluster.allocated} == set(addresses(stored).values())


async def test_the_addresses_given_to_a_vm_are_pending_for_it(program: Program) -> None:
    await post(program, reviewed(vm_manifest(nic("default", **NAT), nic("front", str(mac(9))))))

    front = program.cluster.allocated[mac(9)].allocation
    (other,) = (
        stored.allocation for stored in program.cluster.allocated.values() if stored.mac != mac(9)
    )
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
    new = vm_manifest(nic("front"))

    answer = await post(program, reviewed(new))

    assert addresses(patched(new, answer.body)) == {"front": str(mac(0))}


async def test_a_dry_run_shows_addresses_and_writes_nothing(program: Program) -> None:
    answer = await post(program, reviewed(NEW, dryRun=True))

    assert set(addresses(patched(NEW, answer.body))) == {"default", "front"}
    assert program.cluster.allocated == {}
