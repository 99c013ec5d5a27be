"""Sustained load: creates and deletes without pause, and then the release of all addresses.

Each client deletes the pod that it created LAG creates ago. At the end the rest is deleted, and the
controller releases every address: at the earliest Q after it was Bound.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import host
from bench.figures import quantile
from bench.latency.plan import SUSTAINED, Effort
from bench.ledger import Ledger, Writes
from bench.load import by_clients, followed
from bench.objects import AT_ONCE, PODS_PATH, pod
from bench.report import Part, Table
from bench.testcluster import TestCluster
from bench.variants import OURS, Variant
from crds.mac import MacAddress
from crds.resources import ALLOCATIONS, PODS
from kube.client import Api
from testbed.progress import Progress

CLIENTS = 8
# So a pod lives for some seconds. The controller keeps the address of a pod longer if the pod is
# gone before the controller reads it, and that is not the usual life.
LAG = 100
# A multiple of what the controller needs after Q.
_RELEASED_S = 240.0
_LOAD = """{clients} clients create pods with one interface without pause, and each deletes the pod
that it created {lag} creates ago, for {seconds:.0f} s. Latencies of the creates are in ms.
"released" is when the last address was free again, in s after the end: the controller keeps each
address for Q after it was Bound."""
_LIFE = """CPU seconds for 1,000 pods, from the first create until the last address is free again,
and the writes to allocations for each pod. "spare" are the creates of addresses that no pod got.
Without requests, the processes use in a minute, in CPU seconds: {idle}."""


@dataclass(frozen=True, slots=True)
class Run:
    """One variant under load for `seconds`. `cpu_s` (by process) includes the releases."""

    variant: Variant
    seconds: float
    latencies_ms: Sequence[float]
    released_s: float
    cpu_s: dict[str, float]
    writes: Writes

    @property
    def pods(self) -> int:
        """The number of pods created, and deleted."""
        return len(self.latencies_ms)


@dataclass(frozen=True, slots=True)
class Sustained(Part):
    """All variants, and the CPU seconds of each process in a minute without requests."""

    runs: Sequence[Run]
    idle_cpu_s: dict[str, float]

    def tables(self) -> list[Table]:
        """Return the load and the whole life of a pod."""
        runs = sorted(self.runs, key=lambda run: SUSTAINED.index(run.variant))
        idle = ", ".join(f"{name} {used_s:.2f}" for name, used_s in self.idle_cpu_s.items())
        return [
            Table(
                "Sustained load",
                _LOAD.format(clients=CLIENTS, lag=LAG, seconds=runs[0].seconds),
                ["variant", "pods", "pods per s", "median", "p99", "released"],
                [[_load(run) for run in runs]],
            ),
            Table(
                "A pod's whole life",
                _LIFE.format(idle=idle),
                ["variant", *self.idle_cpu_s, "all", "created", "updated", "deleted", "spare"],
                [[_life(run) for run in runs]],
            ),
        ]


async def sustained(cluster: TestCluster, effort: Effort, seed: int) -> Sustained:
    """Measure every variant once, in a random order."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    pids = cluster.pids()
    before = _used_cpu_s(pids)
    await asyncio.sleep(effort.idle_s)
    used = _used_cpu_s(pids, before)
    runs = []
    async with cluster.api() as api:
        for variant in chance.sample(SUSTAINED, len(SUSTAINED)):
            load = _Load(api, variant, effort, cluster.quiet_s + _RELEASED_S)
            runs.append(await load.measure(pids))
    return Sustained(runs, {name: used_s / effort.idle_s * 60 for name, used_s in used.items()})


@dataclass(slots=True)
class _Load:
    api: Api
    variant: Variant
    effort: Effort
    within_s: float
    latencies_ms: list[float] = field(default_factory=list)
    macs: set[MacAddress] = field(default_factory=set)
    left: dict[str, set[MacAddress]] = field(default_factory=dict)

    async def measure(self, pids: dict[str, int]) -> Run:
        """Create and delete pods; return when all addresses are free."""
        ledger = Ledger()
        async with followed(self.api, ALLOCATIONS, ledger):
            await ledger.unchanged(self.effort.refill_s)
            before, began_s = _used_cpu_s(pids), time.monotonic()
            progress = Progress(f"Creating and deleting pods: {self.variant}")
            async with asyncio.TaskGroup() as clients:
                for _ in range(CLIENTS):
                    clients.create_task(self._client(began_s + self.effort.sustained_s, progress))
            ended_s = time.monotonic()
            ours = self.macs if self.variant in OURS else set()
            await ledger.all_bound(ours & set().union(*self.left.values()))
            await by_clients(CLIENTS, list(self.left), self._delete)
            await ledger.all_gone(ours, self.within_s)
            progress.done()
            return Run(
                self.variant,
                ended_s - began_s,
                self.latencies_ms,
                released_s=time.monotonic() - ended_s,
                cpu_s=_used_cpu_s(pids, before),
                writes=ledger.writes(ours),
            )

    async def _client(self, until_s: float, progress: Progress) -> None:
        own: deque[str] = deque()
        while time.monotonic() < until_s:
            own.append(await self._create())
            if len(own) > LAG:
                await self._delete(own.popleft())
            progress.tick(f"({len(self.latencies_ms)} pods)")

    async def _create(self) -> str:
        began_s = time.perf_counter()
        raw = await self.api.post(self._path, pod())
        self.latencies_ms.append((time.perf_counter() - began_s) * 1000)
        created = PODS.read(raw)
        self.left[created.name] = {attachment.mac for attachment in created.attachments}
        self.macs |= self.left[created.name]
        return created.name

    async def _delete(self, name: str) -> None:
        await self.api.delete(f"{self._path}/{name}", AT_ONCE)
        del self.left[name]

    @property
    def _path(self) -> str:
        return PODS_PATH.format(self.variant.namespace("pods"))


def _used_cpu_s(pids: dict[str, int], before: dict[str, float] | None = None) -> dict[str, float]:
    """Return the CPU seconds of each process since `before`."""
    since = before or dict.fromkeys(pids, 0.0)
    return {name: host.cpu_s(pid) - since[name] for name, pid in pids.items()}


def _load(run: Run) -> list[str]:
    return [
        run.variant,
        str(run.pods),
        f"{run.pods / run.seconds:.1f}",
        f"{median(run.latencies_ms):.2f}",
        f"{quantile(run.latencies_ms, 0.99):.2f}",
        f"{run.released_s:.0f}",
    ]


def _life(run: Run) -> list[str]:
    writes = run.writes
    used = [used_s / run.pods * 1000 for used_s in (*run.cpu_s.values(), sum(run.cpu_s.values()))]
    counts = [writes.created, writes.updated, writes.deleted]
    return [
        run.variant,
        *(f"{used_s:.2f}" for used_s in used),
        *(f"{count / run.pods:.2f}" for count in counts),
        f"{writes.spare / run.pods:.2f}" if run.variant is Variant.STOCK else "",
    ]
