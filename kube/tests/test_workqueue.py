"""The work queue, on a loop whose clock moves only when a test moves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from kube.errors import CallFailed
from kube.tests.steered import SteeredLoop
from kube.workqueue import _AT_ONCE, IDLE_S, IDLE_WITHIN_S, WorkQueue

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

KEY, OTHER = "key", "other"


@dataclass
class Scene:
    """A queue that runs, and a reconciler that ends when the test says so."""

    loop: SteeredLoop = field(default_factory=SteeredLoop)
    queue: WorkQueue[str] = field(default_factory=WorkQueue)
    begun: list[str] = field(default_factory=list)
    under_way: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.running = self.loop.create_task(self.queue.run(self._reconcile))

    async def _reconcile(self, key: str) -> None:
        assert key not in self.under_way
        self.begun.append(key)
        self.under_way[key] = self.loop.create_future()
        try:
            await self.under_way[key]
        finally:
            del self.under_way[key]

    def add(self, *keys: str) -> None:
        for key in keys:
            self.queue.add(key)
        self.loop.rest()

    def add_when_idle(self, key: str) -> None:
        self.loop.call_soon(self.queue.add_when_idle, key)
        self.loop.rest()

    def add_after(self, *in_s: float) -> None:
        for wait_s in in_s:
            self.loop.call_soon(self.queue.add_after, KEY, wait_s)
        self.loop.rest()

    def finish(self, key: str, error: Exception | None = None) -> None:
        if error:
            self.under_way[key].set_exception(error)
        else:
            self.under_way[key].set_result(None)
        self.loop.rest()

    def pass_time(self, by_s: float) -> None:
        self.loop.pass_time(by_s)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.loop.end()


def test_a_key_that_can_wait_waits_until_the_queue_is_idle(scene: Scene) -> None:
    scene.add_when_idle(KEY)
    scene.pass_time(IDLE_S * 0.9)
    scene.add_when_idle(OTHER)
    scene.pass_time(IDLE_S * 0.9)
    assert scene.begun == []

    scene.pass_time(IDLE_S * 0.1)

    assert scene.begun == [KEY, OTHER]


def test_a_queue_that_is_never_idle_delays_a_key_by_about_a_second(scene: Scene) -> None:
    often_s = IDLE_S / 2
    for _ in range(2):
        scene.begun.clear()
        for _ in range(round(IDLE_WITHIN_S / often_s)):
            assert scene.begun == []
            scene.add_when_idle(KEY)
            scene.pass_time(often_s)

        assert scene.begun == [KEY]
        scene.finish(KEY)


def test_an_urgent_key_is_reconciled_at_once_and_others_still_wait(scene: Scene) -> None:
    scene.add_when_idle(OTHER)

    scene.add(KEY)
    assert scene.begun == [KEY]

    scene.pass_time(IDLE_S)
    assert scene.begun == [KEY, OTHER]


def test_a_key_that_waits_while_it_is_reconciled_is_reconciled_once_more(scene: Scene) -> None:
    scene.add(KEY)
    scene.add_when_idle(KEY)
    scene.pass_time(IDLE_S)

    scene.finish(KEY)

    assert scene.begun == [KEY, KEY]


def test_a_waiting_key_that_becomes_urgent_is_reconciled_once(scene: Scene) -> None:
    scene.add_when_idle(KEY)
    scene.add(KEY)
    scene.finish(KEY)

    scene.pass_time(IDLE_S)

    assert scene.begun == [KEY]


def test_added_keys_are_reconciled_in_their_order_and_at_the_same_time(scene: Scene) -> None:
    scene.add(OTHER, KEY)

    assert scene.begun == [OTHER, KEY]
    assert set(scene.under_way) == {OTHER, KEY}


def test_a_key_added_twice_is_reconciled_once(scene: Scene) -> None:
    scene.add(KEY, KEY)

    scene.finish(KEY)

    assert scene.begun == [KEY]


def test_a_key_added_while_it_is_reconciled_is_reconciled_once_more(scene: Scene) -> None:
    scene.add(KEY)
    scene.add(KEY, KEY)
    assert scene.begun == [KEY]

    scene.finish(KEY)

    assert scene.begun == [KEY, KEY]
    scene.finish(KEY)
    assert scene.begun == [KEY, KEY]


def test_a_key_that_fails_is_tried_again_after_growing_waits(scene: Scene) -> None:
    scene.add(KEY)

    for wait_s in (1, 2, 4, 8, 16, 30, 30):
        scene.finish(KEY, CallFailed("away"))
        scene.pass_time(wait_s - 0.1)
        assert not scene.under_way
        scene.pass_time(0.1)
        assert set(scene.under_way) == {KEY}


def test_a_success_makes_the_next_failure_the_first(scene: Scene) -> None:
    scene.add(KEY)
    scene.finish(KEY, CallFailed("away"))
    scene.pass_time(1)
    scene.finish(KEY)
    scene.add(KEY)

    scene.finish(KEY, CallFailed("away again"))

    scene.pass_time(1)
    assert set(scene.under_way) == {KEY}


def test_a_failed_key_that_is_added_is_tried_at_once(scene: Scene) -> None:
    scene.add(KEY)
    scene.finish(KEY, CallFailed("away"))

    scene.add(KEY)

    assert set(scene.under_way) == {KEY}


def test_a_key_added_for_later_is_reconciled_at_its_time(scene: Scene) -> None:
    scene.add_after(60.0)
    scene.pass_time(59.9)
    assert not scene.begun

    scene.pass_time(0.1)

    assert scene.begun == [KEY]


def test_a_reconcile_cancels_an_earlier_add_after(scene: Scene) -> None:
    scene.add_after(60.0)
    scene.add(KEY)
    scene.finish(KEY)

    scene.pass_time(60)

    assert scene.begun == [KEY]


def test_no_more_than_so_many_are_reconciled_at_once(scene: Scene) -> None:
    keys = [str(n) for n in range(_AT_ONCE + 1)]
    scene.add(*keys)
    assert len(scene.under_way) == _AT_ONCE

    scene.finish(keys[0])

    assert keys[-1] in scene.under_way


def test_of_several_later_times_the_earliest_counts(scene: Scene) -> None:
    scene.add_after(60.0, 30.0, 90.0)

    scene.pass_time(30)
    scene.finish(KEY)
    scene.pass_time(60)

    assert scene.begun == [KEY]


def test_a_condition_is_checked_after_every_key(scene: Scene) -> None:
    waiting = scene.loop.create_task(scene.queue.wait_until(lambda: len(scene.begun) == 2))
    scene.add(KEY)
    scene.finish(KEY)
    assert not waiting.done()

    scene.add(OTHER)
    scene.finish(OTHER)

    assert waiting.done()


def test_an_unexpected_error_does_not_stop_other_keys(scene: Scene) -> None:
    scene.add(KEY, OTHER)

    scene.finish(KEY, ZeroDivisionError())
    scene.finish(OTHER)

    assert not scene.running.done()
    assert not scene.under_way
