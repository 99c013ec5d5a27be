"""Rules 5, 9 and 10: which object an address is bound to or adopted from (I1 to I3 hold)."""

from crds.allocation import Allocation, Reservation, Source, State
from simulation.admission import NAMESPACE
from simulation.lives import check_rest, owner
from simulation.programs import FIRST, OUTSIDE, SECOND
from simulation.simulation import Simulation


def test_a_late_view_binds_no_address_to_a_dead_pod(two_controllers: Simulation) -> None:
    sim = two_controllers
    late = sim.controllers[1]
    dead = sim.old_pod(None, FIRST)
    sim.delete(dead)
    sim.controllers[0].pod_watch.deliver()
    sim.reconcile(FIRST, controller=0)  # released; the other view still shows the pod
    request = sim.answer(sim.ask(None, FIRST))
    late.allocation_watch.deliver()

    sim.reconcile(FIRST, controller=1)  # Pending, and its view shows the dead pod

    sim.store(request)
    late.allocation_watch.deliver()
    late.pod_watch.deliver(1)  # it is dead; the view does not show the new pod yet
    sim.pass_time(61)
    sim.reconcile(FIRST, controller=1)


def test_an_address_in_an_answer_is_bound_to_no_other_name(sim: Simulation) -> None:
    request = sim.answer(sim.ask("web-0", FIRST))
    stranger = sim.bypass("web-1", FIRST, NAMESPACE)
    sim.deliver()

    sim.reconcile(FIRST)

    sim.delete(stranger)
    sim.deliver()
    sim.store(request)
    sim.pass_time(61)
    sim.reconcile(FIRST)  # the view does not show the new pod yet


def test_a_bound_address_passes_to_the_new_pod_of_its_name(sim: Simulation) -> None:
    former = sim.pod("web-0", FIRST)
    again = sim.answer(sim.ask("web-0", FIRST))
    sim.calm()  # bound to the former pod
    sim.delete(former)

    pod = sim.stored(again)

    sim.calm()
    assert owner(sim, FIRST).uid == pod.uid


def test_a_bound_address_passes_to_a_namesake_that_the_view_lacks(sim: Simulation) -> None:
    former = sim.pod("web-0", FIRST)
    again = sim.answer(sim.ask("web-0", FIRST))
    sim.calm()
    sim.delete(former)
    sim.deliver()
    pod = sim.stored(again)

    sim.pass_time(61)
    sim.reconcile(FIRST)

    assert owner(sim, FIRST).uid == pod.uid


def test_an_old_owner_that_lives_on_is_bound_again(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.answer(sim.ask("web-0", FIRST))  # the API server will refuse it: the name is in use

    sim.calm()

    assert owner(sim, FIRST).uid == pod.uid


def test_a_declared_address_is_bound_while_a_pod_carries_it(sim: Simulation) -> None:
    sim.declare(Allocation(mac=OUTSIDE))
    pod = sim.bypass("alien", OUTSIDE)

    sim.calm()

    assert owner(sim, OUTSIDE).uid == pod.uid
    sim.pass_time(61)
    sim.delete(pod)
    sim.quiesce()
    assert sim.allocation(OUTSIDE) == Allocation(mac=OUTSIDE)


def test_a_reserved_address_that_a_stranger_carries_stays_reserved(sim: Simulation) -> None:
    reserved = Reservation(kind="Pod", namespace=NAMESPACE, name="web-0")
    declared = Allocation(mac=OUTSIDE, reserved_for=reserved)
    sim.declare(declared)
    stranger = sim.bypass("alien", OUTSIDE)

    sim.quiesce()

    assert sim.allocation(OUTSIDE) == declared
    assert [conflict.uid for conflict in sim.cluster.allocated[OUTSIDE].conflicts] == [stranger.uid]


def test_an_address_in_use_is_adopted_and_not_given_out(sim: Simulation) -> None:
    alien = sim.bypass("alien", FIRST)
    sim.calm()

    assert sim.pod("web-0", None).carries(SECOND)

    allocation = sim.cluster.allocated[FIRST].allocation
    assert (allocation.state, allocation.source) == (State.BOUND, Source.ADOPTED)
    assert owner(sim, FIRST).uid == alien.uid


def test_an_address_adopted_from_a_deleted_pod_is_released(sim: Simulation) -> None:
    alien = sim.bypass("alien", OUTSIDE)
    sim.deliver()
    sim.delete(alien)
    sim.reconcile(OUTSIDE)  # it is adopted without a read, from the list or watch

    sim.quiesce()

    assert sim.allocation(OUTSIDE) is None


def test_a_request_that_comes_before_an_adoption_keeps_the_address(sim: Simulation) -> None:
    alien = sim.bypass("alien", FIRST)
    sim.deliver()
    sim.reconcile(FIRST, 0)  # it will be adopted
    request = sim.answer(sim.ask("web-0", FIRST))

    sim.let(sim.next("controller", "create"))

    assert sim.store(request)
    sim.quiesce()
    assert [conflict.uid for conflict in sim.cluster.allocated[FIRST].conflicts] == [alien.uid]


def test_a_conflict_is_recorded_and_removed_when_it_is_over(sim: Simulation) -> None:
    sim.old_pod("web-0", FIRST)
    alien = sim.bypass("alien", FIRST)
    sim.calm()
    assert [conflict.uid for conflict in sim.cluster.allocated[FIRST].conflicts] == [alien.uid]

    sim.delete(alien)

    sim.calm()
    assert not sim.cluster.allocated[FIRST].conflicts


def test_a_deletion_that_the_watch_missed_is_found_by_a_repair(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.delete(pod)
    sim.controllers[0].pod_watch.pending.clear()
    sim.quiet()
    assert sim.allocation(FIRST) is not None

    sim.repair()

    check_rest(sim)


def test_a_pod_that_the_watch_missed_is_found_by_a_repair(sim: Simulation) -> None:
    alien = sim.bypass("alien", FIRST)
    sim.controllers[0].pod_watch.pending.clear()
    sim.quiet()
    assert sim.allocation(FIRST) is None

    sim.repair()

    check_rest(sim, {FIRST: alien})


def test_an_allocation_that_the_watch_missed_is_found_by_a_repair(sim: Simulation) -> None:
    sim.answer(sim.ask("web-0", FIRST))  # never stored
    sim.controllers[0].allocation_watch.pending.clear()
    sim.quiet()
    assert sim.allocation(FIRST) is not None

    sim.repair()

    check_rest(sim)
