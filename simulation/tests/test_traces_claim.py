"""Rules 1 to 4, at the webhook: each interleaving that they prevent (I1 to I3 hold)."""

from crds.allocation import Allocation, State
from simulation.admission import NAMESPACE
from simulation.programs import FIRST, OUTSIDE, SECOND, networks
from simulation.simulation import Simulation


def test_no_answer_is_sent_before_its_address_is_allocated(sim: Simulation) -> None:
    request = sim.ask("web-0")

    assert request.verdict is None
    sim.let(sim.next("webhook-0", "create"))

    assert request.is_allowed
    sim.store(request)


def test_of_two_creates_of_one_address_the_second_gets_the_next(sim: Simulation) -> None:
    one, other = sim.ask("web-0", replica=0), sim.ask("web-1", replica=1)

    sim.answer(one)
    sim.answer(other)

    assert sim.store(one)
    assert sim.store(other)
    assert set(sim.cluster.allocated) == {FIRST, SECOND}


def test_the_pool_is_exhausted_only_by_a_list_made_after_the_request_came(sim: Simulation) -> None:
    pods = sim.old_pod("web-0"), sim.pod("web-1")
    for pod in pods:
        sim.delete(pod)
    for watch in (sim.controllers[0].allocation_watch, sim.controllers[0].pod_watch):
        watch.deliver()
    sim.reconcile(FIRST)  # released; no replica knows that yet

    assert sim.pod("web-2", replica=1).carries(FIRST)


def test_a_declared_address_is_never_given_out_by_the_pool(sim: Simulation) -> None:
    sim.declare(Allocation(mac=FIRST))

    pod = sim.pod("web-0", None)

    assert pod.carries(SECOND)


def test_two_replicas_give_one_declared_address_to_one_object(sim: Simulation) -> None:
    sim.declare(Allocation(mac=OUTSIDE))
    one, other = sim.ask("web-0", OUTSIDE, replica=0), sim.ask("web-1", OUTSIDE, replica=1)
    for request in (one, other):
        sim.answer(request, 2)  # both have read it as free

    sim.answer(one)
    sim.answer(other)

    assert sim.store(one)
    assert other.is_denied


def test_a_create_whose_namesake_still_exists_is_allowed_without_a_read(sim: Simulation) -> None:
    sim.old_pod("web-0", OUTSIDE)

    again = sim.answer(sim.ask("web-0", OUTSIDE))

    assert again.is_allowed
    assert sim.store(again) is None  # the name is in use


def test_the_write_of_a_namesake_stops_a_release_in_progress(sim: Simulation) -> None:
    former = sim.old_pod("web-0", FIRST)
    sim.delete(former)
    sim.deliver()
    sim.reconcile(FIRST, 1)  # its owner is gone: the delete is parked
    again = sim.answer(sim.ask("web-0", FIRST))

    sim.let(sim.next("controller", "delete"))

    assert sim.store(again)


def test_a_namesake_that_loses_to_a_release_claims_again(sim: Simulation) -> None:
    sim.answer(sim.ask("web-0", FIRST))  # never stored
    sim.calm()
    sim.pass_time(61)
    sim.reconcile(FIRST, 1)
    again = sim.ask("web-0", FIRST)
    sim.answer(again, 2)  # it has read the allocation

    sim.let(sim.next("controller", "delete"))

    assert sim.store(sim.answer(again))


def test_an_owner_that_is_gone_leaves_its_address_to_no_other_name(sim: Simulation) -> None:
    former = sim.old_pod("web-0", FIRST)
    sim.delete(former)
    again = sim.answer(sim.ask("web-0", FIRST))

    other = sim.answer(sim.ask("web-1", FIRST))

    assert other.is_denied
    assert sim.store(again)


def test_two_pods_of_one_deployment_never_share_a_fixed_address(sim: Simulation) -> None:
    first, second = sim.ask(None, FIRST, replica=0), sim.ask(None, FIRST, replica=1)

    sim.answer(first)
    sim.answer(second)

    assert sim.store(first)
    assert second.is_denied


def test_a_pod_that_is_created_again_at_once_keeps_its_address(sim: Simulation) -> None:
    former = sim.old_pod("web-0", OUTSIDE)
    sim.delete(former)  # no view shows that yet

    again = sim.pod("web-0", OUTSIDE, replica=1)

    assert again.carries(OUTSIDE)


def test_a_shared_address_is_refused_to_a_namesake_of_its_owner(sim: Simulation) -> None:
    sim.answer(sim.ask("web-0", OUTSIDE))  # never stored; two other pods carry its address
    first = sim.bypass("web-1", OUTSIDE, NAMESPACE)
    second = sim.bypass("web-2", OUTSIDE)
    sim.quiet()
    sim.delete(first)

    again = sim.answer(sim.ask("web-1", OUTSIDE))

    assert again.is_denied
    assert second.carries(OUTSIDE)


def test_an_update_that_adds_its_own_address_again_writes(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.edit(pod)

    update = sim.answer(sim.ask_update(pod, FIRST))

    allocation = sim.cluster.allocated[FIRST].allocation
    assert allocation.request == update.review.uid
    assert sim.store(update)


def test_an_update_refused_later_takes_nothing_from_its_pod(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST)
    sim.edit(pod)

    sim.answer(sim.ask_update(pod, FIRST)).is_over = True

    sim.quiesce()
    assert sim.stored_state(FIRST) is State.BOUND


def test_an_update_ignores_addresses_of_the_old_object(sim: Simulation) -> None:
    sim.pod("web-0", FIRST)
    stranger = sim.bypass("web-1", FIRST, NAMESPACE)
    sim.quiet()

    update = sim.answer(sim.ask_update(stranger, None))

    assert update.is_allowed


def test_a_pod_can_move_an_address_to_another_interface(sim: Simulation) -> None:
    pod = sim.old_pod("web-0", FIRST, OUTSIDE)

    update = sim.answer(sim.ask_change(pod, networks(None, FIRST)))
    now = sim.stored(update)

    assert [attached.mac for attached in now.attachments] == [SECOND, FIRST]
    sim.quiesce()
    assert set(sim.cluster.allocated) == {FIRST, SECOND, OUTSIDE}  # a running pod keeps them all


def test_a_denied_request_keeps_what_a_second_request_took_over(sim: Simulation) -> None:
    sim.pod("web-1", OUTSIDE)
    first = sim.ask("web-0", FIRST, OUTSIDE)
    sim.answer(first, 1)  # FIRST is created
    second = sim.answer(sim.ask("web-0", FIRST, replica=1))

    sim.answer(first)

    assert first.is_denied
    assert sim.store(second)
