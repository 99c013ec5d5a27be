"""Fills the stock in the background, and hands out addresses from memory.

Law: each address that is handed out is named by a MacAllocation that exists already (state Stock),
and the request waits for no call. Any other address is created inside the request.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from crds import lifecycle
from crds.kubevirt import IN_POD_BRIDGE
from crds.store import AlreadyAllocated, Changed, StoreUnavailable
from webhook.allocated import STEP
from webhook.claims import DEADLINE_S, Claims, Grant

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from crds.allocation import Allocation, Stored
    from crds.mac import MacAddress
    from crds.pool import Pool
    from crds.pools import Pools
    from webhook.admission import Want
    from webhook.allocated import AllocatedView
    from webhook.claims import AllocationWriter
    from webhook.stock.demand import Demand
    from webhook.stock.entries import StockEntries

_log = logging.getLogger(__name__)

# The most that a replica keeps in stock: the addresses for a burst of 512 interfaces.
MOST = 512
# Concurrent creates when the stock is empty; the fuller it is, the fewer, down to one.
_CALLS = 4
# The interval of checks without a request, and the pause after an error.
_TICK_S = 1.0
# It is refilled after this time without a request, or when half of it is gone: a refill must not
# slow down a burst that the stock can serve.
_IDLE_S = 0.2
# How long a stop waits for creates, and then for deletes. Both fit into its 10 s of draining.
_ENDING_S, _CLOSING_S = 2.0, 5.0


@dataclass(slots=True)
class Stock:
    """Keeps the stock filled; `pools` returns the pools that are in force now.

    `clock` is in seconds and never goes back; `most` is the largest number to keep, 0 for none.
    """

    allocations: AllocationWriter
    allocated: AllocatedView
    entries: StockEntries
    demand: Demand
    pools: Callable[[], Pools]
    draw: Callable[[int], int]  # returns a random number 0 <= n < its argument
    clock: Callable[[], float]
    most: int = MOST
    _creating: set[asyncio.Task[None]] = field(default_factory=set)
    _due: asyncio.Event = field(default_factory=asyncio.Event)
    _asked_s: float = 0.0
    _not_before_s: float = 0.0
    _idle: asyncio.TimerHandle | None = None

    def hand_out(self, count: int, pool: Pool) -> tuple[MacAddress, ...]:
        """Return `count` addresses, each only once; none if there are fewer."""
        self._asked_s = self.clock()
        self.demand.note(count, self._asked_s)
        self._due.set()
        return self.entries.pop(count, pool)

    async def run(self) -> None:
        """Keep it filled until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._check_regularly())
            while True:
                await self._due.wait()
                self._due.clear()
                if not self._can_wait():
                    self.fill(tasks.create_task)
                elif self._idle is None:
                    loop = asyncio.get_running_loop()
                    self._idle = loop.call_later(_IDLE_S, self._end_idling)

    def fill(self, start: Callable[[Coroutine[None, None, None]], asyncio.Task[None]]) -> None:
        """Start the creates that are needed now."""
        for _ in range(self._places()):
            allocation = self.begin()
            if allocation is None:
                self._not_before_s = self.clock() + _TICK_S
                return
            task = start(self.create(allocation))
            self._creating.add(task)
            task.add_done_callback(self._created)

    async def close(self) -> None:
        """Stop creating, and delete the entries that were not handed out."""
        self.most = 0
        if self._creating:
            await asyncio.wait(self._creating, timeout=_ENDING_S)
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self.tidy()
        except TimeoutError:
            _log.info("no time left to delete the stock: the controller releases it")

    def begin(self) -> Allocation | None:
        """Choose one more address, and note the time; None if no address is found."""
        pool = self.pools().default
        if pool is None or not pool.size:
            return None
        for mac in islice(pool.walk(self.draw(pool.size)), STEP):
            if mac not in self.allocated.known and mac not in self.entries and mac != IN_POD_BRIDGE:
                self.entries.begin(mac)
                return lifecycle.stock(mac, pool)
        return None

    async def create(self, allocation: Allocation) -> None:
        """Create the allocation that `begin` chose."""
        try:
            self.entries.add(await self.allocations.create(allocation))
        except AlreadyAllocated:
            self.entries.forget(allocation.mac)
        except Exception as error:  # noqa: BLE001 # admission works without a stock
            # The API server may have created it all the same: then the controller releases it.
            self.entries.forget(allocation.mac)
            self._not_before_s = self.clock() + _TICK_S
            _log_failure("the stock is not filled for a moment", error)

    async def tidy(self) -> None:
        """Delete the entries that can no longer be handed out, and those that exceed the demand."""
        surplus = self.entries.surplus(self._ahead(), self.pools().default)
        for at in range(0, len(surplus), _CALLS):
            await asyncio.gather(*map(self._delete, surplus[at : at + _CALLS]))

    async def _delete(self, stored: Stored) -> None:
        try:
            await self.allocations.delete(stored)
        except Changed:
            _log.info("%s was changed by another client, and stays", stored.mac)
        except Exception as error:  # noqa: BLE001 # the controller deletes it
            _log_failure(f"left for the controller to release: {stored.mac}", error)

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self.tidy()
            self._due.set()

    def _created(self, task: asyncio.Task[None]) -> None:
        self._creating.discard(task)
        self._due.set()

    def _end_idling(self) -> None:
        self._idle = None
        self._due.set()

    def _can_wait(self) -> bool:
        is_asked = self.clock() - self._asked_s < _IDLE_S
        return is_asked and 2 * len(self.entries) >= self._ahead()

    def _places(self) -> int:
        """Return how many creates to begin now."""
        ahead, now_s = self._ahead(), self.clock()
        missing = ahead - len(self.entries)
        if missing <= 0 or now_s < self._not_before_s or not self.entries.is_open:
            return 0
        return min(missing, ceil(_CALLS * missing / ahead) - len(self._creating))

    def _ahead(self) -> int:
        pool = self.pools().default
        taken = None if pool is None else self.allocated.known.inside(pool)
        free = 0 if pool is None or taken is None else pool.size - taken
        return self.demand.ahead(self.clock(), self.most, free)


@dataclass(frozen=True, slots=True)
class ClaimFromStock:
    """Hands out addresses in stock; `fallback` claims any others."""

    stock: Stock
    fallback: Claims

    async def take(
        self, wants: Sequence[Want], pools: Pools, request: str, within_s: float = DEADLINE_S
    ) -> Grant:
        """See Claims.take."""
        pool = pools.of(wants[0].owner.namespace) if wants else None
        is_any = pool is not None and all(want.requested is None for want in wants)
        if pool is not None and is_any and (macs := self.stock.hand_out(len(wants), pool)):
            return Grant(macs)
        return await self.fallback.take(wants, pools, request, within_s)


def _log_failure(what: str, error: Exception) -> None:
    """Log an error, with its traceback if it is not an expected one."""
    is_expected = isinstance(error, StoreUnavailable)
    _log.info("%s: %s", what, error if is_expected else repr(error), exc_info=not is_expected)
