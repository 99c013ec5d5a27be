"""Which addresses are known as taken: a hint that saves calls, never a proof.

A create of a taken address costs a 409 and no more; only "the pool is exhausted" needs the truth.
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

# At most so many times (1/s) are remembered for Q.
_COARSE_S = 1.0
# How many addresses are looked at, at up to 1 us each, before others may use the loop.
STEP = 1000


class AllocatedView(Protocol):
    """What the claims need to know of it."""

    @property
    def known(self) -> Addresses:
        """Taken, as far as the watch has come."""

    async def list_again(self) -> Addresses:
        """Taken, by a list made after the call."""

    def is_unchanged(self, stored: Stored) -> bool:
        """Whether it has not changed for Q, as far as is known here."""


class Addresses(set["MacAddress"]):
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

    def inside(self, pool: Pool) -> int | None:
        """How many lie in `pool`; None while they are being counted, which begins with this."""
        if self._pool == pool and not self._counting:
            return self._inside
        if len(self) <= STEP and not self._counting:
            self._pool, self._inside = pool, sum(mac in pool for mac in self)
            return self._inside
        self._counting = self._counting or asyncio.create_task(self._count(pool))
        return None

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


class AllocatedNames:
    """The names and versions of all allocations (a View for the Follower): about 0.26 kB each."""

    def __init__(
        self,
        relist: Callable[[], Awaitable[list[NameAndVersion]]],
        clock: Callable[[], float],
        quiet_s: float = QUIET_S,
    ) -> None:
        self.known = Addresses()
        self._versions: dict[MacAddress, int] = {}
        # The newest version that was known at each time (s), no older than is needed; coarse.
        self._newest: deque[tuple[float, int]] = deque()
        self._relist = relist
        self._clock = clock
        self._quiet_s = quiet_s
        self._listed: SingleFlight[None, Addresses] = SingleFlight(self._list)

    def reset(self, everything: list[NameAndVersion]) -> None:
        """See View.reset; quiet starts anew, for what went between is unknown."""
        self.known = Addresses(one.mac for one in everything)
        self._versions = {one.mac: one.version for one in everything}
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
        """Whether it has not changed for Q since this state of it was first seen here.

        Versions of one API server can be compared (KEP-5504), so one list of times serves all.
        """
        known = self._versions.get(stored.mac)
        if known is None or str(known) != stored.version:
            return False
        before_s = self._clock() - self._quiet_s
        self._forget(before_s)
        at_s, newest = self._newest[0]
        return at_s <= before_s and known <= newest

    async def list_again(self) -> Addresses:
        """List now; who comes while a list is under way shares the next one, not that one."""
        return await self._listed(None)

    async def _list(self, _: None) -> Addresses:
        return Addresses(one.mac for one in await self._relist())

    def _note(self, version: int) -> None:
        now_s = self._clock()
        self._forget(now_s - self._quiet_s)
        if self._newest and now_s < self._newest[-1][0]:
            at_s, before = self._newest.pop()
            self._newest.append((at_s, max(version, before)))
        else:  # taken for as late as the last of its second, so that quiet is never too short
            self._newest.append((now_s + _COARSE_S, version))

    def _forget(self, before_s: float) -> None:
        while len(self._newest) > 1 and self._newest[1][0] <= before_s:
            self._newest.popleft()
