"""Which addresses are known as taken: a hint that saves calls, never a proof.

A create of a taken address costs a 409 and no more; only "the pool is exhausted" needs the truth.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from crds.joined import Joined

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from crds.mac import MacAddress
    from crds.pool import Pool

# How many addresses are looked at, at up to 1 us each, before others may use the loop.
STEP = 1000


class TakenView(Protocol):
    """What the claims need to know of it."""

    @property
    def known(self) -> Names:
        """Taken, as far as the watch has come."""

    async def fresh(self) -> Names:
        """Taken, by a list made after the call."""


class Names(set["MacAddress"]):
    """Addresses, and how many of them lie in a pool: counted once, and from then on kept."""

    def __init__(self, macs: Iterable[MacAddress] = ()) -> None:
        super().__init__(macs)
        self._counting: asyncio.Task[None] | None = None
        self._pool: Pool | None = None
        self._inside = 0

    def put(self, mac: MacAddress) -> None:
        """Add one."""
        if mac not in self:
            self.add(mac)
            self._inside += self._pool is not None and mac in self._pool

    def drop(self, mac: MacAddress) -> None:
        """Forget one."""
        if mac in self:
            self.remove(mac)
            self._inside -= self._pool is not None and mac in self._pool

    async def fill(self, pool: Pool) -> bool:
        """Whether every address of `pool` is among them."""
        if len(self) < pool.size:
            return False
        while self._counting or self._pool != pool:
            self._counting = self._counting or asyncio.create_task(self._count(pool))
            await asyncio.shield(self._counting)
        return self._inside >= pool.size

    async def _count(self, pool: Pool) -> None:
        now = tuple(self)
        self._pool, self._inside = pool, 0  # what comes and goes meanwhile counts at once
        for at in range(0, len(now), STEP):
            self._inside += sum(mac in pool for mac in now[at : at + STEP])
            await asyncio.sleep(0)
        self._counting = None


class Taken:
    """The names of all allocations (a View for the Follower): about 0.1 kB each."""

    def __init__(self, relist: Callable[[], Awaitable[list[MacAddress]]]) -> None:
        self.known = Names()
        self._relist = relist
        self._listed: Joined[None, Names] = Joined(self._list)

    def reset(self, everything: list[MacAddress]) -> None:
        """See View.reset."""
        self.known = Names(everything)

    def put(self, item: MacAddress) -> None:
        """See View.put."""
        self.known.put(item)

    def drop(self, item: MacAddress) -> None:
        """See View.drop."""
        self.known.drop(item)

    async def fresh(self) -> Names:
        """List now; who comes while a list is under way shares the next one, not that one."""
        return await self._listed(None)

    async def _list(self, _: None) -> Names:
        return Names(await self._relist())
