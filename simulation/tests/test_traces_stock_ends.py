"""How stock ends: bound to who got it, deleted by who created it, or collected (laws hold)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulation.lives import owner
from simulation.programs import FIRST, SECOND
from simulation.replica import STOCK_LIFETIME_S

if TYPE_CHECKING:
    from simulation.programs import Request
    from simulation.simulation import Simulation

KEPT_S = STOCK_LIFETIME_S + 120  # so long the controller keeps what was created ahead


def _handed_out(sim: Simulation) -> Request:
    """A pod gets FIRST from stock; the answer is on its way, and the controller knows of FIRST."""
    assert sim.stocked() == (FIRST,)
    sim.calm()
    request = sim.ask("web-0")
    assert request.is_allowed
    return request


def test_what_was_handed_out_and_refused_downstream_is_collected_and_not_handed_out_again(
    sim: Simulation,
) -> None:
    _handed_out(sim).is_over = True
    sim.replicas[0].watch.relist()

    assert not sim.replicas[0].ready()

    sim.pass_time(KEPT_S - 1)
    sim.calm()
    assert sim.pod("web-1").carries(SECOND)
    assert sim.allocation(FIRST) is not None
    sim.pass_time(1)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_a_killed_replica_leaves_stock_that_is_collected_and_not_before_its_time(
    sim: Simulation,
) -> None:
    sim.stocked()
    sim.calm()

    sim.crash_replica(0)

    sim.pass_time(KEPT_S - 1)
    sim.calm()
    assert sim.allocation(FIRST) is not None
    sim.pass_time(1)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_what_a_replica_created_in_its_last_moment_is_collected(sim: Simulation) -> None:
    sim.replicas[0].demand.keep = 1
    sim.create_ahead(most=0)
    sim.let(sim.next("webhook-0", "create"), keep_answer=True)

    sim.crash_replica(0)

    assert sim.allocation(FIRST) is not None
    sim.quiesce()
    assert sim.allocation(FIRST) is None


def test_an_answer_of_a_replica_killed_since_is_good(sim: Simulation) -> None:
    request = _handed_out(sim)
    sim.crash_replica(0)
    assert not sim.replicas[0].ready()

    pod = sim.stored(request)

    assert sim.pod("web-1").carries(SECOND)
    sim.quiesce()
    assert owner(sim).uid == pod.uid


def test_what_was_handed_out_at_the_last_moment_and_stored_as_late_as_can_be_is_bound(
    sim: Simulation,
) -> None:
    sim.stocked()
    sim.calm()
    sim.pass_time(STOCK_LIFETIME_S - 1)
    request = sim.ask("web-0")
    sim.pass_time(59)
    pod = sim.stored(request)

    sim.pass_time(62)
    sim.settle(FIRST)  # no view shows it

    assert owner(sim).uid == pod.uid


def test_what_was_handed_out_is_bound_whatever_its_namespace_is_labelled_by_then(
    sim: Simulation,
) -> None:
    pod = sim.stored(_handed_out(sim))
    sim.pass_time(KEPT_S)

    sim.settle(FIRST)  # no view shows it, and no label of a namespace is asked for

    assert sim.cluster.calls[-2].verb == "list"  # of all namespaces
    assert owner(sim).uid == pod.uid


def test_no_stock_is_bound_to_who_is_dead_by_then(two_controllers: Simulation) -> None:
    sim = two_controllers
    late = sim.controllers[1]
    dead = sim.old_pod("web-0", FIRST)
    sim.delete(dead)
    sim.controllers[0].pod_watch.deliver()
    sim.settle(FIRST, controller=0)  # released, and the other has not heard of its end
    sim.replicas[0].watch.deliver()
    assert sim.stocked() == (FIRST,)
    late.allocation_watch.deliver()

    sim.settle(FIRST, controller=1)

    assert sim.replicas[0].ready() == {FIRST}
    assert sim.pod("web-1").carries(FIRST)


def test_of_two_controllers_that_bind_it_one_was_paused_and_harms_nobody(
    two_controllers: Simulation,
) -> None:
    sim = two_controllers
    pod = sim.stored(_handed_out(sim))
    sim.deliver()
    sim.settle(FIRST, 1, controller=0)  # it has read that the pod lives
    sim.settle(FIRST, controller=1)
    sim.delete(pod)
    sim.quiet()

    assert sim.allocation(FIRST) is None


def test_a_controller_that_was_paused_while_binding_reads_anew(sim: Simulation) -> None:
    pod = sim.stored(_handed_out(sim))
    sim.deliver()
    sim.settle(FIRST, 0)  # the read is on its way
    sim.pass_time(11)

    sim.settle(FIRST, 1)

    assert not sim.calls.parked
    sim.quiesce()
    assert owner(sim).uid == pod.uid


def test_a_clean_stop_deletes_what_was_given_to_nobody_and_nothing_else(sim: Simulation) -> None:
    assert sim.stocked(keep=2) == (FIRST, SECOND)
    request = sim.ask("web-0")  # gets the first

    sim.stop_replica()
    sim.crash_replica(0)

    assert set(sim.cluster.allocated) == {FIRST}
    assert sim.store(request)


def test_a_clean_stop_deletes_what_is_being_created(sim: Simulation) -> None:
    sim.replicas[0].demand.keep = 1
    sim.create_ahead(most=0)

    sim.stop_replica()

    assert [one.verb for one in sim.cluster.calls] == ["create", "delete"]
    assert not sim.cluster.allocated


def test_who_is_stopping_creates_nothing_ahead_and_serves_on(sim: Simulation) -> None:
    sim.stocked()
    sim.stop_replica(most=0)

    sim.create_ahead(most=0)
    pod = sim.pod("web-0")

    assert pod.carries(SECOND)  # FIRST is being deleted
    sim.quiesce()
    assert set(sim.cluster.allocated) == {SECOND}


def test_a_stop_that_gets_no_answer_ends_and_leaves_the_rest_to_the_controller(
    sim: Simulation,
) -> None:
    sim.stocked()
    sim.stop_replica(most=0)

    sim.pass_time(6)

    assert not sim.replicas[0].tasks
    assert sim.allocation(FIRST) is not None
    sim.quiesce()
    assert sim.allocation(FIRST) is None


def test_a_replica_deletes_what_it_cannot_hand_out_any_more(sim: Simulation) -> None:
    sim.stocked()
    sim.tidy()
    assert sim.allocation(FIRST) is not None

    sim.pass_time(STOCK_LIFETIME_S)
    sim.tidy()

    assert not sim.cluster.allocated


def test_what_is_being_deleted_is_not_handed_out(sim: Simulation) -> None:
    sim.stocked()
    sim.replicas[0].demand.keep = 0

    sim.tidy(most=0)
    pod = sim.pod("web-0")

    assert pod.carries(SECOND)
    sim.go_on(sim.replicas[0])


@pytest.mark.parametrize("after", [False, True])
def test_a_delete_that_fails_leaves_it_to_the_controller(sim: Simulation, *, after: bool) -> None:
    sim.stocked()
    sim.pass_time(STOCK_LIFETIME_S)
    sim.tidy(most=0)

    sim.fail(sim.next("webhook-0", "delete"), after=after)

    assert FIRST not in sim.replicas[0].entries
    sim.quiesce()
    assert sim.allocation(FIRST) is None


def test_nobody_deletes_what_a_stranger_was_found_to_carry(sim: Simulation) -> None:
    sim.stocked()
    stranger = sim.bypass("alien", FIRST)
    sim.late.append(sim.replicas[0].watch)
    sim.calm()
    sim.pass_time(STOCK_LIFETIME_S)

    sim.tidy()

    assert owner(sim).uid == stranger.uid
