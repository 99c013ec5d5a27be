"""Coalesces reads: callers that arrive before a read starts share its result (singleflight).

Law: a caller gets a result that was read *after* its call. So a caller that arrives during a read
waits for the next one, and shares it with all other callers that arrive during that read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

K = TypeVar("K", bound="Hashable")
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs `read` for each key; at most one read of a key at a time."""

    def __init__(self, read: Callable[[K], Awaitable[T]]) -> None:
        self._read = read
        self._next: dict[K, asyncio.Task[T]] = {}
        self._running: dict[K, asyncio.Task[T]] = {}

    async def __call__(self, key: K) -> T:
        """Return the result of a read that starts after this call; raises as the read does."""
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._begin(key, self._running.get(key)))
        # A caller that is cancelled does not end the read for the others.
        return await asyncio.shield(task)

    async def _begin(self, key: K, before: asyncio.Task[T] | None) -> T:
        if before is None:
            await asyncio.sleep(0)  # callers of the same turn of the loop join
        else:
            await asyncio.wait({before})
        current = self._running[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._running.get(key) is current:
                del self._running[key]
