"""Stock in process; the test controls its clocks, watch connection and demand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from crds.allocation import Allocation, Source, State, Stored
from crds.pools import only
from crds.resources import NameAndVersion
from crds.tests.fake import FakeCluster, name_and_version
from kube.watch import Views
from webhook.allocated import AllocatedNames
from webhook.stock.demand import LITTLE, Demand
from webhook.stock.entries import Instant, StockEntries
from webhook.stock.filling import MOST, Stock
from webhook.tests.reviews import mac, pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from crds.mac import MacAddress
    from crds.pool import Pool
    from crds.tests.gates import Call

STOCK_USABLE_S = 300.0
WIDE = pool(64 * LITTLE)


def made(last: int, version: int = 7, uid: str = "") -> Stored:
    """An allocation of mac(`last`) in state Stock, as its create brought it."""
    allocation = Allocation(mac=mac(last), state=State.STOCK, source=Source.POOL, pool="default")
    return Stored(allocation, uid or f"u-{last}", str(version))


def shown(last: int, version: int = 7) -> NameAndVersion:
    """The same, as a watch shows it."""
    return NameAndVersion(mac(last), version)


class EntriesScene:
    """The entries; `now` is the time, `connection` the number of the open watch."""

    def __init__(self) -> None:
        self.now = Instant(1000.0, 5000.0)
        self.connection = 1
        self.entries = StockEntries(lambda: self.now, lambda: self.connection, STOCK_USABLE_S)

    def keep(self, *lasts: int) -> None:
        """Create these addresses, and let the watch show them."""
        for last in lasts:
            self.entries.begin(mac(last))
            self.entries.add(made(last))
            self.entries.put(shown(last))

    def pass_time(self, boottime_s: float, wall_s: float | None = None) -> None:
        wall_s = boottime_s if wall_s is None else wall_s
        self.now = Instant(self.now.boottime_s + boottime_s, self.now.wall_s + wall_s)

    def pop(self, count: int = 1, of: Pool | None = None) -> tuple[MacAddress, ...]:
        return self.entries.pop(count, of or pool())

    def surplus(self, most: int = 9) -> list[MacAddress]:
        return [stored.mac for stored in self.entries.surplus(most, pool())]


class Stocking:
    """A stock on a fake cluster, whose watch shows everything at once."""

    def __init__(self, of: Pool | None = WIDE, most: int = MOST) -> None:
        self.cluster = FakeCluster()
        self.now_s = 1000.0
        self.pool = of
        client = self.cluster.client("webhook-1")

        async def relist() -> list[NameAndVersion]:
            return [name_and_version(stored) for stored in await client.allocations.list()]

        self.allocated = AllocatedNames(relist, lambda: self.now_s)
        self.entries = StockEntries(
            lambda: Instant(self.now_s, self.now_s), lambda: self.watch.connection, STOCK_USABLE_S
        )
        self.watch = self.cluster.follow_names(Views(self.allocated, self.entries))
        self.demand = Demand(STOCK_USABLE_S)
        self.stock = Stock(
            allocations=client.allocations,
            allocated=self.allocated,
            entries=self.entries,
            demand=self.demand,
            pools=lambda: only(self.pool),
            draw=lambda _: 1,
            clock=lambda: self.now_s,
            most=most,
        )

    async def create(self, count: int) -> None:
        """Create `count` addresses, one after the other."""
        for _ in range(count):
            begun = self.stock.begin()
            assert begun is not None
            await self.stock.create(begun)

    def stored(self) -> set[MacAddress]:
        return set(self.cluster.allocated)


def wanted(scene: Stocking, ahead: int) -> None:
    """Demand is `ahead` addresses, and there was no request for a while."""
    assert ahead % 2 == 0
    scene.demand.note(ahead // 2, scene.now_s - 2)
    scene.demand.note(ahead // 2, scene.now_s - 1)


class Parking:
    """A gate: calls of `verb` wait forever, others pass; each call wakes `until`."""

    def __init__(self, verb: str = "") -> None:
        self.calls: list[Call] = []
        self._verb = verb
        self._news = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        self._news.set()
        if call.verb == self._verb:
            self.calls.append(call)
            await asyncio.get_running_loop().create_future()

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait for news, until `what` holds."""
        async with asyncio.timeout(20):
            while not what():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(stock: Stock) -> AsyncIterator[None]:
    """Run its background task inside the block."""
    task = asyncio.create_task(stock.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
