"""Tracks the shared addresses and the objects that collide on them, and records collisions once.

Law: an address is looked at whenever its allocation may have changed, and all that are shared are
looked at when a namespace may have come or gone. Nothing here waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.collisions.messages import colliding, events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.allocations.caches import AllocationView
    from crds.allocation import Owner
    from crds.mac import MacAddress
    from kube.events import Event


class Collisions:
    """`record` gets an event for each colliding object, when a collision begins or grows.

    After a restart, all current collisions are recorded again. Their events have the same names,
    so the API server refuses the second ones.
    """

    def __init__(
        self,
        known: AllocationView,
        is_managed: Callable[[str, str], bool],
        record: Callable[[Event], None],
    ) -> None:
        self._known = known
        self._is_managed = is_managed
        self._record = record
        self._shared: set[MacAddress] = set()  # with conflicts in any namespace
        self._colliding: dict[MacAddress, tuple[Owner, ...]] = {}

    def look(self, mac: MacAddress) -> None:
        """Compare the allocation of `mac` with the last look."""
        entry = self._known.get(mac)
        if entry is None or not entry.stored.conflicts:
            self._shared.discard(mac)
            self._colliding.pop(mac, None)
            return
        self._shared.add(mac)
        before = {owner.uid for owner in self._colliding.pop(mac, ())}
        objects = colliding(entry.stored, self._is_managed)
        if objects:
            self._colliding[mac] = objects
        if not before.issuperset(owner.uid for owner in objects):
            for event in events(mac, objects):
                self._record(event)

    async def look_again(self) -> None:
        """Look at all shared addresses: other namespaces may be managed now."""
        for mac in tuple(self._shared):
            self.look(mac)

    @property
    def counts(self) -> Mapping[MacAddress, int]:
        """Return the number of colliding objects by address; at least two."""
        return {mac: len(objects) for mac, objects in self._colliding.items()}
