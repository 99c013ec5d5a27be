"""The owner is the VM, else the VMI; it does not depend on the object that was read."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from controller.allocations.ownership import claimants, is_one_guest, owner_of
from controller.allocations.tests.vms import launcher, root, vm, vmi, without
from controller.tests.worlds import MAC, pod
from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND
from crds.carriers import OwnerReference
from crds.networks import Attachment

if TYPE_CHECKING:
    from crds.carriers import Carrier

A_VM, ITS_VMI = (VM_KIND, "db", "vm-1"), (VMI_KIND, "db", "vmi-1")
BARE = vmi(made_by=None)


@pytest.mark.parametrize(
    ("members", "owner"),
    [
        ((vm(),), A_VM),
        ((vm(), vmi(), launcher()), A_VM),
        ((vmi(), launcher()), A_VM),
        ((vmi(),), A_VM),
        ((without(vm()), vmi()), A_VM),
        ((without(vm()), without(vmi()), launcher()), A_VM),
        ((without(vmi()), launcher()), A_VM),
        ((vm("vm-2"), vmi(), launcher()), (VM_KIND, "db", "vm-2")),
        ((without(vm("vm-2")), vmi()), A_VM),
        ((BARE,), ITS_VMI),
        ((BARE, launcher()), ITS_VMI),
        ((without(vm("vm-2")), BARE, launcher()), ITS_VMI),
        ((vm("vm-2"), BARE), (VM_KIND, "db", "vm-2")),
        ((launcher(),), ITS_VMI),
        ((launcher("pod-1"), launcher("pod-2")), ITS_VMI),
        ((without(vmi("vmi-2")), launcher()), ITS_VMI),
        ((without(vm()), launcher()), ITS_VMI),
    ],
    ids=[
        *("a VM", "all of a VM", "a VMI and its launcher", "a VMI that a VM made"),
        *("a VMI made before the VM was edited", "a launcher of before", "a launcher alone lags"),
        *("the VM that has it is the owner", "the VM that made the VMI is, gone or not"),
        *("a bare VMI", "its launcher", "an orphan whose VM was created again without the address"),
        *("an orphan whose new VM has it", "a launcher whose VMI is not known"),
        *("a migration's two", "a launcher of a former VMI", "a launcher whose VMI is gone"),
    ],
)
def test_the_owner_is_the_highest_that_has_it_or_who_made_it(
    members: tuple[Carrier, ...], owner: tuple[str, str, str]
) -> None:
    for these in permutations(members):
        found = owner_of(MAC, these)

        assert (found.kind, found.name, found.uid) == owner
        assert found.api_version == KUBEVIRT
        assert found.root == root()


def test_the_owner_s_interface_is_that_of_the_member_that_has_it() -> None:
    has_it = replace(vmi(), attachments=(Attachment(MAC, "blue", "shop/ovs"),))

    found = owner_of(MAC, (without(vm()), has_it))

    assert (found.interface, found.network) == ("blue", "shop/ovs")


def test_a_launcher_that_names_itself_as_its_vmi_has_an_owner() -> None:
    itself = replace(launcher("pod-1"), controller=OwnerReference(VMI_KIND, "db", "pod-1"))

    found = owner_of(MAC, (itself,))

    assert (found.kind, found.name, found.uid) == (VMI_KIND, "db", "pod-1")


def test_a_pod_owns_itself() -> None:
    web = pod("web-0", "u-1")

    assert owner_of(MAC, (web,)) == web.as_owner(MAC)


def test_a_vm_is_one_and_a_pod_of_its_name_another() -> None:
    db, namesake = vm(), pod("db", "u-1")

    found = claimants(MAC, (launcher(), namesake, vmi(), db))

    assert [claimant.members for claimant in found] == [(launcher(), vmi(), db), (namesake,)]
    assert [claimant.root for claimant in found] == [root(), namesake.root]
    assert [claimant.owner for claimant in found] == [db.as_owner(MAC), namesake.as_owner(MAC)]


def test_vms_of_one_name_in_two_namespaces_are_two() -> None:
    here, there = vm(), vm("vm-2", namespace="archive")

    assert [found.members for found in claimants(MAC, (here, there))] == [(here,), (there,)]


def moving(uid: str, guest: str, namespace: str) -> Carrier:
    return replace(vmi(uid, namespace=namespace), guest=guest)


SOURCE = moving("vmi-1", "vmi-1/m-1/m-2", "shop")
TARGET = moving("vmi-2", "vmi-1/m-1/m-2", "archive")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SOURCE, TARGET),
        (vm(), vm("vm-2", namespace="archive")),
        (vmi(), vm("vm-2", namespace="archive")),
        (vmi(), launcher("pod-2", namespace="archive")),
        (vmi(), replace(vmi("vmi-2", namespace="archive"), is_running=False)),
    ],
    ids=[
        *("both sides say so", "neither runs", "one runs"),
        *("of the other there is only a pod", "the other waits"),
    ],
)
def test_a_guest_that_moves_to_another_namespace_is_one(one: Carrier, other: Carrier) -> None:
    assert is_one_guest((one,), (other,))
    assert is_one_guest((other,), (one,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vmi(), vmi("vmi-2", namespace="archive")),
        (SOURCE, vmi("vmi-2", namespace="archive")),
        (SOURCE, moving("vmi-2", "vmi-1/m-1/m-9", "archive")),
        (moving("vmi-3", "vmi-1/m-1/m-2", "shop"), moving("vmi-4", "vmi-1/m-1/m-2", "archive")),
        (vm(), vm("vm-2", name="db-2", namespace="archive")),
        (vm(), vm("vm-2", name="db-2")),
        (vm(), pod("db", "u-1", namespace="archive")),
        (pod("db", "u-1"), pod("db", "u-2", namespace="archive")),
    ],
    ids=[
        *("both run, and say nothing", "one says nothing", "they name two migrations"),
        *("they name the migration of a third", "another name", "one namespace"),
        *("a VM and a pod", "two pods"),
    ],
)
def test_all_others_are_two(one: Carrier, other: Carrier) -> None:
    assert not is_one_guest((one,), (other,))
    assert not is_one_guest((other,), (one,))
