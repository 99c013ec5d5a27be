"""Wires the views and the deciders of one controller. `leading` and the simulations share it.

Everything that waits is outside: the watches that fill the views, the queue, and the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from controller.allocations.adoption import Adoption
from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.reconciler import Reconciler
from controller.allocations.repair import repair
from controller.allocations.urgency import can_wait
from controller.collisions.namespaces import Namespaces
from controller.collisions.tracker import Collisions
from crds.allocation import QUIET_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.mac import MacAddress
    from crds.objects import Objects
    from crds.pool import Pool
    from crds.store import Allocations
    from kube.clock import Clock
    from kube.events import Event


class Queue(Protocol):
    """Where addresses wait for their turn (kube.workqueue.WorkQueue)."""

    def add(self, mac: MacAddress) -> None:
        """Work on `mac` at once."""

    def add_when_idle(self, mac: MacAddress) -> None:
        """Work on `mac` when the queue is idle."""

    def add_after(self, mac: MacAddress, in_s: float) -> None:
        """Work on `mac` in `in_s` seconds at the latest."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The calls from a replica to the rest of its program; by default, they do nothing."""

    record: Callable[[Event], None] = lambda _: None
    adoption_changed: Callable[[], None] = lambda: None
    namespaces_changed: Callable[[], None] = lambda: None


@dataclass(slots=True, eq=False)
class Replica:
    """The views and the deciders; `pool` returns the pool in force."""

    allocations: Allocations
    objects: Objects
    queue: Queue
    clock: Clock
    pool: Callable[[], Pool | None]
    outputs: Outputs = field(default_factory=Outputs)
    quiet_s: float = QUIET_S
    known: AllocationView = field(init=False)
    carriers: CarrierView = field(init=False)
    namespaces: Namespaces = field(init=False)
    adoption: Adoption = field(init=False)
    collisions: Collisions = field(init=False)
    _reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        outputs = self.outputs
        self.known = AllocationView(self.clock.monotonic_s, self.queue.add)
        self.carriers = CarrierView(self._carriers_changed)
        self.namespaces = Namespaces(outputs.namespaces_changed)
        self.adoption = Adoption(self.known, self.carriers, outputs.adoption_changed)
        self.collisions = Collisions(self.known, self.namespaces.is_managed, outputs.record)
        self._reconciler = Reconciler(
            self.allocations,
            self.objects,
            self.known,
            self.carriers,
            self.pool,
            self.clock,
            self.queue.add_after,
            self.quiet_s,
        )

    async def reconcile(self, mac: MacAddress) -> None:
        """Bring the allocation of `mac` in line with the objects that carry it.

        Raises StoreUnavailable.
        """
        self.collisions.look(mac)  # first: objects collide even if the rest fails
        await self._reconciler.reconcile(mac)
        self.adoption.looked_at(mac)

    async def repair(self) -> None:
        """Find the changes that the watches missed. Raises StoreUnavailable."""
        await repair(self.allocations, self.objects, self.known, self.carriers, self.queue.add)

    def _carriers_changed(self, mac: MacAddress) -> None:
        if can_wait(mac, self.known, self.carriers, self.namespaces.is_managed):
            self.queue.add_when_idle(mac)
        else:
            self.queue.add(mac)
