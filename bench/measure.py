"""Asks the API server and takes the times.

A batch is some requests of one cell, made by that cell's clients as fast as they can. Binding by
the controller goes on meanwhile, as in production, and so does the refilling of the stock; both are
waited for before the next batch, outside of the measured time; so is the creation of the VMs that
are to be changed, each once. Nothing is deleted: the cluster is thrown away afterwards, so no
release (60 s after a deletion) falls into the figures. What a release costs is measured by
`bench.sustained`, after all turns.
"""

from __future__ import annotations

import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench import machines
from bench.allocations import REFILLED_S, REST_S, Allocations
from bench.answers import name_of
from bench.cells import ENOUGH_TURNS, OURS, Cell, Effort, Lane, Work, turn
from bench.clients import by_clients, followed
from bench.pods import pod
from bench.process import all_used_s
from bench.results import Batch, Results
from bench.sustained import idle, sustain, takes_s
from crds.resources import ALLOCATIONS
from kube.client import Api
from testbed.progress import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from bench.bed import Bed

    Request = Callable[[], Awaitable[bytes]]


async def measure(bed: Bed, effort: Effort, seed: int, machine: dict[str, str]) -> Results:
    """Run the turns that do not count, all that do, and then the sustained load of each lane."""
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    async with (
        Api("kubemacpool-bench", str(bed.kubeconfig)) as api,
        _followed(api) as allocations,
    ):
        batches = await _turns(_Bench(api, bed, allocations, effort.requests), effort, chance)
        return Results(
            machine=machine,
            seed=seed,
            batches=batches,
            idle_cpu_s=await idle(bed, effort),
            sustained=await sustain(api, bed, allocations, effort, chance),
        )


@asynccontextmanager
async def _followed(api: Api) -> AsyncIterator[Allocations]:
    allocations = Allocations()
    async with followed(api, ALLOCATIONS, allocations):
        allocations.begin()
        yield allocations


async def _turns(bench: _Bench, effort: Effort, chance: random.Random) -> tuple[Batch, ...]:
    say("A turn has a batch of every cell, and takes about half a minute.")
    began_s = time.monotonic()
    batches: list[Batch] = []
    for number in range(1 - effort.warm_ups, effort.turns + 1):
        for cell in turn(chance):
            batch = await bench.batch(number, cell)
            batches += [batch] if number > 0 else []
        took_s = time.monotonic() - began_s
        each_s = took_s / (number + effort.warm_ups)
        left_s = min(each_s * (effort.turns - number), max(effort.within_s - took_s, 0))
        name = f"turn {number} of {effort.turns}" if number > 0 else "warm-up, not counted"
        say(f"{name}: {took_s:.0f} s, about {left_s + takes_s(effort):.0f} s left")
        if number >= ENOUGH_TURNS and took_s + each_s > effort.within_s:
            break
    return tuple(batches)


@dataclass(frozen=True, slots=True)
class _Bench:
    api: Api
    bed: Bed
    allocations: Allocations
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
        return Batch(number, cell, latencies_ms, seconds, used_s)

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
        names = [name_of(await create()) for create in creates]
        await self._at_rest(lane, count * shape.interfaces)
        return [partial(self.api.merge, f"{path}/{name}", change) for name in names]

    async def _at_rest(self, lane: Lane, addresses: int) -> None:
        """Return when what ours has just given out is bound, and the stock is full again."""
        self.allocations.given_out += addresses if lane in OURS else 0
        await self.allocations.at_rest(REFILLED_S if lane is Lane.STOCK else REST_S)


async def _timed(requests: Iterable[Request], clients: int) -> tuple[float, ...]:
    """Make all requests, and return how long each took, in ms."""
    latencies_ms: list[float] = []

    async def one(request: Request) -> None:
        began_s = time.perf_counter()
        await request()
        latencies_ms.append((time.perf_counter() - began_s) * 1000)

    await by_clients(clients, requests, one)
    return tuple(latencies_ms)
