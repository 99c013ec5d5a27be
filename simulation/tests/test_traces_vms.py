"""A VM, its VMI and its launchers end one by one, in several orders (I1 to I3 hold)."""

from crds.allocation import VM_KIND, VMI_KIND
from crds.tests.kubevirt import Nic, vmi_manifest
from simulation.admission import NAMESPACE
from simulation.lives import DB, check_rest, delete, ends, owner, running
from simulation.programs import FIRST, SECOND
from simulation.simulation import Simulation


def test_a_stopped_vm_keeps_its_address(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)

    delete(sim, VMI_KIND)
    ends(sim, 2)

    sim.quiet()
    assert owner(sim).uid == vm.uid
    assert sim.start(vm).carries(FIRST)


def test_a_deleted_vm_frees_its_address_when_its_last_object_is_gone(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)
    delete(sim)

    for _ in range(3):  # VM marks the VMI, the launcher goes, the VMI goes
        sim.quiet()
        assert owner(sim).uid == vm.uid
        ends(sim, 1)

    assert DB not in sim.cluster.vmis
    ends(sim, 1)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_an_address_is_kept_while_the_vmi_of_a_deleted_vm_runs(sim: Simulation) -> None:
    vm, _, _ = running(sim, FIRST)
    sim.vanish(VM_KIND, DB)

    sim.quiet()

    assert owner(sim).uid == vm.uid
    assert sim.answer(sim.ask("web-0", FIRST)).is_denied
    sim.kubevirt.collect()
    ends(sim)
    check_rest(sim)


def test_an_address_is_kept_while_a_launcher_of_a_deleted_vmi_ends(sim: Simulation) -> None:
    _, vmi, pod = running(sim, FIRST)
    sim.vanish(VM_KIND, DB)
    sim.vanish(VMI_KIND, DB)

    sim.quiet()

    assert owner(sim).uid == vmi.uid
    sim.delete(pod)
    check_rest(sim)


def test_an_orphan_owns_its_address_until_a_vm_adopts_it(sim: Simulation) -> None:
    _, vmi, _ = running(sim, FIRST)
    delete(sim, orphan=True)
    ends(sim, 2)
    assert DB not in sim.cluster.vms
    sim.quiet()
    assert owner(sim).uid == vmi.uid

    again = sim.vm("db", FIRST)
    sim.kubevirt.adopt(DB)

    sim.quiet()
    assert owner(sim).uid == again.uid
    check_rest(sim, {FIRST: again})


def test_a_vm_that_adopts_an_orphan_with_another_address_owns_both(sim: Simulation) -> None:
    running(sim, FIRST)
    delete(sim, orphan=True)
    ends(sim, 2)
    again = sim.vm("db", SECOND)
    sim.kubevirt.adopt(DB)

    sim.quiet()

    assert owner(sim, FIRST).uid == owner(sim, SECOND).uid == again.uid
    delete(sim, VMI_KIND)  # its next start has only SECOND
    ends(sim, 2)
    check_rest(sim, {SECOND: again})


def test_a_vm_that_is_deleted_and_created_again_at_once_keeps_its_address(sim: Simulation) -> None:
    running(sim, FIRST)
    delete(sim)
    ends(sim, 4)

    again = sim.vm("db", FIRST)  # before the controller looks

    sim.calm()
    assert owner(sim).uid == again.uid
    check_rest(sim, {FIRST: again})


def test_a_vm_created_again_stops_a_release_in_progress(sim: Simulation) -> None:
    running(sim, FIRST)
    delete(sim)
    ends(sim, 4)
    sim.deliver()
    sim.reconcile(FIRST, 3)  # VM, VMI and launchers are gone: it will be released

    again = sim.vm("db", FIRST)

    sim.reconcile(FIRST)
    check_rest(sim, {FIRST: again})


def test_both_launchers_of_a_migration_carry_the_vm_s_address(sim: Simulation) -> None:
    vm, vmi, source = running(sim, FIRST)

    target = sim.launch(vmi)

    sim.quiet()
    assert target.carries(FIRST)
    sim.end(source)
    sim.delete(source)
    sim.quiet()
    assert owner(sim).uid == vm.uid
    assert not sim.cluster.allocated[FIRST].conflicts


def test_both_launchers_of_a_bare_vmi_get_one_address(sim: Simulation) -> None:
    vmi = sim.kubevirt.store(vmi_manifest("db", Nic("net-0"), namespace=NAMESPACE))
    source = sim.launch(vmi)
    sim.quiet()

    target = sim.launch(vmi)

    assert source.carries(FIRST)
    assert target.carries(FIRST)
    sim.delete(source)
    sim.quiet()
    assert (owner(sim).kind, owner(sim).uid) == (VMI_KIND, vmi.uid)
    delete(sim, VMI_KIND)
    ends(sim, 2)
    check_rest(sim)


def test_the_owner_gets_the_generated_name_once_the_vm_is_stored(sim: Simulation) -> None:
    request = sim.answer(sim.ask_vm(None, FIRST))
    allocation = sim.cluster.allocated[FIRST].allocation
    assert allocation.owner is not None
    assert allocation.owner.name is None

    vm = sim.stored(request)

    sim.start(vm)
    sim.quiet()
    assert (owner(sim).name, owner(sim).uid) == (vm.name, vm.uid)
    assert sim.answer(sim.ask_vm(None, FIRST)).is_denied


def test_a_create_refused_later_leaks_nothing(sim: Simulation) -> None:
    request = sim.answer(sim.ask_vm("db", FIRST, None))
    assert request.is_allowed

    request.is_over = True

    check_rest(sim)
