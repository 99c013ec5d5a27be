"""The controller's work queue, and its periodic tasks.

A key that can wait is queued when the queue is idle (a debounce with an upper bound), so that
more urgent callers get the API server's time first.

Law: a key that is added while it is worked on is worked on once more. A key whose work
failed (the API server is away, or our code has a fault) is retried with a growing delay and is
never forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from kube.errors import CallFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

K = TypeVar("K", bound="Hashable")

_log = logging.getLogger(__name__)

# How many keys are worked on at once. Most of them wait for their turn to call the API server,
# or for a list that they share. They must not keep the others from being bound.
_AT_ONCE = 2048
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
# The queue is idle when no key that can wait was added for IDLE_S: pods that are created one
# after the other arrive faster than that. IDLE_WITHIN_S bounds the wait, for people who look.
IDLE_S, IDLE_WITHIN_S = 0.2, 1.0


class WorkQueue(Generic[K]):
    """The keys to work on, each once, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: dict[K, None] = {}  # until the queue is idle
        self._at_latest_s = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._added: dict[K, None] = {}
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._some = asyncio.Event()
        self._worked_on = asyncio.Condition()

    def add(self, key: K) -> None:
        """Work on `key` at once."""
        self._waiting.pop(key, None)
        self._added[key] = None
        self._some.set()

    def add_when_idle(self, key: K) -> None:
        """Work on `key` when the queue is idle, and within IDLE_WITHIN_S."""
        if key in self._added:
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._at_latest_s = loop.time() + IDLE_WITHIN_S
        self._waiting[key] = None
        if self._idle is not None:
            self._idle.cancel()
        due_s = min(loop.time() + IDLE_S, self._at_latest_s)
        self._idle = loop.call_at(due_s, self._add_waiting)

    def add_after(self, key: K, in_s: float) -> None:
        """Work on `key` in `in_s` seconds at the latest; the earliest of several times counts."""
        loop = asyncio.get_running_loop()
        due = self._later.get(key)
        if due is not None and due.when() <= loop.time() + in_s:
            return
        if due is not None:
            due.cancel()
        self._later[key] = loop.call_later(in_s, self._add_due, key)

    async def wait_until(self, done: Callable[[], bool]) -> None:
        """Wait until `done` returns True; it is called after each key was worked on."""
        async with self._worked_on:
            await self._worked_on.wait_for(done)

    async def run(self, reconcile: Callable[[K], Awaitable[None]]) -> None:
        """Reconcile what is added, until cancelled."""
        places = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._some.wait()
                self._some.clear()
                for key in [key for key in self._added if key not in self._busy]:
                    await places.acquire()
                    self._added.pop(key, None)
                    if (due := self._later.pop(key, None)) is not None:
                        due.cancel()  # this call decides when the next one is due
                    self._busy.add(key)
                    tasks.create_task(self._work_on(key, reconcile, places))

    def _add_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            self.add(key)

    def _add_due(self, key: K) -> None:
        del self._later[key]
        self.add(key)

    async def _work_on(
        self,
        key: K,
        reconcile: Callable[[K], Awaitable[None]],
        places: asyncio.Semaphore,
    ) -> None:
        try:
            await reconcile(key)
        except Exception as error:  # noqa: BLE001 # one key must not end the work on all others
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            wait_s = min(_FIRST_RETRY_S * 2 ** min(failures - 1, 9), _LONGEST_RETRY_S)
            _warn(str(key), error, wait_s)
            self.add_after(key, wait_s)
        else:
            self._failures.pop(key, None)
        finally:
            places.release()
            self._busy.discard(key)
            if key in self._added:
                self._some.set()
            async with self._worked_on:
                self._worked_on.notify_all()


class PeriodicTasks:
    """Tasks that run as a whole, such as the pool's: at an interval, and sooner when asked."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Event] = {}

    def run_soon(self, name: str) -> None:
        """Run the task `name` now, or once more if it is running."""
        self._event(name).set()

    async def run_every(
        self, name: str, run: Callable[[], Awaitable[float | None]], interval_s: float
    ) -> None:
        """Call `run` now, at each interval, and when asked; retry failures with a growing delay.

        `run` may return in how many seconds the next call is due: it then comes no later.
        """
        event, retry_s = self._event(name), _FIRST_RETRY_S
        while True:
            event.clear()
            try:
                due_s = await run()
                wait_s = interval_s if due_s is None else min(due_s, interval_s)
                retry_s = _FIRST_RETRY_S
            except Exception as error:  # noqa: BLE001 # one task must not end the others
                wait_s, retry_s = retry_s, min(2 * retry_s, _LONGEST_RETRY_S)
                _warn(name, error, wait_s)
            # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await event.wait()

    def _event(self, name: str) -> asyncio.Event:
        return self._asked.setdefault(name, asyncio.Event())


def _warn(what: str, error: Exception, wait_s: float) -> None:
    """Log the failure; an unexpected one with its traceback."""
    is_expected = isinstance(error, CallFailed)
    _log.warning(
        "%s: %s; trying again in %g s",
        what,
        error if is_expected else repr(error),
        wait_s,
        exc_info=None if is_expected else error,
    )
