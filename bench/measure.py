"""Asks the API server and takes the times.

A batch is some requests of one cell, made by that cell's clients as fast as they can. Binding by
the controller goes on meanwhile, as in production, and is waited for before the next batch, outside
of the measured time; so is the creation of the VMs that are to be changed, each once. Nothing is
deleted: the cluster is thrown away afterwards, so no release (60 s after a deletion) falls into the
figures. What a release costs is not measured here.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bench import machines
from bench.cells import ENOUGH_TURNS, Cell, Effort, Lane, Work, turn
from bench.cpu import all_used_s
from bench.pods import pod
from crds.allocation import State, Stored
from crds.client import Api
from crds.resources import ALLOCATIONS
from crds.watch import Follower
from e2e.cluster.progress import say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from bench.bed import Bed
    from crds.mac import MacAddress

    Request = Callable[[], Awaitable[bytes]]

# The controller binds hundreds of pods per second: what takes longer never comes.
_BOUND_WITHIN_S = 60.0
# The API server's own echo of a batch (watch events to its controllers) dies away within this.
_ECHO_S = 0.05


class NotBound(Exception):
    """Addresses were given out, and the controller did not bind them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was measured: a latency per request, the whole duration, CPU seconds by process."""

    turn: int
    cell: Cell
    latencies_ms: tuple[float, ...]
    seconds: float
    cpu_s: dict[str, float]


@dataclass(slots=True)
class Bindings:
    """Which addresses are bound (a View for the Follower), and waiting for it."""

    bound: set[MacAddress] = field(default_factory=set)
    expected: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self, everything: list[Stored]) -> None:
        """See View.reset."""
        self.bound.clear()
        for item in everything:
            self.put(item)

    def put(self, item: Stored) -> None:
        """See View.put."""
        if item.allocation.state is State.BOUND:
            self.bound.add(item.mac)
            self._changed.set()

    def drop(self, item: Stored) -> None:
        """See View.drop."""
        self.bound.discard(item.mac)

    async def all_bound(self) -> None:
        """Return when every address given out is bound, or raise NotBound."""
        try:
            async with asyncio.timeout(_BOUND_WITHIN_S):
                while len(self.bound) < self.expected:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            missing = self.expected - len(self.bound)
            raise NotBound(
                f"{missing} of {self.expected} addresses not bound within {_BOUND_WITHIN_S:.0f} s"
            ) from None


async def measure(bed: Bed, effort: Effort, seed: int) -> list[Batch]:
    """Run a turn that does not count, then all that do."""
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    began_s = time.monotonic()
    batches: list[Batch] = []
    async with Api("kubemacpool-bench", str(bed.kubeconfig)) as api:
        bindings = Bindings()
        follower = Follower(api, ALLOCATIONS, bindings)
        following = asyncio.create_task(follower.run())
        await follower.synced.wait()
        bindings.expected = len(bindings.bound)
        bench = _Bench(api, bed, bindings, effort.requests)
        for number in range(effort.turns + 1):
            for cell in turn(chance):
                batch = await bench.batch(number, cell)
                batches += [batch] if number else []
            took_s = time.monotonic() - began_s
            each_s = took_s / (number + 1)
            left_s = min(each_s * (effort.turns - number), max(effort.within_s - took_s, 0))
            name = f"turn {number} of {effort.turns}" if number else "warm-up, not counted"
            say(f"{name}: {took_s:.0f} s, about {left_s:.0f} s left")
            if number >= ENOUGH_TURNS and took_s + each_s > effort.within_s:
                break
        following.cancel()
    return batches


class _Meta(msgspec.Struct):
    name: str


class _Created(msgspec.Struct):
    metadata: _Meta


@dataclass(frozen=True, slots=True)
class _Bench:
    api: Api
    bed: Bed
    bindings: Bindings
    requests: dict[int, int]  # of a batch, by number of clients

    async def batch(self, number: int, cell: Cell) -> Batch:
        """Measure one batch; return when the cluster is at rest again."""
        requests = await self._requests(cell)
        cpu_before = all_used_s(self.bed.pids)
        began_s = time.perf_counter()
        latencies_ms = await _timed(requests, cell.shape.clients)
        seconds = time.perf_counter() - began_s
        await self._at_rest(cell.lane, len(requests) * cell.shape.addresses)
        cpu_after = all_used_s(self.bed.pids)
        used_s = {name: cpu_after[name] - before for name, before in cpu_before.items()}
        return Batch(number, cell, tuple(latencies_ms), seconds, used_s)

    async def _requests(self, cell: Cell) -> list[Request]:
        """Prepare what is to be measured."""
        shape, lane = cell.shape, cell.lane
        count = self.requests[shape.clients]
        if shape.work is Work.POD:
            path = f"/api/v1/namespaces/{cell.namespace}/pods"
            return [partial(self.api.post, path, pod(lane, shape.interfaces))] * count
        path = f"/apis/kubevirt.io/v1/namespaces/{cell.namespace}/virtualmachines"
        creates = [partial(self.api.post, path, machines.machine(shape.interfaces))] * count
        if shape.work is Work.VM:
            return [*creates]
        change = (
            machines.stop()
            if shape.work is Work.EDIT
            else machines.interfaces(shape.interfaces + 1)
        )
        names = [_name(await create()) for create in creates]
        await self._at_rest(lane, count * shape.interfaces)
        return [partial(self.api.merge, f"{path}/{name}", change) for name in names]

    async def _at_rest(self, lane: Lane, addresses: int) -> None:
        """Return when the addresses that ours has just given out are bound."""
        if lane is Lane.OURS:
            self.bindings.expected += addresses
            await self.bindings.all_bound()
        await asyncio.sleep(_ECHO_S)


def _name(created: bytes) -> str:
    return msgspec.json.decode(created, type=_Created).metadata.name


async def _timed(requests: Iterable[Request], clients: int) -> list[float]:
    """Make all requests, and return how long each took, in ms."""
    left = iter(requests)
    latencies_ms: list[float] = []

    async def client() -> None:
        for request in left:  # shared: whoever is free makes the next
            began_s = time.perf_counter()
            await request()
            latencies_ms.append((time.perf_counter() - began_s) * 1000)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return latencies_ms
