"""Keeps which addresses are shared and who collides on them, and has it said, once.

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
    """`say` is given an event for each object concerned, when a collision begins or grows.

    What this process has not said yet is said again after a restart; the events' names see to it
    that nobody reads it twice.
    """

    def __init__(
        self,
        known: AllocationView,
        is_managed: Callable[[str, str], bool],
        say: Callable[[Event], None],
    ) -> None:
        self._known = known
        self._is_managed = is_managed
        self._say = say
        self._shared: set[MacAddress] = set()  # what has conflicts, be they policed or not
        self._colliding: dict[MacAddress, tuple[Owner, ...]] = {}

    def look(self, mac: MacAddress) -> None:
        """Take `mac` as its allocation is now."""
        entry = self._known.get(mac)
        if entry is None or not entry.stored.conflicts:
            self._shared.discard(mac)
            self._colliding.pop(mac, None)
            return
        self._shared.add(mac)
        before = {one.uid for one in self._colliding.pop(mac, ())}
        objects = colliding(entry.stored, self._is_managed)
        if objects:
            self._colliding[mac] = objects
        if not before.issuperset(one.uid for one in objects):
            for event in events(mac, objects):
                self._say(event)

    async def look_again(self) -> None:
        """Namespaces may be managed that were not, or the other way round."""
        for mac in tuple(self._shared):
            self.look(mac)

    @property
    def counts(self) -> Mapping[MacAddress, int]:
        """How many objects collide, by address; at least two."""
        return {mac: len(objects) for mac, objects in self._colliding.items()}
