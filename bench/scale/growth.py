"""One cluster that grows: starts, memory, latency and writes at each number of allocations in use.

At each size both programs start anew, then pods are created in three lanes, in turns whose order
chance draws. At its end all those pods are deleted, and their allocations are waited for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from bench.clients import followed
from bench.scale.figures import Lane, Size, Turn, Writes
from bench.scale.ledger import Ledger
from bench.scale.load import MACHINE_INTERFACES, create_pods, delete_pods, seed
from bench.scale.place import Place, place
from crds.resources import ALLOCATIONS
from testbed.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crds.mac import MacAddress

# After Q the controller needs seconds for what was created here: what is left then, for ever is.
_RELEASED_S = 120.0


@dataclass(frozen=True, slots=True)
class Effort:
    """At which sizes, and how often: `turns` times `requests` in a row in each lane.

    A warm-up turn comes first and does not count.
    """

    sizes: Sequence[int]
    turns: int
    requests: int


# 20 x 20 = 400 creates in each lane for a p99.
FULL = Effort(sizes=(0, 10_000, 100_000), turns=20, requests=20)
# A smoke run: its figures say nothing.
QUICK = Effort(sizes=(0, 100, 500), turns=2, requests=3)


def measure(effort: Effort, quiet_s: float, chance_seed: int) -> list[Size]:
    """Measure at each size, from the smallest to the largest."""
    chance = random.Random(chance_seed)  # noqa: S311 - an order, no secret
    found: list[Size] = []
    with place(quiet_s) as here:
        for allocations in effort.sizes:
            before = found[-1].machines if found else 0
            machines = allocations // MACHINE_INTERFACES
            uvloop.run(_seed(here, range(before, machines)))
            programs = here.start(str(allocations))
            if not found:
                here.wait_in_force()
                here.lanes()
            turns, writes, refusals = uvloop.run(_turns(here, effort, chance))
            found.append(
                Size(
                    allocations=machines * MACHINE_INTERFACES,
                    machines=machines,
                    starts=programs.starts,
                    afterwards=programs.memory(),
                    turns=turns,
                    writes=writes,
                    refusals=refusals,
                )
            )
            here.stop()  # nobody follows what is created next
    return found


async def _seed(here: Place, machines: range) -> None:
    if machines:
        async with here.admin() as admin, here.controller() as controller:
            await seed(admin, controller, machines)


async def _turns(
    here: Place, effort: Effort, chance: random.Random
) -> tuple[dict[Lane, list[Turn]], Writes, list[str]]:
    turns: dict[Lane, list[Turn]] = {lane: [] for lane in Lane}
    given: set[MacAddress] = set()
    refusals: list[str] = []
    ledger = Ledger()
    progress = Progress("Measuring the latency of creates")
    async with here.admin() as api, followed(api, ALLOCATIONS, ledger):
        for number in range(effort.turns + 1):
            for lane in chance.sample(list(Lane), len(Lane)):
                created = await create_pods(api, lane.namespace, effort.requests)
                if created.macs:  # binding is at rest again before anybody else's turn
                    await ledger.all_bound(created.macs)
                given |= created.macs
                refusals += created.refusals
                turns[lane] += [Turn(number, tuple(created.latencies_ms))] if number else []
            progress.tick(f"turn {number} of {effort.turns}")
        progress.done()
        for lane in Lane:
            await delete_pods(api, lane.namespace)
        await ledger.all_gone(given, here.quiet_s + _RELEASED_S)
    return turns, ledger.writes(given), refusals
