"""A reconciler on the fake API server, and its clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.reconciler import Reconciler
from controller.tests.worlds import MAC, OTHER, owner, pending
from crds.allocation import QUIET_S, STOCK_DELETED_AFTER_Q, Allocation
from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from crds.resources import KINDS
from crds.tests.fake import FakeCluster

if TYPE_CHECKING:
    from crds.allocation import Stored
    from crds.tests.gates import Call, Hold

STOCK_DELETED_AFTER_S = STOCK_DELETED_AFTER_Q * QUIET_S
NETWORKS = f'[{{"name":"ovs","mac":"{MAC}"}}]'
NAMELESS = replace(pending("web-0"), owner=owner(None))
READ, DELETE, REPLACE = "get object", "delete allocation", "replace allocation"
LIST = ["list object"] * len(KINDS)


@dataclass
class Scene:
    """A reconciler whose views know all at once, its clock, and when it wants to look again."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    now_s: float = 100.0
    later: list[tuple[MacAddress, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = self.cluster.client("controller")
        known, carriers = AllocationView(self.monotonic_s, _ignore), CarrierView(_ignore)
        self.cluster.follow_allocations(known)
        self.cluster.follow_carriers("Pod", carriers.of_kind("Pod"))
        pool = Pool("default", (MacRange(MAC, OTHER),))
        self.reconciler = Reconciler(
            client.allocations,
            client.objects,
            known,
            carriers,
            lambda: pool,
            self,
            lambda mac, in_s: self.later.append((mac, in_s)),
        )

    def monotonic_s(self) -> float:
        return self.now_s

    def now(self) -> str:
        return "2026-11-24T12:00:00Z"

    def store(self, allocation: Allocation, *, age_s: float = 0.0) -> Stored:
        """Store an allocation that the view has known for `age_s`."""
        stored = self.cluster._create(allocation)
        self.now_s += age_s
        return stored

    async def reconcile(self, mac: MacAddress = MAC) -> list[str]:
        """Reconcile, and return the calls that it made."""
        before = len(self.cluster.calls)
        await self.reconciler.reconcile(mac)
        return [f"{call.verb} {call.port}" for call in self.cluster.calls[before:]]

    async def reconcile_until(self, hold: Hold) -> asyncio.Task[list[str]]:
        """Begin, and return when it waits at `hold`."""
        task = asyncio.ensure_future(self.reconcile())
        arrived = asyncio.ensure_future(hold.arrived.wait())
        await asyncio.wait((task, arrived), return_when=asyncio.FIRST_COMPLETED)
        assert arrived.done(), "it does not make the call that is held"
        return task

    def state(self, mac: MacAddress = MAC) -> str | None:
        """Return the state of the allocation, None: there is none."""
        stored = self.cluster.allocated.get(mac)
        return stored.allocation.state if stored else None


def _ignore(_: object) -> None: ...


def get_object(call: Call) -> bool:
    return (call.verb, call.port) == ("get", "object")


def list_objects(call: Call) -> bool:
    return (call.verb, call.port) == ("list", "object")
