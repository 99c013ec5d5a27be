"""Creates the pods and takes the times.

A batch is some pods of one cell, created by that cell's clients as fast as they can. Binding by the
controller goes on meanwhile, as in production, and is waited for before the next batch, outside of
the measured time. No pod is deleted: the cluster is thrown away afterwards, so no release (60 s
after a deletion) falls into the figures. What a release costs is not measured here.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.cells import ENOUGH_TURNS, Cell, Effort, Lane, turn
from bench.cpu import all_used_s
from bench.pods import pod
from crds.allocation import State, Stored
from crds.client import Api
from crds.resources import ALLOCATIONS
from crds.watch import Follower
from e2e.cluster.progress import say

if TYPE_CHECKING:
    from bench.bed import Bed
    from crds.mac import MacAddress

# The controller binds hundreds of pods per second: what takes longer never comes.
_BOUND_WITHIN_S = 60.0
# The API server's own echo of a batch (watch events to its controllers) dies away within this.
_ECHO_S = 0.05


class NotBound(Exception):
    """Addresses were given out, and the controller did not bind them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was measured: a latency per pod, the whole duration, CPU seconds by process."""

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
        bench = _Bench(api, bed, bindings, effort.pods)
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


@dataclass(frozen=True, slots=True)
class _Bench:
    api: Api
    bed: Bed
    bindings: Bindings
    pods: dict[int, int]  # of a batch, by number of clients

    async def batch(self, number: int, cell: Cell) -> Batch:
        """Measure one batch; return when the cluster is at rest again."""
        count = self.pods[cell.shape.clients]
        cpu_before = all_used_s(self.bed.pids)
        began_s = time.perf_counter()
        latencies_ms = await self._create(count, cell)
        seconds = time.perf_counter() - began_s
        if cell.lane is Lane.OURS:
            self.bindings.expected += count * cell.shape.interfaces
            await self.bindings.all_bound()
        await asyncio.sleep(_ECHO_S)
        cpu_after = all_used_s(self.bed.pids)
        used_s = {name: cpu_after[name] - before for name, before in cpu_before.items()}
        return Batch(number, cell, tuple(latencies_ms), seconds, used_s)

    async def _create(self, count: int, cell: Cell) -> list[float]:
        path = f"/api/v1/namespaces/{cell.lane.namespace}/pods"
        body = pod(cell.lane, cell.shape.interfaces)
        left = iter(range(count))
        latencies_ms: list[float] = []

        async def client() -> None:
            for _ in left:  # shared: whoever is free creates the next
                began_s = time.perf_counter()
                await self.api.post(path, body)
                latencies_ms.append((time.perf_counter() - began_s) * 1000)

        async with asyncio.TaskGroup() as clients:
            for _ in range(cell.shape.clients):
                clients.create_task(client())
        return latencies_ms
