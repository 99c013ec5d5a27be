"""A VM of the same name in another namespace, under Reject: the refusal says what would do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crds.allocation import VM_KIND, VMI_KIND, Owner
from crds.tests.fake import FakeCluster
from webhook.tests.replica import Replica, bound
from webhook.tests.reviews import OWNER, mac
from webhook.tests.vms import NAT, VM, nic, of_spec, reviewed, vm_manifest

REMEDY = "choose another address, or leave out the mac and get one from the pool"
MOVE = (
    "; to migrate that VM to this namespace, set COLLISION_POLICY to Warn in ConfigMap"
    " kubemacpool-mac-range-config until the VM it came from is deleted"
)
LOOK = " (kubectl get macallocation 02-00-00-00-00-01)"


async def refused(owner: Owner, *, shared: bool = False, namespace: str = "elsewhere") -> str:
    """The message to VM web, in that namespace, where mac(1) is `owner`'s, who lives."""
    cluster = FakeCluster()
    await cluster.allocations.create(
        replace(bound(1), owner=replace(owner, uid="u-2", interface="default"), shared=shared)
    )
    at = {"namespace": owner.namespace, "name": owner.name, "uid": "u-2"}
    spec = vm_manifest(nic("default", str(mac(1)), **NAT))["spec"]
    if owner.kind == "Pod":
        cluster.create_pod("shop", owner.name, f'[{{"name":"a","mac":"{mac(1)}"}}]')
    else:
        inner = spec if owner.kind == VM_KIND else spec["template"]["spec"]
        cluster.put(owner.kind, {**of_spec(inner), "metadata": at})
    asking = vm_manifest(nic("default", str(mac(1)), **NAT), namespace=namespace)
    response = await Replica(cluster).response(reviewed(asking))
    assert response["status"]["code"] == 403
    message: str = response["status"]["message"]
    return message


@pytest.mark.parametrize("kind", [VM_KIND, VMI_KIND])
async def test_it_is_told_how_to_migrate(kind: str) -> None:
    assert await refused(replace(VM, kind=kind)) == (
        "VirtualMachine elsewhere/web: interface default asks for 02:00:00:00:00:01, which belongs"
        f" to {kind} shop/web (interface default): {REMEDY}{MOVE}{LOOK}"
    )


@pytest.mark.parametrize(
    "owner", [replace(VM, name="other"), OWNER], ids=["of another name", "a pod"]
)
async def test_any_other_object_is_not_told_how_to_migrate(owner: Owner) -> None:
    message = await refused(owner)

    assert message.endswith(f" belongs to {owner} (interface default): {REMEDY}{LOOK}")


async def test_a_vm_that_shares_its_own_former_address_is_not_told_to_migrate() -> None:
    message = await refused(replace(VM, kind=VMI_KIND), shared=True, namespace="shop")

    assert "COLLISION_POLICY" not in message
    assert message.endswith(f"{REMEDY}{LOOK}")
