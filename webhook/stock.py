"""Addresses created ahead of the request: kept up in the background, handed out from memory.

Law: an address that is handed out is named by a MacAllocation that exists already (state Stock),
and no call stands between the request and its answer. What cannot be had from here is had as ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from crds import lifecycle
from crds.machines import IN_POD_BRIDGE
from crds.store import AlreadyAllocated, Changed, StoreUnavailable
from webhook.claims import DEADLINE_S, Claims, Grant
from webhook.taken import STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from crds.allocation import Allocation, Stored
    from crds.mac import MacAddress
    from crds.pool import Pool
    from webhook.admission import Want
    from webhook.claims import Locks
    from webhook.demand import Demand
    from webhook.shelf import Shelf
    from webhook.taken import TakenView

_log = logging.getLogger(__name__)

# What a replica keeps ahead at most: the addresses of a burst of 512 interfaces.
MOST = 512
# So many creates at once when all is missing; the fuller, the fewer, down to one.
_CALLS = 4
# How often it is looked after though nobody asks, and how long after something went wrong.
_TICK_S = 1.0
# It is refilled when nobody has asked for so long, or when half of it is gone: a burst that the
# stock can serve is not to be slowed down by the refill.
_LULL_S = 0.2
# For what a clean stop waits for, and then deletes: both fit into the 10 s of serving on.
_ENDING_S, _CLOSING_S = 2.0, 5.0


@dataclass(slots=True)
class Stock:
    """Keeps the shelf filled; `pool` returns what is in force, or None.

    `clock` is in seconds and never goes back; `most` is how many to keep at most, 0 for none.
    """

    allocations: Locks
    taken: TakenView
    shelf: Shelf
    demand: Demand
    pool: Callable[[], Pool | None]
    draw: Callable[[int], int]  # a number 0 <= n < its argument, by chance
    clock: Callable[[], float]
    most: int = MOST
    _creating: set[asyncio.Task[None]] = field(default_factory=set)
    _due: asyncio.Event = field(default_factory=asyncio.Event)
    _asked_s: float = 0.0
    _not_before_s: float = 0.0
    _lull: asyncio.TimerHandle | None = None

    def hand_out(self, count: int, pool: Pool) -> tuple[MacAddress, ...]:
        """Return `count` addresses, never to be returned again, or none: there are fewer."""
        self._asked_s = self.clock()
        self.demand.note(count, self._asked_s)
        self._due.set()
        return self.shelf.pop(count, pool)

    async def run(self) -> None:
        """Keep it filled until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_after())
            while True:
                await self._due.wait()
                self._due.clear()
                if not self._can_wait():
                    self.fill(tasks.create_task)
                elif self._lull is None:
                    loop = asyncio.get_running_loop()
                    self._lull = loop.call_later(_LULL_S, self._look_again)

    def fill(self, start: Callable[[Coroutine[None, None, None]], asyncio.Task[None]]) -> None:
        """Start as many creates as are wanted now."""
        for _ in range(self._places()):
            allocation = self.begin()
            if allocation is None:
                self._not_before_s = self.clock() + _TICK_S
                return
            task = start(self.create(allocation))
            self._creating.add(task)
            task.add_done_callback(self._created)

    async def close(self) -> None:
        """Create no more, and delete what was given to nobody."""
        self.most = 0
        if self._creating:
            await asyncio.wait(self._creating, timeout=_ENDING_S)
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self.tidy()
        except TimeoutError:
            _log.info("no time was left to delete what was created ahead: the controller does it")

    def begin(self) -> Allocation | None:
        """Choose one more address, and take note of the time; None where none is at hand."""
        pool = self.pool()
        if pool is None or not pool.size:
            return None
        for mac in islice(pool.walk(self.draw(pool.size)), STEP):
            if mac not in self.taken.known and mac not in self.shelf and mac != IN_POD_BRIDGE:
                self.shelf.begin(mac)
                return lifecycle.stock(mac, pool)
        return None

    async def create(self, allocation: Allocation) -> None:
        """Create what was begun."""
        try:
            self.shelf.made(await self.allocations.create(allocation))
        except AlreadyAllocated:
            self.shelf.forget(allocation.mac)
        except Exception as error:  # noqa: BLE001 # admission goes on without a stock
            # It may have been carried out all the same: it is the controller's, then.
            self.shelf.forget(allocation.mac)
            self._not_before_s = self.clock() + _TICK_S
            _complain("nothing is created ahead for a moment", error)

    async def tidy(self) -> None:
        """Delete what cannot be handed out any more, and what is more than demand speaks for."""
        surplus = self.shelf.surplus(self._ahead(), self.pool())
        for at in range(0, len(surplus), _CALLS):
            await asyncio.gather(*map(self._delete, surplus[at : at + _CALLS]))

    async def _delete(self, stored: Stored) -> None:
        try:
            await self.allocations.delete(stored)
        except Changed:
            _log.info("%s was changed by somebody, and stays", stored.mac)
        except Exception as error:  # noqa: BLE001 # likewise
            _complain(f"left for the controller to collect: {stored.mac}", error)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self.tidy()
            self._due.set()

    def _created(self, task: asyncio.Task[None]) -> None:
        self._creating.discard(task)
        self._due.set()

    def _look_again(self) -> None:
        self._lull = None
        self._due.set()

    def _can_wait(self) -> bool:
        is_asked = self.clock() - self._asked_s < _LULL_S
        return is_asked and 2 * len(self.shelf) >= self._ahead()

    def _places(self) -> int:
        """How many creates to begin now."""
        ahead, now_s = self._ahead(), self.clock()
        missing = ahead - len(self.shelf)
        if missing <= 0 or now_s < self._not_before_s or not self.shelf.is_open:
            return 0
        return min(missing, ceil(_CALLS * missing / ahead) - len(self._creating))

    def _ahead(self) -> int:
        pool = self.pool()
        taken = None if pool is None else self.taken.known.inside(pool)
        free = 0 if pool is None or taken is None else pool.size - taken
        return self.demand.ahead(self.clock(), self.most, free)


@dataclass(frozen=True, slots=True)
class Stocked:
    """Hands out what was created ahead; all else is claimed `behind` it."""

    stock: Stock
    behind: Claims

    async def take(
        self, wants: Sequence[Want], pool: Pool, request: str, within_s: float = DEADLINE_S
    ) -> Grant:
        """See Claims.take."""
        if all(want.requested is None for want in wants) and (
            macs := self.stock.hand_out(len(wants), pool)
        ):
            return Grant(macs)
        return await self.behind.take(wants, pool, request, within_s)


def _complain(what: str, error: Exception) -> None:
    """Log what went wrong, with the way there where nobody foresaw it."""
    foreseen = isinstance(error, StoreUnavailable)
    _log.info("%s: %s", what, error if foreseen else repr(error), exc_info=not foreseen)
