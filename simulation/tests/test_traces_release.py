"""Rules 6 to 8: what is released, when, and which object gets it next (I1 to I3 hold)."""

from collections.abc import Callable

import pytest

from crds.allocation import Allocation, Reservation, State
from crds.carriers import Carrier
from simulation.admission import NAMESPACE
from simulation.lives import check_rest, owner
from simulation.programs import FIRST, OUTSIDE
from simulation.simulation import Simulation


@pytest.mark.parametrize("goes", [Simulation.delete, Simulation.end], ids=["deleted", "finished"])
def test_a_pod_that_lived_longer_than_q_frees_its_address_at_once(
    sim: Simulation, goes: Callable[[Simulation, Carrier], None]
) -> None:
    pod = sim.old_pod("web-0", FIRST)

    goes(sim, pod)

    sim.calm()
    assert sim.allocation(FIRST) is None


def test_a_shorter_life_frees_its_address_q_after_it_was_bound(sim: Simulation) -> None:
    pod = sim.pod("web-0", FIRST)
    sim.calm()
    sim.pass_time(10)

    sim.delete(pod)

    sim.calm()
    sim.pass_time(49)
    sim.calm()
    assert sim.allocation(FIRST) is not None
    sim.pass_time(1)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_an_answer_in_progress_stops_the_release_of_the_former_pod(sim: Simulation) -> None:
    former = sim.pod("web-0", FIRST)
    again = sim.answer(sim.ask("web-0", FIRST))
    sim.calm()  # bound to the former pod, which exists
    sim.delete(former)

    sim.calm()  # gone, but Q has not passed

    assert sim.store(again)


def test_an_allocation_written_less_than_q_ago_is_not_released(sim: Simulation) -> None:
    former = sim.old_pod("web-0", FIRST)
    sim.delete(former)
    again = sim.answer(sim.ask("web-0", FIRST))

    sim.calm()

    assert sim.store(again)


def test_an_address_in_an_answer_is_not_released(sim: Simulation) -> None:
    for name in ("web-0", None):
        request = sim.answer(sim.ask(name, None))

        sim.calm()

        assert sim.store(request)


@pytest.mark.parametrize("name", ["web-0", None])
def test_a_pod_that_the_view_does_not_show_keeps_its_address(
    sim: Simulation, name: str | None
) -> None:
    sim.pod(name, FIRST)
    sim.controllers[0].allocation_watch.deliver()

    sim.pass_time(61)
    sim.reconcile(FIRST)

    assert sim.stored_state(FIRST) is State.BOUND


@pytest.mark.parametrize("name", ["web-0", None])
def test_the_address_of_an_object_that_never_came_is_free_after_q(
    sim: Simulation, name: str | None
) -> None:
    sim.answer(sim.ask(name, FIRST)).is_over = True

    sim.quiet()

    assert sim.allocation(FIRST) is None


def test_a_release_is_proved_by_a_live_read(two_controllers: Simulation) -> None:
    sim = two_controllers
    sim.pod("web-0", FIRST)
    late = sim.controllers[1]
    sim.controllers[0].allocation_watch.deliver()
    sim.controllers[0].pod_watch.deliver()
    sim.reconcile(FIRST, controller=0)
    late.allocation_watch.deliver()
    sim.pass_time(61)

    sim.reconcile(FIRST, controller=1)  # its view does not show the pod


def test_a_namesake_with_another_uid_keeps_the_address(sim: Simulation) -> None:
    former = sim.pod("web-0", FIRST)
    again = sim.answer(sim.ask("web-0", FIRST))
    sim.calm()  # bound to the former pod
    sim.pass_time(61)
    again.is_over = False  # stored within Q, and then this process was paused
    sim.delete(former)
    sim.deliver()
    sim.reconcile(FIRST, 0)  # the read is parked

    sim.store(again)

    sim.reconcile(FIRST)


def test_a_decision_older_than_its_bound_is_made_again(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.delete(pod)
    sim.deliver()
    sim.reconcile(FIRST, 0)
    sim.pass_time(11)

    sim.reconcile(FIRST, 1)

    assert not sim.calls.parked


def test_a_running_pod_keeps_an_address_that_its_annotation_lost(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.edit(pod)
    sim.quiet()
    assert sim.allocation(FIRST) is not None

    sim.delete(pod)

    check_rest(sim)


def test_a_refused_create_takes_nothing_from_the_running_namesake(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.edit(pod)

    sim.answer(sim.ask("web-0", FIRST)).is_over = True  # the name is in use

    sim.quiet()
    assert owner(sim, FIRST).uid == pod.uid
    sim.delete(pod)
    sim.quiet()
    assert sim.allocation(FIRST) is None


def test_a_declared_address_is_declared_again_when_its_user_goes(sim: Simulation) -> None:
    reserved = Reservation(kind="Pod", namespace=NAMESPACE, name="web-0")
    declared = Allocation(mac=OUTSIDE, reserved_for=reserved)
    sim.declare(declared)
    pod = sim.old_pod("web-0", OUTSIDE)

    sim.delete(pod)

    sim.calm()
    assert sim.allocation(OUTSIDE) == declared


def test_a_declared_address_whose_pod_never_came_is_declared_again(sim: Simulation) -> None:
    sim.declare(Allocation(mac=OUTSIDE))

    sim.answer(sim.ask("web-0", OUTSIDE)).is_over = True

    sim.quiesce()
    assert sim.allocation(OUTSIDE) == Allocation(mac=OUTSIDE)


def test_an_address_of_several_pods_passes_to_those_that_remain(sim: Simulation) -> None:
    sim.answer(sim.ask(None, OUTSIDE)).is_over = True  # never stored
    carriers = [sim.bypass(f"alien-{n}", OUTSIDE) for n in range(2)]

    for pod in carriers:
        sim.controllers[0].allocation_watch.deliver()  # no view shows a carrier
        sim.pass_time(61)
        sim.reconcile(OUTSIDE)

        assert sim.cluster.allocated[OUTSIDE].allocation.shared
        assert owner(sim, OUTSIDE).uid == pod.uid
        sim.delete(pod)

    check_rest(sim)


def test_an_address_whose_pod_never_came_passes_to_its_carrier(sim: Simulation) -> None:
    sim.answer(sim.ask("web-0", OUTSIDE)).is_over = True
    alien = sim.bypass("alien", OUTSIDE)

    sim.quiet()

    assert sim.cluster.allocated[OUTSIDE].allocation.shared
    assert owner(sim, OUTSIDE).uid == alien.uid


def test_an_address_bound_to_a_stranger_passes_to_its_pod(sim: Simulation) -> None:
    request = sim.answer(sim.ask(None, FIRST))  # its name is not generated yet
    stranger = sim.bypass("web-1", FIRST, NAMESPACE)
    sim.calm()  # so it is bound to the stranger
    pod = sim.stored(request)
    sim.laws.generated.clear()
    sim.quiet()

    sim.delete(stranger)

    sim.calm()
    assert owner(sim, FIRST).uid == pod.uid
