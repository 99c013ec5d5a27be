"""One read for all who ask before it begins.

Law: whoever asks gets what was read *after* the question. So a question that comes while a read is
under way waits for the next one, which all who come meanwhile share.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

K = TypeVar("K", bound="Hashable")
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """`read` by key, at most one read of a key at a time."""

    def __init__(self, read: Callable[[K], Awaitable[T]]) -> None:
        self._read = read
        self._next: dict[K, asyncio.Task[T]] = {}
        self._running: dict[K, asyncio.Task[T]] = {}

    async def __call__(self, key: K) -> T:
        """Return what a read that begins after this call brings; raises what it raises."""
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._begin(key, self._running.get(key)))
        return await asyncio.shield(task)  # one who gives up does not end it for the others

    async def _begin(self, key: K, before: asyncio.Task[T] | None) -> T:
        if before is None:
            await asyncio.sleep(0)  # let those join who are about to ask
        else:
            await asyncio.wait({before})
        current = self._running[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._running.get(key) is current:
                del self._running[key]
