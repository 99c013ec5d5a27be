"""Builds one webhook replica: all parts between the API server's client and the handlers.

The program (`webhook/__main__.py`) and the simulations both build it here, so that the simulations
test the program that ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crds.allocation import QUIET_S, STOCK_USABLE_Q
from kube.watch import Views
from webhook.allocated import AllocatedNames
from webhook.claims import ClaimByCreate, DryAllocations
from webhook.handler import Handlers
from webhook.sharing import Holders
from webhook.stock.demand import Demand
from webhook.stock.entries import StockEntries
from webhook.stock.filling import MOST, ClaimFromStock, Stock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from crds.objects import Objects
    from crds.pool import CollisionPolicy
    from crds.pools import Pools
    from crds.resources import NameAndVersion
    from webhook.claims import AllocationWriter
    from webhook.stock.entries import Instant


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The inputs of a replica: the cluster, clocks and a random source.

    `names` lists the names of all allocations. `connection` is the number of the open watch of
    them, 0 for none. `boottime_s` never goes back, and runs while the host sleeps. `draw` returns a
    random number 0 <= n < its argument. `not_ready_because` returns the reasons, if any.
    """

    allocations: AllocationWriter
    objects: Objects
    names: Callable[[], Awaitable[list[NameAndVersion]]]
    connection: Callable[[], int]
    pools: Callable[[], Pools]
    policy: Callable[[], CollisionPolicy]
    boottime_s: Callable[[], float]
    instant: Callable[[], Instant]
    draw: Callable[[int], int]
    not_ready_because: Callable[[], Sequence[str]] = tuple


@dataclass(frozen=True, slots=True)
class Replica:
    """The parts of one webhook process. `names` is the view that the watch of allocations feeds."""

    names: Views[NameAndVersion]
    allocated: AllocatedNames
    entries: StockEntries
    stock: Stock
    handlers: Handlers


def build(
    around: Surroundings,
    *,
    quiet_s: float = QUIET_S,
    most: int = MOST,
    demand: Demand | None = None,
    stock_type: type[Stock] = Stock,
) -> Replica:
    """Build a replica; `most` is the maximum number of addresses that it creates in advance.

    A test passes its own `demand`, and a Stock that remembers the addresses it handed out.
    """
    lifetime_s = STOCK_USABLE_Q * quiet_s
    allocated = AllocatedNames(around.names, around.boottime_s, quiet_s)
    entries = StockEntries(around.instant, around.connection, lifetime_s)
    stock = stock_type(
        allocations=around.allocations,
        allocated=allocated,
        entries=entries,
        demand=demand or Demand(lifetime_s),
        pools=around.pools,
        draw=around.draw,
        clock=around.boottime_s,
        most=most,
    )
    holders = Holders(around.objects, allocated, around.policy)
    dry = DryAllocations(around.allocations)
    by_create = ClaimByCreate(around.allocations, allocated, holders, around.draw, entries.take_out)
    handlers = Handlers(
        pools=around.pools,
        objects=around.objects,
        claims=ClaimFromStock(stock, by_create),
        dry_claims=ClaimByCreate(dry, allocated, holders, around.draw, entries.holds),
        not_ready_because=around.not_ready_because,
    )
    return Replica(Views(allocated, entries), allocated, entries, stock, handlers)
