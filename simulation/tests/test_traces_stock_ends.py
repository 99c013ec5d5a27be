"""The end of stock: bound, deleted by its replica, or released by the controller."""

import pytest

from simulation.lives import check_rest, owner
from simulation.programs import FIRST, SECOND, Request
from simulation.replica import STOCK_KEPT_S, STOCK_USABLE_S
from simulation.simulation import Simulation


def _handed_out(sim: Simulation) -> Request:
    """A pod gets FIRST from stock and is not stored yet; the controller knows of FIRST."""
    assert sim.stocked() == (FIRST,)
    sim.calm()
    request = sim.ask("web-0")
    assert request.is_allowed
    return request


def test_handed_out_stock_refused_later_is_released_not_reused(sim: Simulation) -> None:
    _handed_out(sim).is_over = True
    sim.replicas[0].watch.relist()

    assert not sim.replicas[0].ready()

    sim.pass_time(STOCK_KEPT_S - 1)
    sim.calm()
    assert sim.pod("web-1").carries(SECOND)
    assert sim.allocation(FIRST) is not None
    sim.pass_time(1)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_the_stock_of_a_killed_replica_is_released_in_time(sim: Simulation) -> None:
    sim.stocked()
    sim.calm()

    sim.crash_replica(0)

    sim.pass_time(STOCK_KEPT_S - 1)
    sim.calm()
    assert sim.allocation(FIRST) is not None
    sim.pass_time(1)
    sim.calm()
    assert sim.allocation(FIRST) is None


def test_stock_created_just_before_a_kill_is_released(sim: Simulation) -> None:
    sim.create_ahead(keep=1, most=0)
    sim.let(sim.next("webhook-0", "create"), keep_answer=True)

    sim.crash_replica(0)

    assert sim.allocation(FIRST) is not None
    check_rest(sim)


def test_stock_in_the_answer_of_a_killed_replica_is_valid(sim: Simulation) -> None:
    request = _handed_out(sim)
    sim.crash_replica(0)
    assert not sim.replicas[0].ready()

    pod = sim.stored(request)

    assert sim.pod("web-1").carries(SECOND)
    sim.quiesce()
    assert owner(sim).uid == pod.uid


def test_stock_handed_out_and_stored_at_the_latest_moment_is_bound(sim: Simulation) -> None:
    sim.stocked()
    sim.calm()
    sim.pass_time(STOCK_USABLE_S - 1)
    request = sim.ask("web-0")
    sim.pass_time(59)
    pod = sim.stored(request)

    sim.pass_time(62)
    sim.reconcile(FIRST)  # no view shows it

    assert owner(sim).uid == pod.uid


def test_handed_out_stock_is_bound_if_its_namespace_has_opted_out(sim: Simulation) -> None:
    pod = sim.stored(_handed_out(sim))
    sim.pass_time(STOCK_KEPT_S)

    sim.reconcile(FIRST)  # no view shows it, and no label of a namespace is read

    assert sim.cluster.calls[-2].verb == "list"  # of all namespaces
    assert owner(sim).uid == pod.uid


def test_no_stock_is_bound_to_a_dead_pod(two_controllers: Simulation) -> None:
    sim = two_controllers
    late = sim.controllers[1]
    dead = sim.old_pod("web-0", FIRST)
    sim.delete(dead)
    sim.controllers[0].pod_watch.deliver()
    sim.reconcile(FIRST, controller=0)  # released; the other view still shows the pod
    sim.replicas[0].watch.deliver()
    assert sim.stocked() == (FIRST,)
    late.allocation_watch.deliver()

    sim.reconcile(FIRST, controller=1)

    assert sim.replicas[0].ready() == {FIRST}
    assert sim.pod("web-1").carries(FIRST)


def test_a_paused_controller_binds_no_released_stock(two_controllers: Simulation) -> None:
    sim = two_controllers
    pod = sim.stored(_handed_out(sim))
    sim.deliver()
    sim.reconcile(FIRST, 1, controller=0)  # it has read that the pod exists
    sim.reconcile(FIRST, controller=1)
    sim.delete(pod)
    sim.quiet()

    assert sim.allocation(FIRST) is None


def test_a_controller_paused_while_binding_reads_again(sim: Simulation) -> None:
    pod = sim.stored(_handed_out(sim))
    sim.deliver()
    sim.reconcile(FIRST, 0)  # the read is parked
    sim.pass_time(11)

    sim.reconcile(FIRST, 1)

    assert not sim.calls.parked
    check_rest(sim, {FIRST: pod})


def test_a_clean_stop_deletes_only_stock_that_was_not_handed_out(sim: Simulation) -> None:
    assert sim.stocked(keep=2) == (FIRST, SECOND)
    request = sim.ask("web-0")  # gets FIRST

    sim.stop_replica()
    sim.crash_replica(0)

    assert set(sim.cluster.allocated) == {FIRST}
    assert sim.store(request)


def test_a_clean_stop_deletes_stock_that_is_being_created(sim: Simulation) -> None:
    sim.create_ahead(keep=1, most=0)

    sim.stop_replica()

    assert [call.verb for call in sim.cluster.calls] == ["create", "delete"]
    assert not sim.cluster.allocated


def test_a_stopping_replica_serves_and_creates_no_stock(sim: Simulation) -> None:
    sim.stocked()
    sim.stop_replica(most=0)

    sim.create_ahead(most=0)
    pod = sim.pod("web-0")

    assert pod.carries(SECOND)  # FIRST is being deleted
    sim.quiesce()
    assert set(sim.cluster.allocated) == {SECOND}


def test_a_stop_without_an_answer_leaves_stock_to_the_controller(sim: Simulation) -> None:
    sim.stocked()
    sim.stop_replica(most=0)

    sim.pass_time(6)

    assert not sim.replicas[0].tasks
    assert sim.allocation(FIRST) is not None
    check_rest(sim)


def test_a_replica_deletes_stock_that_is_too_old(sim: Simulation) -> None:
    sim.stocked()
    sim.tidy()
    assert sim.allocation(FIRST) is not None

    sim.pass_time(STOCK_USABLE_S)
    sim.tidy()

    assert not sim.cluster.allocated


def test_stock_that_is_being_deleted_is_not_handed_out(sim: Simulation) -> None:
    sim.stocked()
    sim.replicas[0].demand.keep = 0

    sim.tidy(most=0)
    assert sim.pod("web-0").carries(SECOND)
    sim.go_on(sim.replicas[0])


@pytest.mark.parametrize("after", [False, True])
def test_a_delete_that_fails_leaves_it_to_the_controller(sim: Simulation, *, after: bool) -> None:
    sim.stocked()
    sim.pass_time(STOCK_USABLE_S)
    sim.tidy(most=0)

    sim.fail(sim.next("webhook-0", "delete"), after=after)

    assert FIRST not in sim.replicas[0].entries
    check_rest(sim)


def test_stock_that_a_stranger_carries_is_not_deleted(sim: Simulation) -> None:
    sim.stocked()
    stranger = sim.bypass("alien", FIRST)
    sim.late.append(sim.replicas[0].watch)
    sim.calm()
    sim.pass_time(STOCK_USABLE_S)

    sim.tidy()

    assert owner(sim).uid == stranger.uid
