"""What is allocated, as a watch tells it, and which writes have made it so."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.scale.figures import Writes
from crds.allocation import State
from testbed.progress import PERIOD_S, say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from crds.allocation import Stored
    from crds.carriers import Carrier
    from crds.mac import MacAddress


class NeverCame(Exception):
    """What was waited for did not happen."""


class Changing:
    """Something that a watch changes, and that can be waited for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool], what: str, within_s: float) -> None:
        """Return when `holds` does; it is asked after every change. Raises NeverCame."""
        began_s = said_s = time.monotonic()
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    self._changed.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PERIOD_S):
                            await self._changed.wait()
                    if (now_s := time.monotonic()) - said_s >= PERIOD_S:
                        said_s = now_s
                        say(f"waiting until {what}: {now_s - began_s:.0f} s")
        except TimeoutError:
            raise NeverCame(f"not within {within_s:.0f} s: {what}") from None


class Ledger(Changing):
    """The allocations (a View for the Follower).

    `bound_at_s` is when each was first seen Bound, by the monotonic clock.
    """

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[MacAddress, State] = {}
        self.bound_at_s: dict[MacAddress, float] = {}
        self._created: Counter[MacAddress] = Counter()
        self._updated: Counter[MacAddress] = Counter()
        self._deleted: Counter[MacAddress] = Counter()

    def reset(self, everything: list[Stored]) -> None:
        """See View.reset."""
        self.states.clear()
        self.bound_at_s.clear()
        for item in everything:
            self._take(item)

    def put(self, item: Stored) -> None:
        """See View.put."""
        writes = self._updated if item.mac in self.states else self._created
        writes[item.mac] += 1
        self._take(item)

    def drop(self, item: Stored) -> None:
        """See View.drop."""
        self._deleted[item.mac] += 1
        self.states.pop(item.mac, None)
        self.bound_at_s.pop(item.mac, None)
        self._changed.set()

    async def all_bound(self, macs: Collection[MacAddress], within_s: float = 120.0) -> float:
        """Return when each of them is Bound, and when the last was, by the monotonic clock."""
        what = f"{len(macs)} addresses are Bound"
        await self.until(lambda: all(mac in self.bound_at_s for mac in macs), what, within_s)
        return max(self.bound_at_s[mac] for mac in macs)

    async def all_gone(self, macs: Collection[MacAddress], within_s: float) -> None:
        """Return when none of them is allocated."""
        what = f"{len(macs)} allocations are gone"
        await self.until(lambda: not any(mac in self.states for mac in macs), what, within_s)

    def writes(self, macs: Collection[MacAddress]) -> Writes:
        """Count what was written to these since this ledger was begun."""
        created, updated, deleted = (
            sum(writes[mac] for mac in macs)
            for writes in (self._created, self._updated, self._deleted)
        )
        return Writes(len(macs), created, updated, deleted, self._created.total() - created)

    def _take(self, item: Stored) -> None:
        self.states[item.mac] = item.allocation.state
        if item.allocation.state is State.BOUND:
            self.bound_at_s.setdefault(item.mac, time.monotonic())
        self._changed.set()


class Crowd(Changing):
    """The pods (a View for the Follower) of one namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.namespace = namespace
        self.names: set[str] = set()

    def reset(self, everything: list[Carrier]) -> None:
        """See View.reset."""
        self.names.clear()
        for item in everything:
            self.put(item)

    def put(self, item: Carrier) -> None:
        """See View.put."""
        if item.namespace == self.namespace:
            self.names.add(item.name)
            self._changed.set()

    def drop(self, item: Carrier) -> None:
        """See View.drop."""
        if item.namespace == self.namespace:
            self.names.discard(item.name)
            self._changed.set()
