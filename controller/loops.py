"""The controller's loop over addresses: marked ones are settled, many at once, each by one task.

What is not urgent waits for a lull (a debounce, with an end): whatever else wants the API server's
time may be.

Law: an address that is marked while it is being settled is settled once more, and one that could
not be settled (the API server away, or a fault of ours) is tried again, ever more slowly, and never
forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from crds.client import ApiError, Unreachable
from crds.store import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crds.mac import MacAddress

_log = logging.getLogger(__name__)

# How many addresses are worked on at once: most of them wait for their turn to call, or for a list
# that they share, and those must not keep the others from being bound.
_AT_ONCE = 2048
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0
# A lull: so long nothing that can wait is marked. Pods that are created one after the other come
# within that. And how long it is waited for, for people who look.
LULL_S, WITHIN_S = 0.2, 1.0


class Marks:
    """The addresses to look at, each once, in the order of their marking."""

    def __init__(self) -> None:
        self._waiting: dict[MacAddress, None] = {}  # for a lull
        self._at_latest_s = 0.0
        self._lull: asyncio.TimerHandle | None = None
        self._marked: dict[MacAddress, None] = {}
        self._busy: set[MacAddress] = set()
        self._failures: dict[MacAddress, int] = {}
        self._later: dict[MacAddress, asyncio.TimerHandle] = {}
        self._some = asyncio.Event()
        self._settled = asyncio.Condition()

    def mark(self, mac: MacAddress) -> None:
        """Look at `mac` at once."""
        self._waiting.pop(mac, None)
        self._marked[mac] = None
        self._some.set()

    def mark_calmly(self, mac: MacAddress) -> None:
        """Look at `mac` when there is a lull, or it has been waited for long enough."""
        if mac in self._marked:
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._at_latest_s = loop.time() + WITHIN_S
        self._waiting[mac] = None
        if self._lull is not None:
            self._lull.cancel()
        due_s = min(loop.time() + LULL_S, self._at_latest_s)
        self._lull = loop.call_at(due_s, self._mark_waiting)

    def mark_later(self, mac: MacAddress, in_s: float) -> None:
        """Look at `mac` in so many seconds at the latest; each look knows when the next is due."""
        loop = asyncio.get_running_loop()
        due = self._later.get(mac)
        if due is not None and due.when() <= loop.time() + in_s:
            return
        if due is not None:
            due.cancel()
        self._later[mac] = loop.call_later(in_s, self._due, mac)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until `done`, asked after every address that was looked at."""
        async with self._settled:
            await self._settled.wait_for(done)

    async def run(self, settle: Callable[[MacAddress], Awaitable[None]]) -> None:
        """Settle what is marked, until cancelled."""
        places = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._some.wait()
                self._some.clear()
                for mac in [mac for mac in self._marked if mac not in self._busy]:
                    await places.acquire()
                    self._marked.pop(mac, None)
                    if (due := self._later.pop(mac, None)) is not None:
                        due.cancel()  # this look says when the next is due
                    self._busy.add(mac)
                    tasks.create_task(self._one(mac, settle, places))

    def _mark_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for mac in waiting:
            self.mark(mac)

    def _due(self, mac: MacAddress) -> None:
        del self._later[mac]
        self.mark(mac)

    async def _one(
        self,
        mac: MacAddress,
        settle: Callable[[MacAddress], Awaitable[None]],
        places: asyncio.Semaphore,
    ) -> None:
        try:
            await settle(mac)
        except Exception as error:  # noqa: BLE001 # one address must not end the work on all others
            failures = self._failures[mac] = self._failures.get(mac, 0) + 1
            wait_s = min(_FIRST_RETRY_S * 2 ** min(failures - 1, 9), _LONGEST_RETRY_S)
            _complain(str(mac), error, wait_s)
            self.mark_later(mac, wait_s)
        else:
            self._failures.pop(mac, None)
        finally:
            places.release()
            self._busy.discard(mac)
            if mac in self._marked:
                self._some.set()
            async with self._settled:
                self._settled.notify_all()


class Subjects:
    """What is kept as a whole, such as the pool: looked at when marked, and every so often."""

    def __init__(self) -> None:
        self._marked: dict[str, asyncio.Event] = {}

    def mark(self, subject: str) -> None:
        """Look at `subject`."""
        self._event(subject).set()

    async def keep(
        self, subject: str, look: Callable[[], Awaitable[float | None]], at_least_every_s: float
    ) -> None:
        """Look at it now, when it is marked, and every so often; failures are tried again.

        A look may say in how many seconds the next is due: it then comes no later.
        """
        event, retry_s = self._event(subject), _FIRST_RETRY_S
        while True:
            event.clear()
            try:
                due_s = await look()
                wait_s = at_least_every_s if due_s is None else min(due_s, at_least_every_s)
                retry_s = _FIRST_RETRY_S
            except Exception as error:  # noqa: BLE001 # nor one subject the others
                wait_s, retry_s = retry_s, min(2 * retry_s, _LONGEST_RETRY_S)
                _complain(subject, error, wait_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), wait_s)

    def _event(self, subject: str) -> asyncio.Event:
        return self._marked.setdefault(subject, asyncio.Event())


def _complain(what: str, error: Exception, wait_s: float) -> None:
    """Log what went wrong, with the way there where nobody foresaw it."""
    foreseen = isinstance(error, (ApiError, Unreachable, StoreUnavailable))
    _log.warning(
        "%s: %s; trying again in %g s",
        what,
        error if foreseen else repr(error),
        wait_s,
        exc_info=None if foreseen else error,
    )
