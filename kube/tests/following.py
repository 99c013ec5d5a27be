"""A Follower that runs during a test, and what a scripted API server sends to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from crds.resources import ALLOCATIONS
from crds.tests.world import Story
from kube.watch import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crds.allocation import Stored
    from kube.client import Api
    from kube.resource import Resource
    from kube.watch import View

T = TypeVar("T")
Told = list[tuple[str, tuple[str, ...]]]

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
EXPIRED = (
    b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}\n'
)


def allocation(mac: str, version: int) -> dict[str, object]:
    metadata = {"name": mac.replace(":", "-"), "uid": mac, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"mac": mac}}


def event(kind: str, mac: str, version: int) -> bytes:
    return json.dumps({"type": kind, "object": allocation(mac, version)}).encode() + b"\n"


@asynccontextmanager
async def following(api: Api, view: View[T], resource: Resource[T]) -> AsyncIterator[Follower[T]]:
    follower = Follower(api, resource, view)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def told_by(api: Api, calls: int, resource: Resource[Stored] = ALLOCATIONS) -> Told:
    """Return the first `calls` calls of a view; the follower is synced after them."""
    story = Story()
    async with following(api, story, resource) as follower:
        told = await story.until(calls)
        assert follower.synced.is_set()
    return told
