"""The work of the replica that holds the Lease, apart from kopf's handlers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.allocations.repair import REPAIR_EVERY_S
from controller.certificates.certifier import Certifier
from controller.pools.writer import PoolWriter
from controller.replica import Outputs, Replica
from crds.names import REPORTER
from crds.objects import ApiObjects
from crds.resources import ALLOCATIONS, KINDS
from crds.store import ApiAllocations
from kube.clock import SystemClock
from kube.recorder import EventRecorder
from kube.watch import Follower
from kube.workqueue import PeriodicTasks, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from controller.health import Health
    from controller.metrics.families import Metrics
    from controller.options import Options
    from crds.mac import MacAddress
    from kube.client import Api
    from kube.events import Event

_log = logging.getLogger("controller")
# The certificates are checked this often even if none is due, in case the wall clock jumps.
_CERTIFICATES_EVERY_S = 60.0
# The maximum age of the numbers in MacPool's status.
_STATUS_EVERY_S = 5.0
# Maximum concurrent requests, so that binding does not delay the creates that pods wait for.
# Measured on two cores, 8 clients, 4 interfaces: with 64 a pod takes 1.5 to 1.8 times as long.
CALLS = 6


class Task(StrEnum):
    """The periodic tasks. The log names a task that fails."""

    POOL = "pool"
    STATUS = "status"
    COLLISIONS = "collisions"
    CERTIFICATES = "certificates"
    REPAIR = "repair"


@dataclass(slots=True, eq=False)
class Leading:
    """The work of one leader. It is constructed when the replica gets the Lease.

    Events have their own client, `events_api`, so that no other call waits for an event.
    """

    options: Options
    api: Api
    events_api: Api
    tasks: PeriodicTasks = field(default_factory=PeriodicTasks)
    queue: WorkQueue[MacAddress] = field(default_factory=WorkQueue)
    clock: SystemClock = field(default_factory=SystemClock)
    recorder: EventRecorder = field(init=False)
    replica: Replica = field(init=False)
    pool: PoolWriter = field(init=False)
    certifier: Certifier = field(init=False)

    def __post_init__(self) -> None:
        options, clock, run_soon = self.options, self.clock, self.tasks.run_soon
        self.recorder = EventRecorder(self._post)
        self.replica = Replica(
            ApiAllocations(self.api),
            ApiObjects(self.api),
            self.queue,
            clock,
            lambda: self.pool.in_force(),  # noqa: PLW0108 # the pool's writer comes below
            Outputs(
                self.recorder.record,
                lambda: run_soon(Task.STATUS),
                lambda: run_soon(Task.COLLISIONS),
            ),
            options.quiet_s,
        )
        adoption = self.replica.adoption
        self.pool = PoolWriter(
            self.api, options.namespace, self.replica.known, clock, lambda: adoption.verdict
        )
        self.certifier = Certifier(
            self.api, options.namespace, options.intervals, clock.utc, clock.monotonic_s
        )

    def show(self, metrics: Metrics) -> None:
        """Let `metrics` show the state of this leader."""
        metrics.lead(
            lambda: self.replica.collisions.counts,
            lambda: self.pool.seen,
            lambda: self.certifier.ends,
        )

    async def run(self, health: Health) -> None:
        """Adopt, then bind, release and repair until cancelled."""
        replica, queue = self.replica, self.queue
        async with asyncio.TaskGroup() as running:
            for name, run, interval_s in self._periodic():
                running.create_task(self.tasks.run_every(name, run, interval_s))
            running.create_task(self.recorder.run())
            # Allocations before objects: then no object in a list seems to be without an allocation
            # that exists. VMs before VMIs before pods: the owner of an object is known before it.
            followers: list[Follower[Any]] = [Follower(self.api, ALLOCATIONS, replica.known)]
            followers += [
                Follower(self.api, KINDS[kind], replica.carriers.of_kind(kind)) for kind in KINDS
            ]
            for follower in followers:
                running.create_task(follower.run())
                await follower.synced.wait()
            replica.adoption.begin()
            _log.info("adopting %d addresses found in use", replica.adoption.missing)
            running.create_task(queue.run(replica.reconcile))
            running.create_task(self._repair_regularly())
            await queue.wait_until(lambda: replica.adoption.missing == 0)
            _log.info("every address in use has an allocation")
            health.not_ready_because = ""

    def _periodic(self) -> list[tuple[Task, Callable[[], Awaitable[float | None]], float]]:
        periodic: list[tuple[Task, Callable[[], Awaitable[float | None]], float]] = [
            (Task.POOL, self.pool.configure, REPAIR_EVERY_S),
            (Task.STATUS, self.pool.report, _STATUS_EVERY_S),
            (Task.COLLISIONS, self.replica.collisions.look_again, REPAIR_EVERY_S),
        ]
        if self.options.own_certificates:
            periodic.append((Task.CERTIFICATES, self.certifier.reconcile, _CERTIFICATES_EVERY_S))
        return periodic

    async def _repair_regularly(self) -> None:
        await asyncio.sleep(REPAIR_EVERY_S)  # the lists at the start are as good as a repair
        await self.tasks.run_every(Task.REPAIR, self.replica.repair, REPAIR_EVERY_S)

    async def _post(self, event: Event) -> None:
        await self.events_api.post(event.path, event.body(self.clock.now(), REPORTER))
