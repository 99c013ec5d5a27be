"""The contract of the port Objects for VMs, VMIs and launchers: for the fake and the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND, Owner
from crds.objects import read_root
from crds.tests.kubevirt import Nic, launcher, vm_manifest, vmi_manifest
from crds.tests.world import MAC, NETWORKS, World

if TYPE_CHECKING:
    from crds.allocation import Root
    from crds.carriers import Carrier

NIC = Nic("blue", MAC)
DB: Root = (VM_KIND, "default", "db")


def named(kind: str, name: str = "db") -> Owner:
    return Owner(api_version=KUBEVIRT, kind=kind, namespace="default", name=name)


async def a_vm(world: World, name: str = "db", namespace: str = "default") -> list[Carrier]:
    """Store a VM, the VMI that it made, and two launcher pods of that, as in a migration."""
    await world.install_kubevirt()
    vm = await world.store(vm_manifest(name, NIC, namespace=namespace))
    vmi = await world.store(vmi_manifest(name, NIC, namespace=namespace, made_by=vm.uid))
    pods = [
        await world.store(
            launcher(f"virt-launcher-{name}-{n}", name, vmi.uid, NIC, namespace=namespace)
        )
        for n in range(2)
    ]
    return [vm, vmi, *pods]


class VmsContract:
    """Tests of the port Objects; a subclass brings the fixture `world`."""

    async def test_a_vm_and_its_vmi_are_found_by_name(self, world: World) -> None:
        vm, vmi, *_ = await a_vm(world)

        assert await world.objects.get(named(VM_KIND)) == vm
        assert await world.objects.get(named(VMI_KIND)) == vmi
        assert vm.carries(MAC)
        assert vmi.controller is not None
        assert vmi.controller.uid == vm.uid

    async def test_a_vm_that_does_not_exist_is_none(self, world: World) -> None:
        await world.install_kubevirt()

        for kind in (VM_KIND, VMI_KIND):
            assert await world.objects.get(named(kind, "no-such")) is None

    async def test_the_launchers_of_a_vmi_are_listed_and_no_other_pods(self, world: World) -> None:
        _, _, *pods = await a_vm(world)
        await a_vm(world, "web")
        await a_vm(world, namespace="kube-public")
        await world.create_pod("db", NETWORKS)

        found = await world.objects.launchers("default", "db")

        assert sorted(found, key=lambda pod: pod.name) == pods

    async def test_a_vmi_without_launchers_has_none(self, world: World) -> None:
        await a_vm(world)

        assert await world.objects.launchers("default", "no-such") == []
        assert await world.objects.launchers("no-such", "db") == []

    async def test_the_members_of_a_vm_are_read_from_the_vm_down(self, world: World) -> None:
        db = await a_vm(world)
        await a_vm(world, "web")

        vm, vmi, *pods = await read_root(world.objects, DB, None)

        assert [vm, vmi, *sorted(pods, key=lambda pod: pod.name)] == db

    async def test_a_vm_s_members_are_those_that_there_are(self, world: World) -> None:
        await world.install_kubevirt()
        assert await read_root(world.objects, DB, None) == ()

        # Its VMI exists: otherwise the garbage collector would delete the launcher at any moment.
        vmi = await world.store(vmi_manifest("db", NIC, namespace="default"))
        pod = await world.store(launcher("launcher-db", "db", vmi.uid, NIC, namespace="default"))

        assert await read_root(world.objects, DB, None) == (vmi, pod)

    async def test_a_pod_s_only_member_is_itself(self, world: World) -> None:
        _, _, launcher, *_ = await a_vm(world)
        web = await world.create_pod("web", NETWORKS)

        assert await read_root(world.objects, ("Pod", "default", "web"), None) == (web,)
        # The same for a pod that has become a launcher pod since: its interface still exists.
        assert await read_root(world.objects, ("Pod", "default", launcher.name), None) == (
            launcher,
        )

    async def test_the_first_member_that_carries_the_address_is_the_last_that_is_read(
        self, world: World
    ) -> None:
        vm, *_ = await a_vm(world)

        assert await read_root(world.objects, DB, vm.attachments[0].mac) == (vm,)

    async def test_vms_are_listed_before_vmis_before_pods(self, world: World) -> None:
        db = await a_vm(world)
        web = await a_vm(world, "web")

        listed = [found for found in await world.objects.list() if found.carries(MAC)]

        kinds = [found.kind for found in listed]
        assert kinds == [VM_KIND] * 2 + [VMI_KIND] * 2 + ["Pod"] * 4
        assert {found.uid for found in listed} == {each.uid for each in (*db, *web)}
