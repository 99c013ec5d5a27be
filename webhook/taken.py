"""Which addresses are known as taken: a hint that saves calls, never a proof.

A create of a taken address costs a 409 and no more; only "the pool is exhausted" needs the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from crds.joined import Joined

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from crds.mac import MacAddress


class TakenView(Protocol):
    """What the claims need to know of it."""

    @property
    def known(self) -> Collection[MacAddress]:
        """Taken, as far as the watch has come."""

    async def fresh(self) -> Collection[MacAddress]:
        """Taken, by a list made after the call."""


class Taken:
    """The names of all allocations (a View for the Follower): about 0.1 kB each."""

    def __init__(self, relist: Callable[[], Awaitable[list[MacAddress]]]) -> None:
        self.known: set[MacAddress] = set()
        self._listed: Joined[None, list[MacAddress]] = Joined(lambda _: relist())

    def reset(self, everything: list[MacAddress]) -> None:
        """See View.reset."""
        self.known = set(everything)

    def put(self, item: MacAddress) -> None:
        """See View.put."""
        self.known.add(item)

    def drop(self, item: MacAddress) -> None:
        """See View.drop."""
        self.known.discard(item)

    async def fresh(self) -> set[MacAddress]:
        """List now; who comes while a list is under way shares the next one, not that one."""
        return set(await self._listed(None))
