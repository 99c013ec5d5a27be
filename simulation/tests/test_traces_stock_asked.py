"""Stock, and who asks for an address by name, for several, for a VM, or only to see (laws hold)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crds.allocation import Source, State
from crds.tests.kubevirt import Nic
from simulation.lives import ask_for_more, owner, running
from simulation.programs import FIRST, OUTSIDE, SECOND, THIRD
from simulation.replica import STOCK_LIFETIME_S
from webhook.admission import Denied

if TYPE_CHECKING:
    from simulation.programs import Request
    from simulation.simulation import Simulation


def test_ones_own_stock_is_given_to_who_asks_for_it_by_name(sim: Simulation) -> None:
    sim.stocked()

    request = sim.answer(sim.ask("web-0", FIRST))

    assert request.is_allowed
    assert FIRST not in sim.replicas[0].entries
    allocation = sim.allocation(FIRST)
    assert allocation is not None
    assert (allocation.state, allocation.source) == (State.PENDING, Source.REQUESTED)
    assert allocation.owner is not None
    assert allocation.owner.name == "web-0"
    assert sim.pod("web-1").carries(SECOND)
    assert sim.store(request)


def test_ones_own_stock_is_given_by_name_even_when_it_is_too_old_to_be_handed_out(
    sim: Simulation,
) -> None:
    sim.stocked()
    sim.pass_time(STOCK_LIFETIME_S)

    request = sim.answer(sim.ask("web-0", FIRST))

    assert sim.store(request)


def test_another_replicas_stock_is_refused_and_the_message_says_what_helps(
    sim: Simulation,
) -> None:
    sim.stocked()

    request = sim.answer(sim.ask("web-0", FIRST, replica=1))

    assert f"asks for {FIRST}" in _why(request)
    assert "choose another address" in _why(request)
    assert "retry in 7 minutes" in _why(request)
    assert sim.replicas[0].ready() == {FIRST}


@pytest.mark.parametrize("name", ["web-0", "web-1"])
def test_what_was_handed_out_is_refused_to_who_asks_for_it_by_name(
    sim: Simulation, name: str
) -> None:
    sim.stocked()
    first = sim.answer(sim.ask("web-0"))

    second = sim.answer(sim.ask(name, FIRST))

    assert "retry in 7 minutes" in _why(second)
    assert sim.store(first)


def test_who_asks_for_it_by_name_and_loses_it_to_a_writer_is_refused(sim: Simulation) -> None:
    sim.stocked()
    request = sim.ask("web-0", FIRST)
    sim.answer(request, 2)  # it has read what is its own stock

    sim.cluster.label(FIRST, "backup", "yes")
    sim.answer(request)

    assert "retry in 7 minutes" in _why(request)
    assert FIRST not in sim.replicas[0].entries
    assert sim.pod("web-1").carries(SECOND)


def test_who_asks_for_it_by_name_while_it_is_collected_locks_it_anew(sim: Simulation) -> None:
    sim.stocked()
    sim.calm()
    sim.pass_time(STOCK_LIFETIME_S + 120)
    sim.settle(FIRST, 3)  # nobody carries it: the delete is on its way
    request = sim.ask("web-0", FIRST)
    sim.answer(request, 2)

    sim.let(sim.next("controller", "delete"))
    sim.answer(request)

    assert sim.store(request)


def test_who_asks_for_it_by_name_stops_its_collection(sim: Simulation) -> None:
    sim.stocked()
    sim.calm()
    sim.pass_time(STOCK_LIFETIME_S + 120)
    sim.settle(FIRST, 3)
    request = sim.answer(sim.ask("web-0", FIRST))

    sim.let(sim.next("controller", "delete"))

    assert sim.store(request)


def test_what_another_created_since_ones_own_was_collected_is_not_ones_own(
    sim: Simulation,
) -> None:
    sim.stocked()
    sim.late.append(sim.replicas[0].watch)  # it sleeps
    sim.calm()
    sim.pass_time(STOCK_LIFETIME_S + 120)
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


def test_two_interfaces_get_two_of_the_stock_without_a_call(sim: Simulation) -> None:
    assert sim.stocked(keep=2) == (FIRST, SECOND)

    pod = sim.stored(sim.ask("web-0", None, None))

    assert {one.mac for one in pod.attachments} == {FIRST, SECOND}


def test_who_needs_more_than_there_is_takes_none_of_it(wide: Simulation) -> None:
    wide.stocked()

    pod = wide.pod("web-0", None, None)

    assert {one.mac for one in pod.attachments} == {SECOND, THIRD}
    assert wide.replicas[0].ready() == {FIRST}


def test_who_wants_one_by_name_and_any_other_gets_none_of_the_stock(wide: Simulation) -> None:
    wide.stocked()

    pod = wide.pod("web-0", OUTSIDE, None)

    assert pod.carries(SECOND)
    assert wide.replicas[0].ready() == {FIRST}


def test_an_update_gets_from_stock_what_it_adds(sim: Simulation) -> None:
    pod = sim.pod("web-0", OUTSIDE)
    sim.stocked()

    now = sim.stored(sim.ask_update(pod, None))

    assert now.carries(FIRST)


def test_what_is_asked_twice_takes_two_of_the_stock_and_one_is_collected(sim: Simulation) -> None:
    sim.stocked(keep=2)
    first = sim.ask("web-0")

    second = sim.ask_again(first)

    pod = sim.stored(second)
    assert pod.carries(SECOND)
    sim.quiesce()
    assert set(sim.cluster.allocated) == {SECOND}


def test_the_launcher_of_a_vm_passes_before_its_address_is_bound(sim: Simulation) -> None:
    sim.stocked()
    vm = sim.stored(sim.ask_machine("db"))

    pod = sim.launch(sim.start(vm))

    assert pod.carries(FIRST)
    assert sim.stored_state(FIRST) is State.STOCK
    sim.quiesce()
    assert owner(sim).uid == vm.uid


def test_a_running_vm_gets_from_stock_what_an_edit_adds(sim: Simulation) -> None:
    vm, _, _ = running(sim, OUTSIDE)
    sim.stocked()

    request = ask_for_more(sim, vm, Nic("more"))

    stored = sim.stored(request)
    assert stored.carries(FIRST)
    sim.quiesce()
    assert owner(sim).uid == vm.uid


def _why(request: Request) -> str:
    assert isinstance(request.verdict, Denied)
    return request.verdict.message
