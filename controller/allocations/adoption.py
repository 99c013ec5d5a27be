"""Counts the addresses in use that have no allocation yet.

Law: no address is given out before all that were in use at the first start are adopted, nor while
allocations are missing that existed before (the CRD was deleted and applied again). A restart of
the controller does not stop the pool, and neither does a new pod with an address of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.allocations.caches import AllocationView, CarrierView
    from crds.mac import MacAddress


class Adoption:
    """`changed` is called when `verdict` may have changed."""

    def __init__(
        self, known: AllocationView, carriers: CarrierView, changed: Callable[[], None]
    ) -> None:
        self._known = known
        self._carriers = carriers
        self._changed = changed
        self._first: set[MacAddress] | None = None  # missing at the start; None: not counted yet
        self._lost: set[MacAddress] = set()  # missing since their allocation was deleted
        known.lost = self._lose

    @property
    def verdict(self) -> bool | None:
        """Return True if addresses may be given out; None: unknown yet, so it stays as it was."""
        if self._lost:
            return False
        return None if self._first is None or self._first else True

    @property
    def missing(self) -> int:
        """Return the number of addresses in use that have no allocation yet."""
        return len(self._lost) + len(self._first or ())

    def begin(self) -> None:
        """Count the missing allocations. Both views are complete now."""
        self._first = {mac for mac in self._carriers.macs() if self._is_missing(mac)}
        self._changed()

    def looked_at(self, mac: MacAddress) -> None:
        """`mac` was reconciled: it may have its allocation now, or no carrier any more."""
        if not self.missing or self._is_missing(mac):
            return
        self._lost.discard(mac)
        if self._first:
            self._first.discard(mac)
        if not self.missing:
            self._changed()

    def _lose(self, mac: MacAddress) -> None:
        if self._is_missing(mac):
            self._lost.add(mac)
            if len(self._lost) == 1:
                self._changed()

    def _is_missing(self, mac: MacAddress) -> bool:
        return self._known.get(mac) is None and bool(self._carriers.of(mac))
