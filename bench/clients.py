"""Clients of the API server that share work, and what they are told by a watch meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from kube.watch import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from kube.client import Api
    from kube.resource import Resource
    from kube.watch import View

T = TypeVar("T")


async def by_clients(clients: int, work: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Do all of `work`, so many at a time: whoever is free takes the next."""
    left = iter(work)

    async def client() -> None:
        for one in left:
            await do(one)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


@asynccontextmanager
async def followed(api: Api, resource: Resource[T], view: View[T]) -> AsyncIterator[None]:
    """Keep `view` up to date in the context; begin when it is."""
    follower = Follower(api, resource, view)
    following = asyncio.create_task(follower.run())
    try:
        await follower.synced.wait()
        yield
    finally:
        following.cancel()
