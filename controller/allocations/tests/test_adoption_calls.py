"""A first start makes one create for each address in use, and no read."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from controller.allocations.adoption import Adoption
from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.reconciler import Reconciler
from controller.allocations.repair import repair
from crds.allocation import VM_KIND, VMI_KIND
from crds.mac import MacAddress
from crds.resources import KINDS
from crds.tests.fake import FakeCluster
from crds.tests.kubevirt import Nic, launcher, vm_manifest, vmi_manifest
from kube.workqueue import WorkQueue

if TYPE_CHECKING:
    from crds.allocation import Stored

SIZES = pytest.mark.parametrize("vms", [1, 10, 200])


@dataclass
class Start:
    """A controller's start on a cluster that was in use before, and the calls that it made."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        client = self.cluster.client("controller")
        self.queue = WorkQueue[MacAddress]()
        self.known = AllocationView(self.monotonic_s, self.queue.add)
        self.carriers = CarrierView(self.queue.add)
        self.allocations, self.objects = client.allocations, client.objects
        self.adoption = Adoption(self.known, self.carriers, lambda: None)
        self.reconciler = Reconciler(
            self.allocations,
            self.objects,
            self.known,
            self.carriers,
            lambda: None,
            self,
            lambda _, __: None,
        )

    def monotonic_s(self) -> float:
        return self.now_s

    def now(self) -> str:
        return "2026-11-25T03:00:00Z"

    async def adopt(self) -> Counter[str]:
        """Begin as the program does, and return when every address is known and reconciled."""
        self.cluster.follow_allocations(self.known)
        for kind in KINDS:
            self.cluster.follow_carriers(kind, self.carriers.of_kind(kind))
        self.adoption.begin()
        looked_at: Counter[MacAddress] = Counter()

        async def reconcile(mac: MacAddress) -> None:
            await self.reconciler.reconcile(mac)
            self.adoption.looked_at(mac)
            looked_at[mac] += 1

        running = asyncio.create_task(self.queue.run(reconcile))
        # Each is reconciled a second time, because its allocation has come.
        await self.queue.wait_until(
            lambda: not self.adoption.missing and min(looked_at.values()) > 1
        )
        running.cancel()
        return self.calls()

    def calls(self) -> Counter[str]:
        return Counter(f"{call.verb} {call.port}" for call in self.cluster.calls)


@SIZES
async def test_halted_vms_cost_one_create_for_each_address_and_nothing_else(vms: int) -> None:
    start = Start()
    for number in range(vms):
        start.cluster.create(VM_KIND, vm_manifest(f"vm-{number}", *_nics(number)))

    assert await start.adopt() == {"create allocation": 2 * vms}


@SIZES
async def test_running_vms_cost_no_more(vms: int) -> None:
    start = Start()
    for number in range(vms):
        name, nics = f"vm-{number}", _nics(number)
        vm = start.cluster.create(VM_KIND, vm_manifest(name, *nics))
        vmi = start.cluster.create(VMI_KIND, vmi_manifest(name, *nics, made_by=vm.uid))
        start.cluster.create("Pod", launcher(f"virt-launcher-{name}", name, vmi.uid, *nics))

    assert await start.adopt() == {"create allocation": 2 * vms}
    owners = {stored.allocation.owner and stored.allocation.owner.kind for stored in _stored(start)}
    assert owners == {VM_KIND}


@SIZES
async def test_a_repair_without_faults_is_one_list_of_each_kind(vms: int) -> None:
    start = Start()
    for number in range(vms):
        start.cluster.create(VM_KIND, vm_manifest(f"vm-{number}", *_nics(number)))
    adopted = await start.adopt()

    await repair(start.allocations, start.objects, start.known, start.carriers, start.queue.add)

    assert start.calls() - adopted == {"list allocation": 1, "list object": len(KINDS)}


def _nics(number: int) -> tuple[Nic, Nic]:
    first = MacAddress(0x02_00_00_00_00_00 + 2 * number)
    return Nic("default", first, None, "masquerade"), Nic("lan", MacAddress(first.bits + 1))


def _stored(start: Start) -> list[Stored]:
    return list(start.cluster.allocated.values())
