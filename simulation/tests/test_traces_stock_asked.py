"""Stock and requests: by name, for several addresses, for a VM, or as a dry run (I1 to I3 hold)."""

import pytest

from crds.allocation import Source, State
from crds.tests.kubevirt import Nic
from simulation.lives import ask_for_more, check_rest, running
from simulation.programs import FIRST, OUTSIDE, SECOND, THIRD, Request
from simulation.replica import STOCK_KEPT_S, STOCK_USABLE_S
from simulation.simulation import Simulation
from webhook.admission import Denied


def test_a_replica_gives_its_own_stock_to_a_request_by_name(sim: Simulation) -> None:
    sim.stocked()

    request = sim.answer(sim.ask("web-0", FIRST))

    assert request.is_allowed
    assert FIRST not in sim.replicas[0].entries
    allocation = sim.cluster.allocated[FIRST].allocation
    assert (allocation.state, allocation.source) == (State.PENDING, Source.REQUESTED)
    assert allocation.owner is not None
    assert allocation.owner.name == "web-0"
    assert sim.pod("web-1").carries(SECOND)
    assert sim.store(request)


def test_a_replica_gives_even_old_stock_to_a_request_by_name(sim: Simulation) -> None:
    sim.stocked()
    sim.pass_time(STOCK_USABLE_S)

    request = sim.answer(sim.ask("web-0", FIRST))

    assert sim.store(request)


def test_a_request_for_stock_of_another_replica_is_refused(sim: Simulation) -> None:
    sim.stocked()

    request = sim.answer(sim.ask("web-0", FIRST, replica=1))

    assert f"asks for {FIRST}" in _why(request)
    assert "choose another address" in _why(request)
    assert "retry in 7 minutes" in _why(request)
    assert sim.replicas[0].ready() == {FIRST}


@pytest.mark.parametrize("name", ["web-0", "web-1"])
def test_handed_out_stock_is_refused_to_a_request_by_name(sim: Simulation, name: str) -> None:
    sim.stocked()
    first = sim.answer(sim.ask("web-0"))

    second = sim.answer(sim.ask(name, FIRST))

    assert "retry in 7 minutes" in _why(second)
    assert sim.store(first)


def test_a_request_by_name_that_loses_a_write_race_is_refused(sim: Simulation) -> None:
    sim.stocked()
    request = sim.ask("web-0", FIRST)
    sim.answer(request, 2)  # it has read its own stock

    sim.cluster.label(FIRST, "backup", "yes")
    sim.answer(request)

    assert "retry in 7 minutes" in _why(request)
    assert FIRST not in sim.replicas[0].entries
    assert sim.pod("web-1").carries(SECOND)


def test_a_request_by_name_creates_stock_that_was_just_released(sim: Simulation) -> None:
    sim.stocked()
    sim.calm()
    sim.pass_time(STOCK_KEPT_S)
    sim.reconcile(FIRST, 3)  # no object carries it: the delete is parked
    request = sim.ask("web-0", FIRST)
    sim.answer(request, 2)

    sim.let(sim.next("controller", "delete"))
    sim.answer(request)

    assert sim.store(request)


def test_a_request_by_name_stops_the_release_of_stock(sim: Simulation) -> None:
    sim.stocked()
    sim.calm()
    sim.pass_time(STOCK_KEPT_S)
    sim.reconcile(FIRST, 3)
    request = sim.answer(sim.ask("web-0", FIRST))

    sim.let(sim.next("controller", "delete"))

    assert sim.store(request)


def test_stock_created_again_belongs_to_the_new_creator(sim: Simulation) -> None:
    sim.stocked()
    sim.late.append(sim.replicas[0].watch)  # it sleeps
    sim.calm()
    sim.pass_time(STOCK_KEPT_S)
    sim.calm()
    assert sim.stocked(1) == (FIRST,)

    by_name = sim.answer(sim.ask("web-0", FIRST))
    from_stock = sim.answer(sim.ask("web-1", replica=1))

    assert "retry in 7 minutes" in _why(by_name)
    pod = sim.stored(from_stock)
    assert pod.carries(FIRST)


def test_a_dry_run_takes_nothing_out_of_the_stock(sim: Simulation) -> None:
    sim.stocked()

    for macs in ((None,), (FIRST,), (None, FIRST)):
        dry = sim.answer(sim.ask("web-0", *macs, dry_run=True))
        assert dry.is_allowed
        dry.is_over = True

    assert sim.replicas[0].ready() == {FIRST}
    assert sim.answer(sim.ask("web-0", FIRST, replica=1, dry_run=True)).is_denied
    assert sim.pod("web-0").carries(FIRST)


def test_two_interfaces_get_stock_without_a_call(sim: Simulation) -> None:
    assert sim.stocked(keep=2) == (FIRST, SECOND)

    pod = sim.stored(sim.ask("web-0", None, None))

    assert {attachment.mac for attachment in pod.attachments} == {FIRST, SECOND}


def test_a_request_larger_than_the_stock_takes_none_of_it(wide: Simulation) -> None:
    wide.stocked()

    pod = wide.pod("web-0", None, None)

    assert {attachment.mac for attachment in pod.attachments} == {SECOND, THIRD}
    assert wide.replicas[0].ready() == {FIRST}


def test_a_request_by_name_and_for_any_takes_no_stock(wide: Simulation) -> None:
    wide.stocked()

    pod = wide.pod("web-0", OUTSIDE, None)

    assert pod.carries(SECOND)
    assert wide.replicas[0].ready() == {FIRST}


def test_an_interface_added_by_an_update_gets_stock(sim: Simulation) -> None:
    pod = sim.pod("web-0", OUTSIDE)
    sim.stocked()

    now = sim.stored(sim.ask_update(pod, None))

    assert now.carries(FIRST)


def test_a_second_call_takes_more_stock_and_the_first_is_released(sim: Simulation) -> None:
    sim.stocked(keep=2)
    first = sim.ask("web-0")

    second = sim.ask_again(first)

    pod = sim.stored(second)
    assert pod.carries(SECOND)
    sim.quiesce()
    assert set(sim.cluster.allocated) == {SECOND}


def test_the_launcher_of_a_vm_is_allowed_before_its_address_is_bound(sim: Simulation) -> None:
    sim.stocked()
    vm = sim.stored(sim.ask_vm("db"))

    pod = sim.launch(sim.start(vm))

    assert pod.carries(FIRST)
    assert sim.stored_state(FIRST) is State.STOCK
    check_rest(sim, {FIRST: vm})


def test_an_interface_added_to_a_running_vm_gets_stock(sim: Simulation) -> None:
    vm, _, _ = running(sim, OUTSIDE)
    sim.stocked()

    request = ask_for_more(sim, vm, Nic("more"))

    stored = sim.stored(request)
    assert stored.carries(FIRST)
    check_rest(sim, {FIRST: vm, OUTSIDE: vm})


def _why(request: Request) -> str:
    verdict = request.verdict
    assert isinstance(verdict, Denied)
    return verdict.message
