"""A webhook process in a simulation: its own code, on the fake API server.

Law: its work without a request (to create stock, to tidy, to stop) begins when a test asks for it,
and each of its calls parks, made on behalf of the replica itself.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from crds.allocation import QUIET_S, STOCK_USABLE_Q
from crds.mac import MacAddress
from crds.pool import CollisionPolicy, Pool
from crds.pools import only
from crds.resources import NameAndVersion
from crds.tests.fake import FakeCluster, name_and_version
from kube.tests.steered import SteeredLoop
from simulation.steering import DOING
from webhook.replica import Surroundings, build
from webhook.stock.demand import Demand
from webhook.stock.entries import Instant
from webhook.stock.filling import Stock

STOCK_USABLE_S = STOCK_USABLE_Q * QUIET_S
STOCK_KEPT_S = STOCK_USABLE_S + 120  # for this time the controller keeps stock


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that all replicas of a life share."""

    draw: Callable[[int], int]
    policy: CollisionPolicy
    pool: Pool


@dataclass(slots=True)
class Clocks:
    """The two clocks of a replica's machine: both the loop's, until a test pulls them apart."""

    loop: SteeredLoop
    boottime_behind_s: float = 0.0
    wall_ahead_s: float = 0.0

    def __call__(self) -> Instant:
        now_s = self.loop.now_s
        return Instant(now_s - self.boottime_behind_s, now_s + self.wall_ahead_s)


class Demanded(Demand):
    """A test sets the size of the stock; the real rule keeps none of two addresses."""

    keep = 0

    def ahead(self, now_s: float, most: int, free: int) -> int:
        """See Demand.ahead."""
        del now_s, free
        return min(self.keep, most)


@dataclass
class _Remembering(Stock):
    """Remembers all addresses that it handed out, for the laws."""

    handed: set[MacAddress] = field(default_factory=set)

    def hand_out(self, count: int, pool: Pool) -> tuple[MacAddress, ...]:
        macs = super().hand_out(count, pool)
        self.handed.update(macs)
        return macs


class Replica:
    """One webhook process; `pool` is what it knows to be in force."""

    def __init__(
        self, cluster: FakeCluster, name: str, loop: SteeredLoop, settings: Settings
    ) -> None:
        client = cluster.client(name)

        async def relist() -> list[NameAndVersion]:
            return [name_and_version(stored) for stored in await client.allocations.list()]

        self.name, self.pool = name, settings.pool
        self.clock = Clocks(loop)
        self.demand = Demanded(STOCK_USABLE_S)
        self.tasks: set[asyncio.Task[None]] = set()
        self._loop = loop
        built = build(
            Surroundings(
                allocations=client.allocations,
                objects=client.objects,
                names=relist,
                connection=lambda: self.watch.connection,
                pools=lambda: only(self.pool),
                policy=lambda: settings.policy,
                boottime_s=lambda: loop.now_s,
                instant=self.clock,
                draw=settings.draw,
            ),
            demand=self.demand,
            stock_type=_Remembering,
        )
        self.entries, self.handlers = built.entries, built.handlers
        assert isinstance(built.stock, _Remembering)
        self.stock = built.stock
        self.watch = cluster.follow_names(built.names, lag=True)

    def ready(self) -> set[MacAddress]:
        """Return the stock that it would hand out at this moment."""
        return set(self.entries._ready(self.pool))

    def fill(self) -> None:
        """Begin to create the missing stock."""
        self.stock.fill(self._do)

    def tidy(self) -> None:
        """Begin to delete stock that it cannot use any more."""
        self._do(self.stock.tidy())

    def stop(self) -> None:
        """Begin to stop, after SIGTERM: it serves on."""
        self._do(self.stock.close())

    def reap(self) -> None:
        """Collect tasks that have ended; none may fail."""
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.discard(task)
            task.result()

    def _do(self, what: Coroutine[None, None, None]) -> asyncio.Task[None]:
        DOING.set(self)
        task = self._loop.create_task(what)
        self.tasks.add(task)
        return task
