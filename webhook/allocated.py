"""The addresses that are known to be allocated: a hint that saves calls, not a proof.

A create of an allocated address costs one call (HTTP 409). Only the verdict "the pool is exhausted"
needs a list.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from crds.allocation import QUIET_S
from kube.singleflight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from crds.allocation import Stored
    from crds.mac import MacAddress
    from crds.pool import Pool
    from crds.resources import NameAndVersion

# The resolution of the times that are kept for Q.
_COARSE_S = 1.0
# How many addresses are checked, at up to 1 us each, before other tasks may use the loop.
STEP = 1000


class AllocatedView(Protocol):
    """The part of AllocatedNames that the claims need."""

    @property
    def known(self) -> Addresses:
        """Return the allocated addresses that the watch has shown so far."""

    async def list_again(self) -> Addresses:
        """Return the allocated addresses by a list that is made after the call."""

    def is_unchanged(self, stored: Stored) -> bool:
        """Return True if this process knows that it has been unchanged for Q."""


class Addresses(set["MacAddress"]):
    """A set of addresses that knows how many of them are in a pool: counted once, then updated."""

    def __init__(self, macs: Iterable[MacAddress] = ()) -> None:
        super().__init__(macs)
        self._counting: asyncio.Task[None] | None = None
        self._pool: Pool | None = None
        self._inside = 0

    def put(self, mac: MacAddress) -> None:
        """Add an address."""
        if mac not in self:
            self.add(mac)
            self._inside += self._pool is not None and mac in self._pool

    def drop(self, mac: MacAddress) -> None:
        """Remove an address."""
        if mac in self:
            self.remove(mac)
            self._inside -= self._pool is not None and mac in self._pool

    def inside(self, pool: Pool) -> int | None:
        """Return how many are in `pool`; None while a count runs, which this call starts."""
        if self._pool == pool and not self._counting:
            return self._inside
        if len(self) <= STEP and not self._counting:
            self._pool, self._inside = pool, sum(mac in pool for mac in self)
            return self._inside
        self._counting = self._counting or asyncio.create_task(self._count(pool))
        return None

    async def fill(self, pool: Pool) -> bool:
        """Return True if they include each address of `pool`."""
        if len(self) < pool.size:
            return False
        while self._counting or self._pool != pool:
            self._counting = self._counting or asyncio.create_task(self._count(pool))
            await asyncio.shield(self._counting)
        return self._inside >= pool.size

    async def _count(self, pool: Pool) -> None:
        now = tuple(self)
        self._pool, self._inside = pool, 0  # put and drop keep it right during the count
        for at in range(0, len(now), STEP):
            self._inside += sum(mac in pool for mac in now[at : at + STEP])
            await asyncio.sleep(0)
        self._counting = None


class AllocatedNames:
    """The names and versions of all allocations (a View for the Follower): 0.28 kB each."""

    def __init__(
        self,
        relist: Callable[[], Awaitable[list[NameAndVersion]]],
        clock: Callable[[], float],
        quiet_s: float = QUIET_S,
    ) -> None:
        self.known = Addresses()
        self._versions: dict[MacAddress, int] = {}
        # The newest version that was known at each time (s), for Q, in steps of _COARSE_S.
        self._newest: deque[tuple[float, int]] = deque()
        self._relist = relist
        self._clock = clock
        self._quiet_s = quiet_s
        self._listed: SingleFlight[None, Addresses] = SingleFlight(self._list)

    def reset(self, everything: list[NameAndVersion]) -> None:
        """See View.reset. Q starts again for each address: changes before the list are unknown."""
        self.known = Addresses(item.mac for item in everything)
        self._versions = {item.mac: item.version for item in everything}
        self._newest.clear()
        self._note(max(self._versions.values(), default=0))

    def put(self, item: NameAndVersion) -> None:
        """See View.put."""
        self.known.put(item.mac)
        self._versions[item.mac] = item.version
        self._note(item.version)

    def drop(self, item: NameAndVersion) -> None:
        """See View.drop."""
        self.known.drop(item.mac)
        self._versions.pop(item.mac, None)

    def is_unchanged(self, stored: Stored) -> bool:
        """Return True if Q has passed since this process first saw this version of it.

        Versions of one API server can be compared (KEP-5504), so one list of times is enough.
        """
        known = self._versions.get(stored.mac)
        if known is None or str(known) != stored.version:
            return False
        before_s = self._clock() - self._quiet_s
        self._forget(before_s)
        at_s, newest = self._newest[0]
        return at_s <= before_s and known <= newest

    async def list_again(self) -> Addresses:
        """List now. Callers that arrive during a list share the next one."""
        return await self._listed(None)

    async def _list(self, _: None) -> Addresses:
        return Addresses(item.mac for item in await self._relist())

    def _note(self, version: int) -> None:
        now_s = self._clock()
        self._forget(now_s - self._quiet_s)
        if self._newest and now_s < self._newest[-1][0]:
            at_s, before = self._newest.pop()
            self._newest.append((at_s, max(version, before)))
        else:  # count from the end of its second, so that the wait is never shorter than Q
            self._newest.append((now_s + _COARSE_S, version))

    def _forget(self, before_s: float) -> None:
        while len(self._newest) > 1 and self._newest[1][0] <= before_s:
            self._newest.popleft()
