"""Launcher pods of a VM pass as they are; what only says it is one is an ordinary pod."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from crds.allocation import VM_KIND, VMI_KIND, State
from crds.tests.fake import FakeCluster
from crds.tests.gates import Fail, Hold
from webhook import handler
from webhook.claims import DEADLINE_S
from webhook.tests.launched import (
    GET_VM,
    GET_VMI,
    LIST_LAUNCHERS,
    ask,
    element,
    launcher,
    running,
    said,
    served,
)
from webhook.tests.replica import Replica, bound
from webhook.tests.reviews import mac, request
from webhook.tests.vms import VM, made_by, nic, run, vm_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crds.pools import Pools
    from webhook.admission import Want
    from webhook.claims import Claims, Grant


async def test_a_launcher_of_a_vm_passes_as_it_is_for_two_reads() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("default", str(mac(1)), masquerade={}), nic("front", str(mac(2))))
    plugin = {"name": "plugin"}  # neither it nor the last one gets an address or a namespace

    response = await ask(cluster, launcher(vmi, plugin, element(2), element()))

    assert response == {"uid": "r-1", "allowed": True}
    assert said(cluster) == [GET_VMI, GET_VM]
    assert cluster.allocated == {}


async def test_an_interface_plugged_into_a_running_vm_passes_as_it_is() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", str(mac(2))), nic("back", "02-00-00-00-00-03"))
    old = running(cluster, launcher(vmi, element(2)))
    new = launcher(vmi, element(2), element(3, name="back", interface="podab"))

    response = await ask(cluster, new, old)

    assert response == {"uid": "r-1", "allowed": True}
    assert said(cluster) == [GET_VMI, GET_VM]


async def test_an_address_that_the_vmi_does_not_have_is_claimed_for_the_vm() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", str(mac(2))))

    response = await ask(cluster, launcher(vmi, element(2), element(9, interface="podab")))

    allocation = cluster.allocated[mac(9)].allocation
    assert response == {"uid": "r-1", "allowed": True}
    assert set(cluster.allocated) == {mac(9)}
    assert allocation.owner is not None
    assert (allocation.state, str(allocation.owner)) == (
        State.PENDING,
        "VirtualMachine shop/web (interface podab)",
    )


async def test_an_address_that_the_vm_owns_already_stays_bound_to_it() -> None:
    # Its VMI does not have it yet, or no longer.
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", str(mac(2))))
    assert vmi.controller is not None
    owner = replace(VM, uid=vmi.controller.uid, interface="back")
    before = await cluster.allocations.create(replace(bound(9), owner=owner))

    await ask(cluster, launcher(vmi, element(2), element(9, interface="podab")))

    assert cluster.allocated[mac(9)].allocation == replace(before.allocation, request="r-1")


async def test_an_address_of_another_object_is_refused_to_a_launcher_too() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", str(mac(2))))
    holder = cluster.create_pod("shop", "other", f'[{{"name":"a","mac":"{mac(9)}"}}]')
    before = await cluster.allocations.create(bound(9, "other", holder.uid))

    response = await ask(cluster, launcher(vmi, element(2), element(9, interface="podab")))

    assert response["status"]["code"] == 403
    assert "asks for 02:00:00:00:00:09, which belongs to Pod shop/other" in str(response)
    assert cluster.allocated == {mac(9): before}


@pytest.mark.parametrize("named", ["its own", "the holder's", "no"])
async def test_a_vmi_with_a_forged_owner_gets_no_address_of_another(named: str) -> None:
    # A user who may create VMIs also writes their ownerReferences.
    cluster = FakeCluster()
    front = nic("front", str(mac(9)))
    named_victim = {"namespace": "other", "name": "victim"}
    victim = cluster.put(VM_KIND, {**vm_manifest(front), "metadata": named_victim})
    owner = replace(VM, namespace="other", name="victim", uid=victim.uid, interface="front")
    before = await cluster.allocations.create(replace(bound(9), owner=owner))
    own = cluster.put(VM_KIND, vm_manifest())
    uids = {"its own": own.uid, "the holder's": victim.uid, "no": "no-such"}
    metadata = {
        "namespace": "shop",
        "name": "web",
        "ownerReferences": [{**made_by(own), "uid": uids[named]}],
    }
    spec = vm_manifest(front)["spec"]["template"]["spec"]
    vmi = cluster.put(VMI_KIND, {"metadata": metadata, "spec": spec})

    response = await ask(cluster, launcher(vmi, element(9)))

    assert not response["allowed"]
    assert "which belongs to VirtualMachine other/victim" in str(response)
    assert cluster.allocated == {mac(9): before}


def of_another(pod: dict[str, Any], **changes: object) -> dict[str, Any]:
    """The pod with changes in its ownerReference."""
    reference = {**pod["metadata"]["ownerReferences"][0], **changes}
    return {**pod, "metadata": {**pod["metadata"], "ownerReferences": [reference]}}


FORGERIES: dict[str, dict[str, Any]] = {
    "another UID": {"uid": "of-its-former-self"},
    "no such VMI": {"name": "ghost"},
    "a name that cannot be": {"name": "../../nodes"},
    "no UID": {"uid": ""},
    "no controller": {"controller": False},
    "another group": {"apiVersion": "example.com/v1"},
    "another kind": {"kind": "VirtualMachineInstanceReplicaSet"},
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
async def test_a_pod_that_only_says_it_is_a_launcher_is_an_ordinary_pod(
    forged: dict[str, Any],
) -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", str(mac(2))))
    pod = of_another(launcher(vmi, element()), **forged)

    (network,) = await served(cluster, pod)

    owner = cluster.allocated[mac(0)].allocation.owner
    assert network["mac"] == str(mac(0))
    assert owner is not None
    assert owner.at == ("Pod", "shop", None)
    assert len(said(cluster)) <= 2


async def test_a_pod_without_the_label_is_an_ordinary_pod_and_costs_no_read() -> None:
    cluster = FakeCluster()
    pod = launcher(run(cluster, nic("front", str(mac(2)))), element())
    pod["metadata"]["labels"] = {"kubevirt.io": "virt-handler"}

    await served(cluster, pod)

    assert [call.verb for call in cluster.calls] == ["create"]


@pytest.mark.parametrize("call", [GET_VMI, LIST_LAUNCHERS])
async def test_where_its_vmi_cannot_be_read_a_launcher_is_to_be_tried_again(call: str) -> None:
    cluster = FakeCluster(gate=Fail(lambda made: str(made) == call))
    vmi = run(cluster, nic("front"), of_vm=False)

    response = await ask(cluster, launcher(vmi, element()))

    assert not response["allowed"]
    assert (response["status"]["code"], response["status"]["reason"]) == (503, "ServiceUnavailable")
    assert response["status"]["message"] == (
        "Pod shop/(name not generated yet): its VMI could not be read"
        f" (no answer to: {call}): retry"
    )
    assert cluster.allocated == {}


async def test_a_vmi_that_is_not_answered_for_is_no_reason_to_answer_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handler, "DEADLINE_S", 0.0)
    cluster = FakeCluster(gate=Hold(lambda call: call.port == "object"))
    vmi = run(cluster, nic("front"), of_vm=False)

    response = await ask(cluster, launcher(vmi, element()))

    assert response["status"]["code"] == 503
    assert "its VMI could not be read (no answer within 0 s): retry" in str(response)


class Recorded:
    """Claims that note how long they may take."""

    def __init__(self, real: Claims) -> None:
        self.within_s: list[float] = []
        self._real = real

    async def take(
        self, wants: Sequence[Want], pools: Pools, request: str, within_s: float = 0.0
    ) -> Grant:
        self.within_s.append(within_s)
        return await self._real.take(wants, pools, request, within_s)


async def test_the_claims_have_the_time_that_the_read_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handler, "DEADLINE_S", 1000.0)
    cluster = FakeCluster()
    replica = Replica(cluster)
    recorded = Recorded(replica.claims)
    replica.handlers = dataclasses.replace(replica.handlers, claims=recorded)

    await replica.response(request(launcher(run(cluster, of_vm=False), element())))

    (within_s,) = recorded.within_s
    assert DEADLINE_S < within_s < 1000.0
