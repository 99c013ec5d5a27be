"""Creates and deletes without pause, lane by lane, so that releases are counted, too.

Each client creates pods one after the other and deletes the one it created LAG creates ago, so
that many pods of each exist at any moment. After that the rest is deleted, and waited for until the
controller has released every address (it keeps that of a short-lived pod for Q after binding).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bench.allocations import REFILLED_S
from bench.answers import name_of
from bench.cells import OURS, SUSTAINED, Effort, Lane
from bench.clients import by_clients
from bench.pods import pod
from bench.process import all_used_s
from bench.results import Sustained
from crds.allocation import QUIET_S
from testbed.progress import Progress

if TYPE_CHECKING:
    import random

    from bench.allocations import Allocations
    from bench.bed import Bed
    from kube.client import Api

CLIENTS = 8
# Of each client, so that a pod lives for some seconds: one that goes before the controller has
# looked at it costs its address for longer, and that is not what most pods do.
LAG = 100
# What is left to do when Q has passed since the last one was bound.
_LATE_S = 5.0
_IDLE_S = 10.0
_AT_ONCE = msgspec.json.encode({"gracePeriodSeconds": 0})


def takes_s(effort: Effort) -> float:
    """About how long all of it takes."""
    if not effort.sustained_s:
        return 0.0
    quiet_s = QUIET_S if effort.quiet_s is None else effort.quiet_s
    loads_s = len(SUSTAINED) * effort.sustained_s
    return loads_s + len(OURS) * (quiet_s + _LATE_S) + min(_IDLE_S, effort.sustained_s)


async def idle(bed: Bed, effort: Effort) -> dict[str, float]:
    """Return the CPU seconds that each process uses in a minute in which nothing is asked."""
    rest_s = min(_IDLE_S, effort.sustained_s)
    if not rest_s:
        return {}
    before = all_used_s(bed.pids)
    await asyncio.sleep(rest_s)
    return {name: used_s / rest_s * 60 for name, used_s in _since(before, bed).items()}


async def sustain(
    api: Api, bed: Bed, allocations: Allocations, effort: Effort, chance: random.Random
) -> tuple[Sustained, ...]:
    """Measure every lane once, in an order drawn by chance."""
    if not effort.sustained_s:
        return ()
    runs = []
    for namespace in chance.sample(list(SUSTAINED), len(SUSTAINED)):
        await allocations.at_rest(REFILLED_S)
        load = _Load(api, namespace, SUSTAINED[namespace])
        runs.append(await _one(load, bed, allocations, effort.sustained_s))
    return tuple(runs)


async def _one(load: _Load, bed: Bed, allocations: Allocations, load_s: float) -> Sustained:
    ahead, writes_before = allocations.held(""), _writes(allocations, load)
    cpu_before = all_used_s(bed.pids)
    progress = Progress(f"Creating and deleting pods for {load_s:.0f} s: {load.lane}")
    seconds = await load.run(load_s, progress)
    ended_s = time.monotonic()
    await load.delete_rest()
    await allocations.released(
        load.namespace, lambda left: progress.tick(f"({left} addresses left to release)")
    )
    progress.done()
    return Sustained(
        lane=load.lane,
        clients=CLIENTS,
        lag=LAG,
        seconds=seconds,
        latencies_ms=tuple(load.latencies_ms),
        released_s=time.monotonic() - ended_s,
        cpu_s=_since(cpu_before, bed),
        writes=dict(_writes(allocations, load) - writes_before),
        ahead=(ahead, allocations.held("")),
    )


def _writes(allocations: Allocations, load: _Load) -> Counter[str]:
    """Count writes of the lane's addresses so far; the stock's, too, where they come from there."""
    counted = {load.namespace, ""} if load.lane is Lane.STOCK else {load.namespace}
    found: Counter[str] = Counter()
    for (namespace, verb), count in allocations.writes.items():
        if namespace in counted:
            found[verb] += count
    return found


def _since(before: dict[str, float], bed: Bed) -> dict[str, float]:
    return {name: used_s - before[name] for name, used_s in all_used_s(bed.pids).items()}


@dataclass(slots=True)
class _Load:
    """The clients of one lane; `latencies_ms` are those of the creates."""

    api: Api
    namespace: str
    lane: Lane
    latencies_ms: list[float] = field(default_factory=list)
    _left: list[str] = field(default_factory=list)

    async def run(self, load_s: float, progress: Progress) -> float:
        """Go on for `load_s`; return how long it was until the last answer, in seconds."""
        began_s = time.monotonic()

        async def client() -> None:
            own: deque[str] = deque()
            while time.monotonic() < began_s + load_s:
                own.append(await self._create())
                if len(own) > LAG:
                    await self._delete(own.popleft())
                progress.tick(f"({len(self.latencies_ms)} pods so far)")
            self._left += own

        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(client())
        return time.monotonic() - began_s

    async def delete_rest(self) -> None:
        """Delete what the clients have left."""
        await by_clients(CLIENTS, self._left, self._delete)

    async def _create(self) -> str:
        began_s = time.perf_counter()
        raw = await self.api.post(self._path, pod(self.lane, 1))
        self.latencies_ms.append((time.perf_counter() - began_s) * 1000)
        return name_of(raw)

    async def _delete(self, name: str) -> None:
        await self.api.delete(f"{self._path}/{name}", _AT_ONCE)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"
