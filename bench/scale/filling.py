"""A pool that gets full: the latency of a create at each level. None may be refused.

Declared allocations at random addresses fill the pool. Before each create, some of them are
created or deleted, until exactly the level is taken. Pods keep their addresses for Q, also in an
empty pool: `Level.fullest` shows how many.
"""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

import uvloop

from bench.figures import merged, ratios
from bench.ledger import Ledger
from bench.load import by_clients, create_pods, followed
from bench.objects import AT_ONCE, PODS_PATH, addresses, pod
from bench.report import LATENCY, Part, Table, Target, at_most, latency_cells, none_refused
from bench.testcluster import TestCluster
from bench.variants import Variant
from crds.allocation import Allocation, State
from crds.mac import MacAddress
from crds.resources import ALLOCATIONS, PODS
from crds.store import AlreadyAllocated, ApiAllocations
from kube.client import Api
from testbed.progress import Progress
from testbed.readiness import eventually

_CONTENT = "filling"
_NAMESPACE = Variant.STOCK.namespace(_CONTENT)
_FIRST = 0x0A_00_00_00_00_00
_LEVELS = (0.0, 90.0, 99.0, 99.9)  # per cent
_CLIENTS = 16
_SEEN_S = 60.0  # a watch shows thousands of changes per second
_TIMES = 3.0  # the target: how many times the latency of an empty pool
_NOTE = """The create of a pod with one interface by one client, in a pool of {size:,} addresses, in
ms. "times" is relative to the empty pool, turn by turn. "fullest" is the highest share that was
taken, with the addresses of pods that were just deleted."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The size of the pool; `turns` times `requests` creates at each level after a warm-up turn."""

    size: int
    turns: int
    requests: int


# 8 x 24 = 192 creates at each level. A turn takes 20 s, so in Q at most 300 pods keep addresses: an
# empty pool of 4,096 is at most 7 % full.
FULL = Effort(size=4096, turns=8, requests=24)
# A smoke run: its figures mean nothing.
QUICK = Effort(size=64, turns=1, requests=2)


@dataclass(slots=True)
class Level:
    """A pool in which `taken` addresses were allocated before each create."""

    percent: float
    size: int
    taken: int
    fullest: int = 0
    turns: dict[int, Sequence[float]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Filling(Part):
    """All levels, the emptiest first."""

    levels: Sequence[Level]

    def targets(self) -> list[Target]:
        """Compare the fullest pool with the empty one."""
        empty, full = self.levels[0], self.levels[-1]
        times = median(ratios(full.turns, empty.turns))
        refusals = [said for level in self.levels for said in level.refusals]
        return [
            at_most(f"{full.percent:g} % full, relative to an empty pool", times, _TIMES, "x"),
            none_refused("pods refused while addresses are free", refusals),
        ]

    def tables(self) -> list[Table]:
        """Return a row for each level."""
        head = ["full", "free", *LATENCY, "times", "fullest", "refused"]
        rows = [
            [
                f"{level.percent:g} %",
                f"{level.size - level.taken:,}",
                *latency_cells(merged(level.turns)),
                f"{median(ratios(level.turns, self.levels[0].turns)):.2f}",
                f"{level.fullest / level.size:.1%}",
                f"{len(level.refusals)}",
            ]
            for level in self.levels
        ]
        note = _NOTE.format(size=self.levels[0].size)
        return [Table("A pool that gets full", note, head, [rows])]


def measure(cluster: TestCluster, effort: Effort, seed: int) -> Filling:
    """Measure at each level, in turns with a random order."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    pool = addresses(_FIRST, effort.size)
    cluster.start_both()
    cluster.create_namespaces(_CONTENT, [Variant.STOCK])
    _configure(cluster, pool)
    return uvloop.run(_turns(cluster, effort, pool, chance))


def _configure(cluster: TestCluster, pool: Sequence[MacAddress]) -> None:
    """Set the range of the pool, and wait until pods get addresses from it."""
    client = cluster.control_plane.kubectl.client
    data = {"RANGE_START": str(pool[0]), "RANGE_END": str(pool[-1])}
    client.patch("configmap", "kubemacpool-mac-range-config", {"data": data}, "kubemacpool-system")
    macs = {str(mac) for mac in pool}
    eventually(
        lambda: any(
            mac in str(client.create(pod().decode(), _NAMESPACE, dry_run=True)) for mac in macs
        ),
        "pods get addresses from the new range",
    )


async def _turns(
    cluster: TestCluster, effort: Effort, pool: list[MacAddress], chance: random.Random
) -> Filling:
    size = len(pool)
    # One address is always free: no pod may be refused.
    levels = [
        Level(percent, size, min(round(size * percent / 100), size - 1)) for percent in _LEVELS
    ]
    ledger = Ledger()
    progress = Progress(f"Measuring a pool of {size} addresses")
    async with cluster.api() as api, followed(api, ALLOCATIONS, ledger):
        pool_of = _Pool(api, ledger, pool, chance, progress)
        for number in range(effort.turns + 1):
            for level in chance.sample(levels, len(levels)):
                progress.tick(f"turn {number} of {effort.turns}, {level.percent:g} % full")
                latencies_ms = await pool_of.turn(level, effort.requests)
                if number:
                    level.turns[number] = latencies_ms
        await pool_of.empty()
    progress.done()
    return Filling(levels)


@dataclass(frozen=True, slots=True)
class _Pool:
    api: Api
    ledger: Ledger
    pool: list[MacAddress]
    chance: random.Random
    progress: Progress

    async def turn(self, level: Level, requests: int) -> list[float]:
        """Create pods one after the other, each at this level; then delete them."""
        latencies_ms: list[float] = []
        macs: set[MacAddress] = set()
        for _ in range(requests):
            await self._fill(level.taken)
            level.fullest = max(level.fullest, len(self.ledger.states))
            created = await create_pods(self.api, _NAMESPACE, 1)
            latencies_ms += created.latencies_ms
            level.refusals += created.refusals
            macs |= created.macs(PODS)
        await self.ledger.all_bound(macs)
        await self.api.delete(PODS_PATH.format(_NAMESPACE), AT_ONCE)
        return latencies_ms

    async def empty(self) -> None:
        """Delete all Declared allocations."""
        await self._fill(0)

    async def _fill(self, taken: int) -> None:
        """Create or delete Declared allocations until this many addresses are taken."""
        states = self.ledger.states
        # The controller releases addresses of pods at the same time, so one pass may not be enough.
        while True:
            missing = taken - len(states)
            if missing > 0:
                free = [mac for mac in self.pool if mac not in states]
                await self._declare(self.chance.sample(free, missing))
            elif missing < 0 and (
                declared := sorted(mac for mac in states if states[mac] is State.DECLARED)
            ):
                await self._remove(self.chance.sample(declared, min(-missing, len(declared))))
            elif taken and State.STOCK in states.values():  # a pool this full has no stock
                what = "the webhook has deleted its stock"
                await self.ledger.until(lambda: State.STOCK not in states.values(), what, _SEEN_S)
            else:
                return

    async def _declare(self, macs: list[MacAddress]) -> None:
        states = self.ledger.states
        declared: set[MacAddress] = set()

        async def declare(mac: MacAddress) -> None:
            with suppress(AlreadyAllocated):  # the webhook has just created it for its stock
                await ApiAllocations(self.api).create(Allocation(mac))
                declared.add(mac)
            self.progress.tick(f"{len(declared)} of {len(macs)} addresses are Declared")

        await by_clients(_CLIENTS, macs, declare)
        what = f"{len(declared)} addresses are Declared"
        await self.ledger.until(lambda: declared <= states.keys(), what, _SEEN_S)

    async def _remove(self, macs: list[MacAddress]) -> None:
        async def remove(mac: MacAddress) -> None:
            await self.api.delete(ALLOCATIONS.named(mac.name), b"{}")
            self.progress.tick(f"{len(macs)} addresses become free")

        await by_clients(_CLIENTS, macs, remove)
        states, left = self.ledger.states, set(macs)

        def are_free() -> bool:  # or in the stock: the webhook may take them at once
            left.difference_update([mac for mac in left if states.get(mac) != State.DECLARED])
            return not left

        await self.ledger.until(are_free, f"{len(macs)} addresses are free", _SEEN_S)
