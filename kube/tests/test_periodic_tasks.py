"""Periodic tasks, on a loop whose clock moves only when a test moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kube.errors import CallFailed
from kube.tests.steered import SteeredLoop
from kube.workqueue import PeriodicTasks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop() -> Iterator[SteeredLoop]:
    loop = SteeredLoop()
    yield loop
    loop.end()


class Task:
    """A periodic task, every 10 minutes; it counts its runs, and fails with `error`."""

    def __init__(self, loop: SteeredLoop) -> None:
        self.runs = 0
        self.error: Exception | None = None
        self.due_s: float | None = None
        self.tasks = PeriodicTasks()
        self.running = loop.create_task(self.tasks.run_every("pool", self._run, 600.0))
        loop.rest()

    async def _run(self) -> float | None:
        self.runs += 1
        if self.error:
            raise self.error
        return self.due_s


def test_a_task_runs_at_once_and_then_every_ten_minutes(loop: SteeredLoop) -> None:
    task = Task(loop)
    assert task.runs == 1

    loop.pass_time(599)
    assert task.runs == 1
    loop.pass_time(1)

    assert task.runs == 2


def test_a_task_that_is_asked_for_runs_at_once(loop: SteeredLoop) -> None:
    task = Task(loop)

    task.tasks.run_soon("pool")
    task.tasks.run_soon("pool")
    loop.rest()

    assert task.runs == 2


@pytest.mark.parametrize(("due_s", "next_s"), [(2.5, 2.5), (601.0, 600.0)])
def test_a_run_says_when_the_next_is_due_and_it_comes_no_later(
    loop: SteeredLoop, due_s: float, next_s: float
) -> None:
    task = Task(loop)
    task.due_s = due_s
    task.tasks.run_soon("pool")
    loop.rest()

    loop.pass_time(next_s - 0.1)
    assert task.runs == 2
    loop.pass_time(0.1)

    assert task.runs == 3


def test_a_failed_task_is_retried_with_a_growing_delay(loop: SteeredLoop) -> None:
    task = Task(loop)
    task.error = CallFailed("away")
    task.tasks.run_soon("pool")
    loop.rest()

    for wait_s in (1, 2, 4, 8, 16, 30, 30):
        runs = task.runs
        loop.pass_time(wait_s - 0.1)
        assert task.runs == runs
        loop.pass_time(0.1)
        assert task.runs == runs + 1


def test_a_task_that_is_asked_for_and_cancelled_at_once_ends(loop: SteeredLoop) -> None:
    task = Task(loop)

    task.tasks.run_soon("pool")
    task.running.cancel()
    loop.rest()

    assert task.running.cancelled()
