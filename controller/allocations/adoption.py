"""Which addresses in use have no allocation, so that nobody must be given one yet.

Law: no address is given out before all that were in use at the first start are adopted, nor while
allocations are missing that were there before (the CRD was deleted and applied again). A controller
that is merely restarted stops nobody, and neither does a pod that comes by with its own address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.allocations.caches import AllocationView, CarrierView
    from crds.mac import MacAddress


class Adoption:
    """`changed` is called when `verdict` may have become something else."""

    def __init__(
        self, known: AllocationView, carriers: CarrierView, changed: Callable[[], None]
    ) -> None:
        self._known = known
        self._carriers = carriers
        self._changed = changed
        self._first: set[MacAddress] | None = None  # missing at the start; None: not counted yet
        self._lost: set[MacAddress] = set()  # missing since their allocation went
        known.lost = self._lose

    @property
    def verdict(self) -> bool | None:
        """Whether addresses may be given out; None: as before, this start knows no better yet."""
        if self._lost:
            return False
        return None if self._first is None or self._first else True

    @property
    def missing(self) -> int:
        """How many addresses in use have no allocation yet."""
        return len(self._lost) + len(self._first or ())

    def begin(self) -> None:
        """Both views hold everything now: count what is missing."""
        self._first = {mac for mac in self._carriers.macs() if self._is_missing(mac)}
        self._changed()

    def looked_at(self, mac: MacAddress) -> None:
        """`mac` was settled: it has its allocation now, or nobody carries it any more."""
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
