"""A VM is edited, and KubeVirt follows at once, or acts on an outdated copy (I1 to I3 hold).

An address is free when no object of the VM has it, or can still get it.
"""

import pytest

from crds.allocation import VM_KIND, VMI_KIND, State
from crds.tests.kubevirt import Nic
from simulation.lives import DB, ask_for_more, check_rest, delete, edit, ends, owner, running
from simulation.programs import FIRST, OUTSIDE, SECOND
from simulation.simulation import Simulation

KEPT = Nic("net-0", FIRST)


def test_a_removed_interface_is_in_use_until_kubevirt_unplugs_it(sim: Simulation) -> None:
    vm, _, pod = running(sim, FIRST, SECOND)
    edit(sim, vm, KEPT)
    sim.quiet()
    assert owner(sim, SECOND).uid == vm.uid
    sim.kubevirt.look(VM_KIND, DB)
    sim.kubevirt.unplug(DB)
    sim.step()
    sim.quiet()
    assert owner(sim, SECOND).uid == vm.uid
    sim.kubevirt.look(VMI_KIND, DB)
    request = sim.ask_launcher_update(pod)
    assert request is not None

    sim.store(sim.answer(request))

    check_rest(sim, {FIRST: vm})


def test_the_address_that_a_stopped_vm_lost_is_free_after_q(sim: Simulation) -> None:
    vm = sim.vm("db", FIRST, SECOND)
    sim.quiet()

    edit(sim, vm, KEPT)

    sim.calm()
    pending = sim.allocation(SECOND)
    assert pending is not None
    assert pending.state is State.PENDING
    sim.pass_time(59)
    sim.calm()
    assert sim.allocation(SECOND) == pending
    sim.pass_time(2)
    sim.calm()
    assert sim.allocation(SECOND) is None


def test_a_vmi_started_from_an_outdated_vm_keeps_the_address(sim: Simulation) -> None:
    vm = sim.vm("db", FIRST, SECOND)
    sim.quiet()
    edit(sim, vm, KEPT)
    sim.calm()  # no object has SECOND: the controller looks again in Q

    vmi = sim.kubevirt.start(DB)

    sim.step()
    assert vmi is not None
    assert vmi.carries(SECOND)
    check_rest(sim, {FIRST: vm, SECOND: vm})


@pytest.mark.parametrize("name", ["db", None])
def test_an_outdated_vm_never_seen_with_its_address_keeps_it(
    sim: Simulation, name: str | None
) -> None:
    vm = sim.vm(name, FIRST, SECOND)
    key = vm.namespace, vm.name
    sim.late.append(sim.controllers[0].vm_watch)
    sim.calm()
    sim.pass_time(61)  # still Pending, and the lookup is due
    edit(sim, vm, KEPT)
    sim.reconcile(SECOND)  # the VM seems to be without it

    vmi = sim.kubevirt.start(key)

    sim.step()
    assert vmi is not None
    assert vmi.carries(SECOND)
    check_rest(sim, {FIRST: vm, SECOND: vm})


def test_an_interface_plugged_in_from_an_outdated_vm_keeps_the_address(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)
    sim.store(ask_for_more(sim, vm, Nic("net-1", SECOND)))
    sim.quiet()
    sim.kubevirt.look(VM_KIND, DB)
    edit(sim, vm, KEPT)
    sim.calm()

    sim.kubevirt.plug(DB)

    sim.step()
    assert sim.cluster.vmis[DB].carries(SECOND)
    check_rest(sim, {FIRST: vm, SECOND: vm})


def test_a_migration_from_an_outdated_vmi_keeps_the_address(sim: Simulation) -> None:
    vm, vmi, pod = running(sim, FIRST, SECOND)
    sim.kubevirt.look(VMI_KIND, DB)
    edit(sim, vm, KEPT)
    sim.kubevirt.look(VM_KIND, DB)
    sim.kubevirt.unplug(DB)
    sim.delete(pod)
    sim.calm()

    request = sim.ask_launcher(DB)

    assert request is not None
    target = sim.stored(sim.answer(request))
    assert target.carries(SECOND)
    sim.quiesce()
    assert owner(sim, SECOND).uid == vm.uid
    assert not sim.cluster.vmis[DB].carries(SECOND)
    assert vmi.carries(SECOND)


def test_an_address_that_a_vm_takes_back_during_the_lookup_is_kept(sim: Simulation) -> None:
    vm = sim.vm("db", FIRST, SECOND)
    sim.quiet()
    edited = edit(sim, vm, KEPT)
    sim.quiet()
    sim.deliver()
    sim.reconcile(SECOND, 2)

    sim.store(ask_for_more(sim, edited, Nic("net-7", SECOND)))

    sim.reconcile(SECOND)
    sim.quiesce()
    assert (owner(sim, SECOND).uid, owner(sim, SECOND).interface) == (vm.uid, "net-7")


def test_a_vm_may_give_an_address_of_its_vmi_to_another_interface(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)
    edited = edit(sim, vm)
    sim.quiet()

    request = ask_for_more(sim, edited, Nic("net-7", FIRST))

    assert request.is_allowed
    sim.store(request)
    check_rest(sim, {FIRST: vm})


def test_an_update_refused_later_leaks_nothing_and_takes_nothing(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)
    before = sim.allocation(FIRST)
    request = ask_for_more(sim, vm, Nic("net-1"), Nic("net-2", OUTSIDE))
    assert request.is_allowed

    request.is_over = True

    sim.quiesce()
    assert sim.allocation(SECOND) is None
    assert sim.allocation(OUTSIDE) is None
    assert sim.allocation(FIRST) == before


def test_a_change_of_address_refused_later_keeps_the_old_one(sim: Simulation) -> None:
    vm = sim.vm("db", FIRST)
    sim.quiet()
    request = sim.answer(sim.ask_vm_update(vm, [Nic("net-0", SECOND)]))

    request.is_over = True

    check_rest(sim, {FIRST: vm})


def test_a_replaced_address_is_free_once_the_vm_has_restarted(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)
    edit(sim, vm, Nic("net-0", SECOND))
    sim.quiet()
    assert sim.answer(sim.ask("web-0", FIRST)).is_denied

    delete(sim, VMI_KIND)
    ends(sim, 2)
    sim.start(vm)

    check_rest(sim, {SECOND: vm})


def test_a_manifest_applied_again_without_addresses_keeps_them(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)

    edited = edit(sim, vm, Nic("net-0"))

    assert edited.carries(FIRST)
    check_rest(sim, {FIRST: vm})
