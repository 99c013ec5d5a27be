"""A Follower that runs during a test, and what a scripted API server sends to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from kube.watch import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.client import Api
    from kube.resource import Resource
    from kube.watch import View

T = TypeVar("T")

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
EXPIRED = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "message": "too old resource version"},
}


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
