"""Gates between a program and the fake cluster: they hold calls, or make them fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from crds.store import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port, as gates see it: webhook-1 create allocation 02:00:00:00:00:2a."""

    client: str
    verb: str  # create, get, replace, delete, note or list
    port: str  # allocation or object
    what: str = ""  # the address, or Kind namespace/name; empty for list

    def __str__(self) -> str:
        return f"{self.client} {self.verb} {self.port} {self.what}".rstrip()


Gate = Callable[[Call], Awaitable[None]]


async def let_through(_: Call) -> None:
    """Let every call pass: the default of both gates."""


@dataclass(slots=True)
class Hold:
    """A gate that holds the first call that `which` picks until `release`; `arrived`: it waits."""

    which: Callable[[Call], bool]
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _go: asyncio.Event = field(default_factory=asyncio.Event)
    _error: Exception | None = None

    async def __call__(self, call: Call) -> None:
        if self.arrived.is_set() or not self.which(call):
            return
        self.arrived.set()
        await self._go.wait()
        if self._error is not None:
            raise self._error

    def release(self, error: Exception | None = None) -> None:
        """Let the held call continue, or fail with `error`."""
        self._error = error
        self._go.set()


@dataclass(slots=True)
class Fail:
    """A gate that fails the next `times` calls that `which` picks."""

    which: Callable[[Call], bool]
    times: int = 1

    async def __call__(self, call: Call) -> None:
        if self.times and self.which(call):
            self.times -= 1
            raise StoreUnavailable(f"no answer to: {call}")
