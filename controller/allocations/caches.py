"""Views of the watched objects: allocations by address, and carriers by address.

Law: a view is a hint. It tells which address to look at; a release is decided on live reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.allocation import State
from crds.kinds import keeps_hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crds.allocation import Stored
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.pool import Pool


@dataclass(frozen=True, slots=True)
class Entry:
    """An allocation, and when (own monotonic clock, s) this state of it was first seen."""

    stored: Stored
    since_s: float


class AllocationView:
    """All allocations (a View). `mark` is called with each address that changed."""

    def __init__(self, clock: Callable[[], float], mark: Callable[[MacAddress], None]) -> None:
        self._entries: dict[MacAddress, Entry] = {}
        self._clock = clock
        self._mark = mark
        # Called with each address whose allocation does not exist any more.
        self.lost: Callable[[MacAddress], None] = lambda _: None
        self._pool: Pool | None = None
        self._inside = 0

    def get(self, mac: MacAddress) -> Entry | None:
        """Return the allocation of `mac`."""
        return self._entries.get(mac)

    def is_stock(self, mac: MacAddress) -> bool:
        """Return True if a webhook created it ahead of time, and it is not bound yet."""
        entry = self._entries.get(mac)
        return entry is not None and entry.stored.allocation.state is State.STOCK

    def macs(self) -> Iterable[MacAddress]:
        """Return all addresses that have an allocation."""
        return self._entries.keys()

    def allocated_in(self, pool: Pool) -> int:
        """Return how many of `pool` are declared or have an owner. Counted once, then updated."""
        if self._pool != pool:
            self._pool = pool
            self._inside = sum(self._counts(entry) for entry in self._entries.values())
        return self._inside

    def reset(self, everything: list[Stored]) -> None:
        """Replace all. Quiet starts again, because changes before the list are unknown."""
        touched = set(self._entries)
        now_s = self._clock()
        self._entries = {stored.mac: Entry(stored, now_s) for stored in everything}
        self._pool = None
        for mac in touched - self._entries.keys():
            self.lost(mac)
        self._touch(touched | self._entries.keys())

    def put(self, item: Stored) -> None:
        """See View.put."""
        known = self._entries.get(item.mac)
        if known and (known.stored.uid, known.stored.version) == (item.uid, item.version):
            return
        entry = self._entries[item.mac] = Entry(item, self._clock())
        self._inside += self._counts(entry) - self._counts(known)
        self._touch((item.mac,))

    def drop(self, item: Stored) -> None:
        """See View.drop."""
        self.forget(item.mac)

    def forget(self, mac: MacAddress) -> None:
        """Remove the allocation of `mac`: it does not exist any more."""
        if (entry := self._entries.pop(mac, None)) is not None:
            self._inside -= self._counts(entry)
            self.lost(mac)
            self._touch((mac,))

    def _counts(self, entry: Entry | None) -> bool:
        return (
            entry is not None
            and self._pool is not None
            and entry.stored.allocation.state is not State.STOCK
            and entry.stored.mac in self._pool
        )

    def _touch(self, macs: Iterable[MacAddress]) -> None:
        for mac in macs:
            self._mark(mac)


class CarrierView:
    """The objects of all kinds that carry addresses. Objects without an address are not kept.

    An object may still have an address that it no longer shows. When the object is deleted or
    changes, such an address is marked, too.
    """

    def __init__(self, mark: Callable[[MacAddress], None]) -> None:
        # By UID: the kind, and the addresses that the object showed before.
        self._hidden: dict[str, tuple[str, set[MacAddress]]] = {}
        self._by_uid: dict[str, Carrier] = {}
        self._by_mac: dict[MacAddress, dict[str, Carrier]] = {}
        self._mark = mark

    def of(self, mac: MacAddress) -> tuple[Carrier, ...]:
        """Return the objects that carry `mac`, in the order in which they were seen."""
        return tuple(self._by_mac.get(mac, {}).values())

    def macs(self) -> Iterable[MacAddress]:
        """Return all addresses that an object carries."""
        return self._by_mac.keys()

    def get(self, uid: str) -> Carrier | None:
        """Return the object of that UID."""
        return self._by_uid.get(uid)

    def uids(self) -> Iterable[str]:
        """Return the UIDs of all objects that carry an address."""
        return self._by_uid.keys()

    def of_kind(self, kind: str) -> OfKind:
        """Return the View that takes the objects of one kind."""
        return OfKind(self, kind)

    def reset(self, kind: str, everything: list[Carrier]) -> None:
        """Replace the objects of `kind` (View.reset); those of other kinds stay."""
        here = {carrier.uid for carrier in everything}
        known = {uid for uid, carrier in self._by_uid.items() if carrier.kind == kind}
        known |= {uid for uid, (hiding, _) in self._hidden.items() if hiding == kind}
        for uid in known - here:
            self._remove(uid)
        for carrier in everything:
            self.put(carrier)

    def put(self, item: Carrier) -> None:
        """See View.put."""
        known = self._by_uid.get(item.uid)
        if item.terminal:
            self._remove(item.uid)
            return
        if known is not None:
            if replace(known, version=item.version) == item:
                return
            macs = {attachment.mac for attachment in known.attachments}
            hidden = {mac for mac in macs if not item.carries(mac)}
            hidden |= self._hidden_by(item.uid)
            self._remove(item.uid)
            if hidden and keeps_hidden(item.kind):
                self._hidden[item.uid] = item.kind, hidden
        if item.attachments:
            self._by_uid[item.uid] = item
        for attachment in item.attachments:
            self._by_mac.setdefault(attachment.mac, {})[item.uid] = item
            self._mark(attachment.mac)

    def drop(self, item: Carrier) -> None:
        """See View.drop."""
        self._remove(item.uid)

    def _hidden_by(self, uid: str) -> set[MacAddress]:
        _, macs = self._hidden.get(uid, ("", set()))
        return macs

    def _remove(self, uid: str) -> None:
        for mac in self._hidden_by(uid):
            self._mark(mac)
        self._hidden.pop(uid, None)
        known = self._by_uid.pop(uid, None)
        for attachment in known.attachments if known else ():
            carriers = self._by_mac.get(attachment.mac, {})
            carriers.pop(uid, None)
            if not carriers:
                self._by_mac.pop(attachment.mac, None)
            self._mark(attachment.mac)


@dataclass(frozen=True, slots=True)
class OfKind:
    """A View that puts the objects of one kind into the CarrierView."""

    view: CarrierView
    kind: str

    def reset(self, everything: list[Carrier]) -> None:
        """See View.reset."""
        self.view.reset(self.kind, everything)

    def put(self, item: Carrier) -> None:
        """See View.put."""
        self.view.put(item)

    def drop(self, item: Carrier) -> None:
        """See View.drop."""
        self.view.drop(item)
