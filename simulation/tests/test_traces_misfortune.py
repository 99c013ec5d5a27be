"""Lost answers, crashes and second calls between any two steps: nothing is lost, nothing leaks."""

import pytest

from simulation.lives import check_rest
from simulation.programs import FIRST, OUTSIDE, SECOND
from simulation.simulation import Simulation


def test_of_two_calls_for_one_request_one_address_is_used(sim: Simulation) -> None:
    first = sim.answer(sim.ask("web-0", None))
    second = sim.answer(sim.ask_again(first, replica=1))

    pod = sim.stored(second)

    assert pod.carries(SECOND)
    sim.quiesce()
    assert set(sim.cluster.allocated) == {SECOND}


def test_a_requested_address_is_allowed_in_a_second_call(sim: Simulation) -> None:
    first = sim.answer(sim.ask("web-0", OUTSIDE))

    second = sim.answer(sim.ask_again(first, replica=1))

    assert sim.store(second)


def test_of_two_calls_for_one_update_one_address_is_used(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", OUTSIDE)
    first = sim.answer(sim.ask_update(pod, None))

    second = sim.answer(sim.ask_again(first))

    assert sim.store(second)
    sim.quiesce()
    assert set(sim.cluster.allocated) == {OUTSIDE, SECOND}


@pytest.mark.parametrize("after", [False, True])
def test_a_create_that_fails_ends_the_request_and_leaves_nothing_behind(
    sim: Simulation, *, after: bool
) -> None:
    request = sim.ask("web-0", None)

    sim.fail(sim.next("webhook-0", "create"), after=after)

    assert request.is_denied
    assert list(sim.cluster.allocated) == ([FIRST] if after else [])
    check_rest(sim)


def test_a_killed_webhook_takes_no_address_with_it(sim: Simulation) -> None:
    sim.answer(sim.ask("web-0", None))
    sim.ask("web-1", OUTSIDE)

    sim.crash_replica(0)

    check_rest(sim)


def test_the_answer_of_a_webhook_that_was_killed_later_is_valid(sim: Simulation) -> None:
    request = sim.answer(sim.ask("web-0", None))

    sim.crash_replica(0)
    sim.reconcile(FIRST)

    assert sim.store(request)


@pytest.mark.parametrize("calls", range(3))
def test_a_controller_killed_between_two_calls_loses_nothing(sim: Simulation, calls: int) -> None:
    pod = sim.pod("web-0", FIRST)
    sim.deliver()
    sim.reconcile(FIRST, calls)  # binding

    sim.crash_controller()
    sim.quiet()
    sim.delete(pod)
    sim.deliver()
    sim.reconcile(FIRST, calls)  # releasing
    sim.crash_controller()

    check_rest(sim)


@pytest.mark.parametrize("after", [False, True])
def test_a_controller_whose_write_failed_tries_again(sim: Simulation, *, after: bool) -> None:
    sim.pod("web-0", FIRST)
    sim.deliver()
    sim.reconcile(FIRST, 1)

    sim.fail(sim.next("controller", "replace"), after=after)


def test_a_second_controller_deletes_no_new_allocation(two_controllers: Simulation) -> None:
    sim = two_controllers
    sim.delete(sim.old_pod("web-0", FIRST))
    sim.deliver()
    for number in range(2):
        sim.reconcile(FIRST, 1, number)  # both know that its owner is gone
    sim.let(sim.next("controller-0", "delete"))
    other = sim.answer(sim.ask("web-1", FIRST))

    sim.let(sim.next("controller-1", "delete"))

    assert sim.store(other)


def test_the_late_write_of_a_request_that_is_over_is_undone(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    late = sim.ask("web-0", FIRST)
    sim.answer(late, 2)

    sim.pass_time(61, deadlines=False)
    sim.answer(late)  # its process was paused, and took the address back from the pod

    assert late.is_allowed
    check_rest(sim, {FIRST: pod})
