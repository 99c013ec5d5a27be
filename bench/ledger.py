"""The ledger: which allocations there are, who wrote what, and which calls the controller made."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from crds.allocation import State, Stored
from crds.carriers import Carrier
from crds.mac import MacAddress
from e2e.audit import CONTROLLER, Audit
from testbed.controlplane import ControlPlane
from testbed.progress import PERIOD_S, say

# The controller binds hundreds of pods per second.
_BOUND_WITHIN_S = 120.0
# A stock that changes all the time is measured as it is.
_UNCHANGED_WITHIN_S = 10.0


class NeverCame(Exception):
    """An expected change did not happen in time."""


@dataclass(frozen=True, slots=True)
class Writes:
    """The writes to the allocations of pods with one interface.

    `spare`: allocations that the stock created in the same time, and that no pod got.
    """

    pods: int
    created: int
    updated: int
    deleted: int
    spare: int


class Watched:
    """A view of a watch that callers can wait for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool], what: str, within_s: float) -> None:
        """Return when `holds()` is true; it is called after each change. Raises NeverCame."""
        began_s = said_s = time.monotonic()
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    self._changed.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PERIOD_S):
                            await self._changed.wait()
                    if (now_s := time.monotonic()) - said_s >= PERIOD_S:
                        said_s = now_s
                        say(f"waiting until {what}: {now_s - began_s:.0f} s")
        except TimeoutError:
            raise NeverCame(f"not within {within_s:.0f} s: {what}") from None

    async def unchanged(self, rest_s: float) -> None:
        """Return when nothing has changed for `rest_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_UNCHANGED_WITHIN_S):
                while await self._changes(rest_s):
                    pass

    async def _changes(self, within_s: float) -> bool:
        self._changed.clear()
        try:
            async with asyncio.timeout(within_s):
                return await self._changed.wait()
        except TimeoutError:
            return False


class Ledger(Watched):
    """All allocations, and the writes since the ledger was opened.

    `bound_at_s`: when the watch first showed each address as Bound, on the monotonic clock.
    """

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[MacAddress, State] = {}
        self.bound_at_s: dict[MacAddress, float] = {}
        self._created: Counter[MacAddress] = Counter()
        self._updated: Counter[MacAddress] = Counter()
        self._deleted: Counter[MacAddress] = Counter()

    def reset(self, everything: list[Stored]) -> None:
        """Replace all allocations. A list shows no writes."""
        self.states.clear()
        self.bound_at_s.clear()
        for stored in everything:
            self._take(stored)

    def put(self, item: Stored) -> None:
        """Count a create or an update."""
        writes = self._updated if item.mac in self.states else self._created
        writes[item.mac] += 1
        self._take(item)

    def drop(self, item: Stored) -> None:
        """Count a delete."""
        self._deleted[item.mac] += 1
        self.states.pop(item.mac, None)
        self.bound_at_s.pop(item.mac, None)
        self._changed.set()

    async def all_bound(
        self, macs: Collection[MacAddress], within_s: float = _BOUND_WITHIN_S
    ) -> float:
        """Return when all of them are Bound: the time of the last one, on the monotonic clock."""
        waiting = set(macs)

        def none_waits() -> bool:
            waiting.difference_update([mac for mac in waiting if mac in self.bound_at_s])
            return not waiting

        await self.until(none_waits, f"{len(macs)} addresses are Bound", within_s)
        return max((self.bound_at_s[mac] for mac in macs), default=time.monotonic())

    async def all_gone(self, macs: Collection[MacAddress], within_s: float) -> None:
        """Return when none of them has an allocation."""
        what = f"{len(macs)} allocations are deleted"
        await self.until(lambda: not any(mac in self.states for mac in macs), what, within_s)

    def writes(self, macs: Collection[MacAddress]) -> Writes:
        """Count the writes to the allocations of these addresses."""
        created, updated, deleted = (
            sum(writes[mac] for mac in macs)
            for writes in (self._created, self._updated, self._deleted)
        )
        return Writes(len(macs), created, updated, deleted, self._created.total() - created)

    def _take(self, item: Stored) -> None:
        self.states[item.mac] = item.allocation.state
        if item.allocation.state is State.BOUND:
            self.bound_at_s.setdefault(item.mac, time.monotonic())
        self._changed.set()


class PodNames(Watched):
    """The names of the pods of one namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.namespace = namespace
        self.names: set[str] = set()

    def reset(self, everything: list[Carrier]) -> None:
        """Replace all names."""
        self.names.clear()
        for pod in everything:
            self.put(pod)

    def put(self, item: Carrier) -> None:
        """Add a pod of the namespace."""
        if item.namespace == self.namespace:
            self.names.add(item.name)
            self._changed.set()

    def drop(self, item: Carrier) -> None:
        """Remove a pod of the namespace."""
        if item.namespace == self.namespace:
            self.names.discard(item.name)
            self._changed.set()


def controller_calls(cluster: ControlPlane) -> Counter[str]:
    """Count the API calls of the controller by "verb resource". Needs a cluster with audit."""
    calls = Audit(cluster).calls(CONTROLLER)
    return Counter({f"{verb} {resource}": count for (verb, resource), count in calls.items()})


def by_resource(call: str) -> tuple[str, str]:
    """Sort key of calls."""
    verb, _, resource = call.partition(" ")
    return resource, verb
