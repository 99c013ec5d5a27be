"""VMs that existed before us or bypass the webhook, and VMs that share an address."""

from itertools import permutations

import pytest

from crds.allocation import VM_KIND, VMI_KIND
from crds.carriers import Carrier
from crds.tests.kubevirt import Nic, vm_manifest, vmi_manifest
from simulation.kubevirt import Key
from simulation.lives import DB, check_rest, owner, running
from simulation.programs import FIRST, OUTSIDE
from simulation.simulation import Simulation

THERE = "other", "alien"


def running_there(sim: Simulation) -> Carrier:
    """A VM that no webhook has seen runs in a namespace that has not opted in."""
    namespace, name = THERE
    vm = sim.bypass_vm(vm_manifest(name, Nic("net-0", FIRST), namespace=namespace))
    sim.start(vm)
    wanted = sim.kubevirt.wanted_launcher(THERE)
    assert wanted is not None
    sim.kubevirt.launch(THERE, wanted[1], wanted[0])
    sim.step()
    return vm


def ends_there(sim: Simulation, key: Key = THERE) -> None:
    sim.kubevirt.delete(VM_KIND, key)
    for _ in range(4):
        sim.kubevirt.go_on_ending(key)
        sim.step()


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_the_vm_owns_what_was_adopted_in_any_order(sim: Simulation, order: tuple[int, ...]) -> None:
    vm = running_there(sim)

    for at in order:
        sim.controllers[0].carrier_watches[at].deliver()
        sim.reconcile(FIRST)
        sim.controllers[0].allocation_watch.deliver()

    sim.quiesce()
    assert (owner(sim).kind, owner(sim).uid) == (VM_KIND, vm.uid)
    ends_there(sim)
    check_rest(sim)


@pytest.mark.parametrize("late", range(3))
def test_the_root_owns_what_was_adopted_if_a_kind_is_late(sim: Simulation, late: int) -> None:
    running_there(sim)
    sim.late.append(sim.controllers[0].carrier_watches[late])

    sim.quiet()

    assert owner(sim).root == (VM_KIND, *THERE)


def test_the_address_of_a_bare_vmi_is_adopted_and_released(sim: Simulation) -> None:
    vmi = sim.bypass_vm(vmi_manifest("bare", Nic("net-0", FIRST), namespace="other"))
    sim.calm()
    assert (owner(sim).kind, owner(sim).uid) == (VMI_KIND, vmi.uid)
    assert not sim.pod("web-0", None).carries(FIRST)
    sim.pass_time(61)

    sim.kubevirt.end_guest(("other", "bare"))

    sim.quiesce()
    assert sim.allocation(FIRST) is None


def test_a_vm_in_conflict_counts_once_with_its_vmi_and_launcher(sim: Simulation) -> None:
    mine, _, _ = running(sim, FIRST)

    alien = running_there(sim)

    sim.quiet()
    assert owner(sim).uid == mine.uid
    assert [conflict.uid for conflict in sim.cluster.allocated[FIRST].conflicts] == [alien.uid]
    ends_there(sim)
    sim.quiesce()
    assert not sim.cluster.allocated[FIRST].conflicts


def test_an_address_passes_to_the_vm_that_was_in_conflict(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    alien = running_there(sim)
    sim.calm()

    sim.delete(pod)

    sim.quiesce()
    assert owner(sim).uid == alien.uid
    assert not sim.cluster.allocated[FIRST].conflicts


def test_two_vms_of_one_name_conflict_only_if_both_run(sim: Simulation) -> None:
    running(sim, FIRST)
    vm = sim.bypass_vm(vm_manifest("db", Nic("net-0", FIRST), namespace="other"))
    sim.quiet()
    assert not sim.cluster.allocated[FIRST].conflicts

    sim.start(vm)  # no VMI shows that it is a migration

    sim.quiet()
    assert [conflict.uid for conflict in sim.cluster.allocated[FIRST].conflicts] == [vm.uid]


@pytest.mark.parametrize("first", [DB, THERE], ids=str)
def test_a_shared_address_is_released_after_its_last_vm(warning: Simulation, first: Key) -> None:
    sim = warning
    there = running_there(sim)
    sim.quiet()
    here, _, _ = running(sim, FIRST)  # allowed, with a warning
    left, last = (there, THERE) if first == DB else (here, DB)
    allocation = sim.cluster.allocated[FIRST].allocation
    assert allocation.shared

    ends_there(sim, first)

    sim.quiet()
    assert owner(sim).uid == left.uid
    assert not sim.pod("web-0", None).carries(FIRST)
    ends_there(sim, last)
    sim.quiesce()
    assert sim.allocation(FIRST) is None


def test_a_shared_address_passes_to_a_vm_that_the_view_does_not_show(warning: Simulation) -> None:
    sim = warning
    pod = sim.old_pod("web-0", OUTSIDE)
    vm = sim.vm("db", OUTSIDE)
    sim.late.append(sim.controllers[0].vm_watch)
    sim.quiet()

    sim.delete(pod)

    sim.quiet()
    assert owner(sim, OUTSIDE).uid == vm.uid


def test_an_address_bound_less_than_q_ago_is_not_shared(warning: Simulation) -> None:
    sim = warning
    request = sim.answer(sim.ask_vm("db", OUTSIDE))
    assert sim.answer(sim.ask("web-0", OUTSIDE)).is_denied
    assert sim.store(request)
    sim.calm()  # bound less than Q ago
    assert sim.answer(sim.ask("web-0", OUTSIDE)).is_denied

    sim.quiet()

    assert sim.answer(sim.ask("web-0", OUTSIDE)).is_allowed
