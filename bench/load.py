"""Concurrent clients: they send requests, and take the time of each answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bench.objects import PODS_PATH, pod
from crds.carriers import Carrier
from crds.mac import MacAddress
from kube.client import Api
from kube.errors import ApiError, Unreachable
from kube.resource import Resource
from kube.watch import Follower, View
from testbed.progress import Progress

T = TypeVar("T")


class Refused(Exception):
    """The API server refused a request that must succeed."""


@dataclass(slots=True)
class Answers:
    """Answers to some requests: a latency for each, also for a refusal."""

    latencies_ms: list[float] = field(default_factory=list)
    objects: list[bytes] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def read(self, resource: Resource[Carrier]) -> list[Carrier]:
        """Read the objects of the answers."""
        return [resource.read(raw) for raw in self.objects]

    def macs(self, resource: Resource[Carrier]) -> set[MacAddress]:
        """Return the addresses that the objects carry."""
        return {
            attachment.mac for carrier in self.read(resource) for attachment in carrier.attachments
        }

    def none_refused(self) -> "Answers":
        """Return itself, or raise Refused."""
        if self.refusals:
            raise Refused(f"{len(self.refusals)} requests refused: {self.refusals[0]}")
        return self


async def send(
    clients: int,
    requests: Sequence[Callable[[], Awaitable[bytes]]],
    progress: Progress | None = None,
) -> Answers:
    """Send all requests, as fast as these clients can."""
    answers = Answers()

    async def send_one(request: Callable[[], Awaitable[bytes]]) -> None:
        began_s = time.perf_counter()
        try:
            answers.objects.append(await request())
        except (ApiError, Unreachable) as refusal:
            answers.refusals.append(str(refusal))
        answers.latencies_ms.append((time.perf_counter() - began_s) * 1000)
        if progress:
            progress.tick(f"{len(answers.latencies_ms)} of {len(requests)}")

    await by_clients(clients, requests, send_one)
    return answers


async def create_pods(api: Api, namespace: str, count: int, clients: int = 1) -> Answers:
    """Create pods with one interface."""
    request = partial(api.post, PODS_PATH.format(namespace), pod())
    progress = Progress(f"Creating {count} pods") if clients > 1 else None
    return await send(clients, [request] * count, progress)


async def by_clients(clients: int, work: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Do all of `work`; each client takes the next item when it is free."""
    left = iter(work)

    async def client() -> None:
        for item in left:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


@asynccontextmanager
async def followed(api: Api, resource: Resource[T], view: View[T]) -> AsyncIterator[None]:
    """Keep `view` up to date inside the context. It is complete at the start."""
    follower = Follower(api, resource, view)
    following = asyncio.create_task(follower.run())
    try:
        await follower.synced.wait()
        yield
    finally:
        following.cancel()
