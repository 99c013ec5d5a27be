"""The controller in a simulation, requests, and the pool of all programs."""

import asyncio
import json
from dataclasses import dataclass
from typing import Protocol

from controller.replica import Replica as ControllerReplica
from crds.allocation import VM_KIND
from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from crds.resources import KINDS
from crds.store import StoreUnavailable
from crds.tests.fake import FakeCluster
from kube.tests.steered import SteeredLoop
from simulation.replica import Replica
from simulation.steering import DOING
from webhook.admission import Allowed, Denied, Review

# Few addresses: so requests compete for them often.
FIRST, SECOND, THIRD = (MacAddress(0x02_00_00_00_00_0A + n) for n in range(3))
OUTSIDE = MacAddress(0x0A_00_00_00_00_01)  # outside the range of the pool
POOL = Pool("default", (MacRange(FIRST, SECOND),))


class Watch(Protocol):
    """A FakeWatch of anything."""

    def cut(self) -> None: ...

    def reopen(self) -> None: ...

    def relist(self) -> None: ...

    def deliver(self, most: int | None = None) -> None: ...


@dataclass(slots=True, eq=False)
class Request:
    """An admission request: under way, then answered, then stored or over."""

    review: Review
    replica: Replica
    began_s: float
    task: asyncio.Task[Allowed | Denied]
    is_over: bool = False

    @property
    def verdict(self) -> Allowed | Denied | None:
        """The answer, once there is one."""
        return self.task.result() if self.task.done() and not self.task.cancelled() else None

    @property
    def is_allowed(self) -> bool:
        return isinstance(self.verdict, Allowed)

    @property
    def is_denied(self) -> bool:
        return isinstance(self.verdict, Denied)


class Controller:
    """One controller process, wired as it ships; the test decides when its queue is worked on."""

    def __init__(self, cluster: FakeCluster, name: str, loop: SteeredLoop) -> None:
        self.name = name
        self.marks: dict[MacAddress, None] = {}
        self.timers: dict[MacAddress, float] = {}
        self.reconciling: dict[MacAddress, asyncio.Task[None]] = {}
        self._loop = loop
        self._client = cluster.client(name)
        self.replica = ControllerReplica(
            self._client.allocations, self._client.objects, self, self, lambda: POOL
        )
        self.known, self.carriers = self.replica.known, self.replica.carriers
        self.allocation_watch = cluster.follow_allocations(self.known, lag=True)
        watches = {
            kind: cluster.follow_carriers(kind, self.carriers.of_kind(kind), lag=True)
            for kind in KINDS
        }
        self.carrier_watches = list(watches.values())
        self.vm_watch, self.pod_watch = watches[VM_KIND], watches["Pod"]

    def monotonic_s(self) -> float:
        return self._loop.now_s

    def now(self) -> str:
        return "2026-01-01T00:00:00Z"

    # It is its own queue (replica.Queue): a test decides what is worked on, and when.

    def add(self, mac: MacAddress) -> None:
        self.marks[mac] = None

    def add_when_idle(self, mac: MacAddress) -> None:
        self.add(mac)

    def add_after(self, mac: MacAddress, in_s: float) -> None:
        at_s = self._loop.now_s + in_s
        self.timers[mac] = min(at_s, self.timers.get(mac, at_s))

    def begin(self, mac: MacAddress) -> None:
        """Begin to reconcile `mac`, unless that is in progress."""
        if mac not in self.reconciling:
            self.marks.pop(mac, None)
            DOING.set((self, mac))
            self.reconciling[mac] = self._loop.create_task(self.replica.reconcile(mac))
            self._loop.rest()

    def repair(self) -> asyncio.Task[None]:
        """Begin a repair."""
        DOING.set((self, None))
        return self._loop.create_task(self.replica.repair())

    def reap(self) -> None:
        """Collect tasks that have ended; a failed call is tried again."""
        for mac, task in list(self.reconciling.items()):
            if task.done():
                del self.reconciling[mac]
                error = None if task.cancelled() else task.exception()
                if isinstance(error, StoreUnavailable):
                    self.add_after(mac, 1)
                elif error:
                    raise error

    def wake(self) -> None:
        """Queue the addresses whose timers are due."""
        for mac in [mac for mac, at_s in self.timers.items() if at_s <= self._loop.now_s]:
            del self.timers[mac]
            self.add(mac)


def networks(*macs: MacAddress | None, prefix: str = "") -> str:
    """Return an annotation with an element for each of `macs`; None asks for any."""
    return json.dumps(
        [
            {"name": f"net-{prefix}{n}"} | ({"mac": str(mac)} if mac else {})
            for n, mac in enumerate(macs)
        ]
    )
