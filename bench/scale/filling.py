"""A pool that gets full: what the create of a pod takes at each level, and that none is refused.

Declared allocations fill it, at places drawn by chance. Before each create so many of them come or
go that the level is met to the address, whatever the pods created before still hold; only an empty
pool is not emptied of those, and `Level.fullest` says how many they were.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvloop

from bench.clients import by_clients, followed
from bench.scale.figures import Lane, Level, Turn
from bench.scale.ledger import Ledger
from bench.scale.load import create_pods, delete_pods
from bench.scale.place import place
from crds.allocation import Allocation, State
from crds.mac import MacAddress
from crds.resources import ALLOCATIONS
from crds.store import AlreadyAllocated, ApiAllocations
from e2e.pool import configure
from testbed.progress import Progress

if TYPE_CHECKING:
    from bench.scale.place import Place
    from kube.client import Api

_FIRST = 0x0A_00_00_00_00_00
_LEVELS = (0.0, 90.0, 99.0, 99.9)  # per cent
_CLIENTS = 16
_SEEN_S = 60.0  # a watch shows thousands of changes per second


@dataclass(frozen=True, slots=True)
class Effort:
    """How large the pool is, and how often: `turns` times `requests` in a row at each level.

    A warm-up turn comes first and does not count.
    """

    size: int
    turns: int
    requests: int


# 8 x 24 = 192 creates at each level. A turn of all levels takes 20 s, so within Q no more than 300
# pods hold addresses: an empty pool of 4,096 is at most 7 % full.
FULL = Effort(size=4096, turns=8, requests=24)
# A smoke run: its figures say nothing.
QUICK = Effort(size=64, turns=1, requests=3)


def measure(effort: Effort, quiet_s: float, chance_seed: int) -> list[Level]:
    """Measure at each level, in turns whose order chance draws."""
    chance = random.Random(chance_seed)  # noqa: S311 - an order, no secret
    with place(quiet_s) as here:
        here.start("filling")
        here.opted_in(Lane.OURS.namespace)
        pool = [MacAddress(_FIRST + at) for at in range(effort.size)]
        configure(here.cluster.kubectl, str(pool[0]), str(pool[-1]))
        return uvloop.run(_turns(here, effort, pool, chance))


@dataclass(slots=True)
class _Found:
    """What a level has brought so far."""

    taken: int
    fullest: int = 0
    turns: list[Turn] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


async def _turns(
    here: Place, effort: Effort, pool: list[MacAddress], chance: random.Random
) -> list[Level]:
    # One address is always free: nobody may be refused.
    found = {one: _Found(min(round(len(pool) * one / 100), len(pool) - 1)) for one in _LEVELS}
    ledger = Ledger()
    progress = Progress(f"Measuring a pool of {effort.size} that gets full")
    async with here.admin() as api, followed(api, ALLOCATIONS, ledger):
        filling = _Filling(api, ledger, pool, chance, progress)
        for number in range(effort.turns + 1):
            for percent in chance.sample(_LEVELS, len(_LEVELS)):
                progress.tick(f"turn {number} of {effort.turns}, {percent:g} % full")
                turn = await filling.turn(number, found[percent], effort.requests)
                found[percent].turns += [turn] if number else []
        progress.done()
    return [
        Level(percent, len(pool), one.taken, one.fullest / len(pool), one.turns, one.refusals)
        for percent, one in found.items()
    ]


@dataclass(frozen=True, slots=True)
class _Filling:
    api: Api
    ledger: Ledger
    pool: list[MacAddress]
    chance: random.Random
    progress: Progress

    async def turn(self, number: int, level: _Found, requests: int) -> Turn:
        """Create pods one after the other, each at this level; then delete them."""
        latencies_ms: list[float] = []
        macs: set[MacAddress] = set()
        for _ in range(requests):
            await self._fill(level.taken)
            level.fullest = max(level.fullest, len(self.ledger.states))
            created = await create_pods(self.api, Lane.OURS.namespace, 1)
            latencies_ms += created.latencies_ms
            level.refusals += created.refusals
            macs |= created.macs
        if macs:
            await self.ledger.all_bound(macs)
        await delete_pods(self.api, Lane.OURS.namespace)
        return Turn(number, tuple(latencies_ms))

    async def _fill(self, taken: int) -> None:
        """Declare addresses, or remove such, until so many are taken; pods keep theirs."""
        states = self.ledger.states
        # Meanwhile the controller releases what pods had, so the level may be missed again.
        while True:
            missing = taken - len(states)
            if missing > 0:
                free = [mac for mac in self.pool if mac not in states]
                await self._declare(self.chance.sample(free, missing))
            elif missing < 0 and (
                declared := sorted(mac for mac, one in states.items() if one is State.DECLARED)
            ):
                await self._remove(self.chance.sample(declared, min(-missing, len(declared))))
            elif taken and State.STOCK in states.values():  # so full a pool is to have none
                none = "the webhook has given back its stock"
                await self.ledger.until(lambda: State.STOCK not in states.values(), none, _SEEN_S)
            else:
                return

    async def _declare(self, macs: list[MacAddress]) -> None:
        declared: list[MacAddress] = []

        async def one(mac: MacAddress) -> None:
            with suppress(AlreadyAllocated):  # somebody was given it just now
                await ApiAllocations(self.api).create(Allocation(mac))
                declared.append(mac)
            self.progress.tick(f"{len(declared)} of {len(macs)} addresses are Declared")

        await by_clients(_CLIENTS, macs, one)
        seen = f"{len(declared)} addresses are Declared"
        states = self.ledger.states
        await self.ledger.until(lambda: all(mac in states for mac in declared), seen, _SEEN_S)

    async def _remove(self, macs: list[MacAddress]) -> None:
        async def one(mac: MacAddress) -> None:
            await self.api.delete(ALLOCATIONS.named(mac.name), b"{}")
            self.progress.tick(f"{len(macs)} addresses are being freed")

        await by_clients(_CLIENTS, macs, one)
        states, left = self.ledger.states, set(macs)

        def are_free() -> bool:  # or taken by somebody else: the webhook creates ahead
            left.difference_update([mac for mac in left if states.get(mac) != State.DECLARED])
            return not left

        await self.ledger.until(are_free, f"{len(macs)} addresses are free", _SEEN_S)
