"""The work queue and the periodic tasks, on a loop whose clock moves only when a test moves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from crds.mac import MacAddress
from crds.store import StoreUnavailable
from kube.tests.steered import SteeredLoop
from kube.workqueue import _AT_ONCE, IDLE_S, IDLE_WITHIN_S, PeriodicTasks, WorkQueue

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

MAC, OTHER = (MacAddress.parse(f"02:00:00:00:00:2{last}") for last in "ab")


@dataclass
class Scene:
    """A queue that runs, and a reconciler that ends when the test says so."""

    loop: SteeredLoop = field(default_factory=SteeredLoop)
    queue: WorkQueue[MacAddress] = field(default_factory=WorkQueue)
    begun: list[MacAddress] = field(default_factory=list)
    under_way: dict[MacAddress, asyncio.Future[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.running = self.loop.create_task(self.queue.run(self._settle))

    async def _settle(self, mac: MacAddress) -> None:
        assert mac not in self.under_way
        self.begun.append(mac)
        self.under_way[mac] = self.loop.create_future()
        try:
            await self.under_way[mac]
        finally:
            del self.under_way[mac]

    def add(self, *macs: MacAddress) -> None:
        for mac in macs:
            self.queue.add(mac)
        self.loop.rest()

    def add_when_idle(self, mac: MacAddress) -> None:
        self.loop.call_soon(self.queue.add_when_idle, mac)
        self.loop.rest()

    def finish(self, mac: MacAddress, error: Exception | None = None) -> None:
        if error:
            self.under_way[mac].set_exception(error)
        else:
            self.under_way[mac].set_result(None)
        self.loop.rest()

    def pass_time(self, by_s: float) -> None:
        self.loop.now_s += by_s
        self.loop.strike()
        self.loop.rest()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.loop.end()


def test_an_address_that_can_wait_waits_until_the_queue_is_idle(scene: Scene) -> None:
    scene.add_when_idle(MAC)
    scene.pass_time(IDLE_S * 0.9)
    scene.add_when_idle(OTHER)
    scene.pass_time(IDLE_S * 0.9)
    assert scene.begun == []

    scene.pass_time(IDLE_S * 0.1)

    assert scene.begun == [MAC, OTHER]


def test_a_queue_that_is_never_idle_delays_an_address_by_about_a_second(scene: Scene) -> None:
    often_s = IDLE_S / 2
    for _ in range(2):
        scene.begun.clear()
        for _ in range(round(IDLE_WITHIN_S / often_s)):
            assert scene.begun == []
            scene.add_when_idle(MAC)
            scene.pass_time(often_s)

        assert scene.begun == [MAC]
        scene.finish(MAC)


def test_what_is_urgent_waits_for_nothing_and_hurries_nobody_else(scene: Scene) -> None:
    scene.add_when_idle(OTHER)

    scene.add(MAC)
    assert scene.begun == [MAC]

    scene.pass_time(IDLE_S)
    assert scene.begun == [MAC, OTHER]


def test_what_waits_while_it_is_settled_is_settled_once_more(scene: Scene) -> None:
    scene.add(MAC)
    scene.add_when_idle(MAC)
    scene.pass_time(IDLE_S)

    scene.finish(MAC)

    assert scene.begun == [MAC, MAC]


def test_what_waits_and_becomes_urgent_is_looked_at_once(scene: Scene) -> None:
    scene.add_when_idle(MAC)
    scene.add(MAC)
    scene.finish(MAC)

    scene.pass_time(IDLE_S)

    assert scene.begun == [MAC]


def test_added_addresses_are_reconciled_in_their_order_and_at_the_same_time(scene: Scene) -> None:
    scene.add(OTHER, MAC)

    assert scene.begun == [OTHER, MAC]
    assert set(scene.under_way) == {OTHER, MAC}


def test_an_address_added_twice_is_reconciled_once(scene: Scene) -> None:
    scene.add(MAC, MAC)

    scene.finish(MAC)

    assert scene.begun == [MAC]


def test_an_address_added_while_it_is_reconciled_is_reconciled_once_more(scene: Scene) -> None:
    scene.add(MAC)
    scene.add(MAC, MAC)
    assert scene.begun == [MAC]

    scene.finish(MAC)

    assert scene.begun == [MAC, MAC]
    scene.finish(MAC)
    assert scene.begun == [MAC, MAC]


def test_another_address_does_not_wait_for_a_slow_one(scene: Scene) -> None:
    scene.add(MAC)

    scene.add(OTHER)

    assert set(scene.under_way) == {MAC, OTHER}


def test_what_could_not_be_settled_is_tried_again_ever_more_slowly(scene: Scene) -> None:
    scene.add(MAC)

    for wait_s in (1, 2, 4, 8, 16, 30, 30):
        scene.finish(MAC, StoreUnavailable("away"))
        scene.pass_time(wait_s - 0.1)
        assert not scene.under_way
        scene.pass_time(0.1)
        assert set(scene.under_way) == {MAC}


def test_a_success_makes_the_next_failure_the_first(scene: Scene) -> None:
    scene.add(MAC)
    scene.finish(MAC, StoreUnavailable("away"))
    scene.pass_time(1)
    scene.finish(MAC)
    scene.add(MAC)

    scene.finish(MAC, StoreUnavailable("away again"))

    scene.pass_time(1)
    assert set(scene.under_way) == {MAC}


def test_a_failed_address_that_is_added_is_tried_at_once(scene: Scene) -> None:
    scene.add(MAC)
    scene.finish(MAC, StoreUnavailable("away"))

    scene.add(MAC)

    assert set(scene.under_way) == {MAC}


def test_a_later_look_is_taken_when_its_time_has_come(scene: Scene) -> None:
    scene.loop.call_soon(scene.queue.add_after, MAC, 60.0)
    scene.loop.rest()
    scene.pass_time(59.9)
    assert not scene.begun

    scene.pass_time(0.1)

    assert scene.begun == [MAC]


def test_a_look_forgets_when_the_next_was_due(scene: Scene) -> None:
    scene.loop.call_soon(scene.queue.add_after, MAC, 60.0)
    scene.loop.rest()
    scene.add(MAC)
    scene.finish(MAC)

    scene.pass_time(60)

    assert scene.begun == [MAC]


def test_no_more_than_so_many_are_settled_at_once(scene: Scene) -> None:
    macs = [MacAddress(n + 1) for n in range(_AT_ONCE + 1)]
    scene.add(*macs)
    assert len(scene.under_way) == _AT_ONCE

    scene.finish(macs[0])

    assert macs[-1] in scene.under_way


def test_of_several_later_looks_the_first_is_taken(scene: Scene) -> None:
    def look() -> None:
        for in_s in (60.0, 30.0, 90.0):
            scene.queue.add_after(MAC, in_s)

    scene.loop.call_soon(look)
    scene.loop.rest()

    scene.pass_time(30)
    scene.finish(MAC)
    scene.pass_time(60)

    assert scene.begun == [MAC]


def test_who_waits_is_asked_again_after_every_address(scene: Scene) -> None:
    waiting = scene.loop.create_task(scene.queue.wait_until(lambda: len(scene.begun) == 2))
    scene.add(MAC)
    scene.finish(MAC)
    assert not waiting.done()

    scene.add(OTHER)
    scene.finish(OTHER)

    assert waiting.done()


def test_an_error_that_nobody_foresaw_keeps_no_other_address_waiting(scene: Scene) -> None:
    scene.add(MAC, OTHER)

    scene.finish(MAC, ZeroDivisionError())
    scene.finish(OTHER)

    assert not scene.running.done()
    assert not scene.under_way


class Kept:
    """A subject that is kept, every 10 minutes at least; each look ends as `error` says."""

    def __init__(self, loop: SteeredLoop) -> None:
        self.looks = 0
        self.error: Exception | None = None
        self.due_s: float | None = None
        self.tasks = PeriodicTasks()
        loop.create_task(self.tasks.run_every("pool", self._look, 600.0))
        loop.rest()

    async def _look(self) -> float | None:
        self.looks += 1
        if self.error:
            raise self.error
        return self.due_s


def test_a_kept_subject_is_looked_at_now_and_every_so_often(scene: Scene) -> None:
    kept = Kept(scene.loop)
    assert kept.looks == 1

    scene.pass_time(599)
    assert kept.looks == 1
    scene.pass_time(1)

    assert kept.looks == 2


def test_a_task_that_is_asked_for_runs_at_once(scene: Scene) -> None:
    kept = Kept(scene.loop)

    kept.tasks.run_soon("pool")
    kept.tasks.run_soon("pool")
    scene.loop.rest()

    assert kept.looks == 2


@pytest.mark.parametrize(("due_s", "next_s"), [(2.5, 2.5), (601.0, 600.0)])
def test_a_look_says_when_the_next_is_due_and_it_comes_no_later(
    scene: Scene, due_s: float, next_s: float
) -> None:
    kept = Kept(scene.loop)
    kept.due_s = due_s
    kept.tasks.run_soon("pool")
    scene.loop.rest()

    scene.pass_time(next_s - 0.1)
    assert kept.looks == 2
    scene.pass_time(0.1)

    assert kept.looks == 3


def test_a_subject_that_failed_is_tried_again_ever_more_slowly(scene: Scene) -> None:
    kept = Kept(scene.loop)
    kept.error = StoreUnavailable("away")
    kept.tasks.run_soon("pool")
    scene.loop.rest()

    for wait_s in (1, 2, 4, 8, 16, 30, 30):
        looks = kept.looks
        scene.pass_time(wait_s - 0.1)
        assert kept.looks == looks
        scene.pass_time(0.1)
        assert kept.looks == looks + 1
