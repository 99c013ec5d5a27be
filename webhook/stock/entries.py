"""The addresses in stock, and which of them may be handed out now.

Law: an entry may be handed out for `lifetime_s`, counted from *before* its create was sent, by two
clocks that must agree. The watch connection that was open then must still be open, and must have
shown the allocation unchanged. So after an interruption, a pause or a restore, no old entry is
handed out. Each entry is handed out at most once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crds.allocation import Stored
    from crds.mac import MacAddress
    from crds.pool import Pool
    from crds.resources import NameAndVersion


class Instant(NamedTuple):
    """A moment by two clocks (s): one that runs while the host sleeps, and the wall clock."""

    boottime_s: float
    wall_s: float


@dataclass(slots=True)
class _Entry:
    begun: Instant  # before the create was sent
    connection: int  # the one that was open then
    stored: Stored | None = None  # the result of the create
    version: str = ""  # the last one that the connection has shown

    @property
    def is_shown(self) -> bool:
        """Return True if the watch has shown it as it was created, and no newer version."""
        return self.stored is not None and self.stored.version == self.version


class StockEntries:
    """The allocations that this process created in advance (a View for the Follower), oldest first.

    `connection` returns the number of the watch connection that is open now, 0 for none. An entry
    is usable for `lifetime_s`.
    """

    def __init__(
        self, clock: Callable[[], Instant], connection: Callable[[], int], lifetime_s: float
    ) -> None:
        self._entries: dict[MacAddress, _Entry] = {}
        self._clock = clock
        self._connection = connection
        self._lifetime_s = lifetime_s

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, mac: MacAddress) -> bool:
        """Return True if it is in stock, at any age, or is being created."""
        return mac in self._entries

    @property
    def is_open(self) -> bool:
        """Return True if the watch is open. Otherwise new entries could never be handed out."""
        return self._connection() != 0

    def begin(self, mac: MacAddress) -> None:
        """Note that its create is about to be sent."""
        self._entries[mac] = _Entry(self._clock(), self._connection())

    def add(self, stored: Stored) -> None:
        """Note that its create succeeded."""
        if (entry := self._entries.get(stored.mac)) is not None:
            entry.stored = stored

    def forget(self, mac: MacAddress) -> None:
        """Remove it: another process created it, or the result of the create is unknown."""
        self._entries.pop(mac, None)

    def holds(self, found: Stored) -> bool:
        """Return True if this process created `found` and has not handed it out, at any age.

        The UID decides: another replica may have created the address again after a delete.
        """
        entry = self._entries.get(found.mac)
        return entry is not None and entry.stored is not None and entry.stored.uid == found.uid

    def take_out(self, found: Stored) -> bool:
        """Take `found` out and return True if it is in stock. The caller then writes over it."""
        if not self.holds(found):
            return False
        del self._entries[found.mac]
        return True

    def pop(self, count: int, pool: Pool) -> tuple[MacAddress, ...]:
        """Take out `count` addresses of `pool` that may be handed out; none if there are fewer.

        The check holds only now: the caller must hand them out without an `await`.
        """
        found = tuple(islice(self._ready(pool), count))
        if len(found) < count:
            return ()
        for mac in found:
            del self._entries[mac]
        return found

    def surplus(self, most: int, pool: Pool | None) -> list[Stored]:
        """Take out the entries that can no longer be handed out, and those that exceed `most`."""
        now = self._clock()
        kept = 0
        surplus: list[Stored] = []
        for mac, entry in list(self._entries.items()):
            if entry.stored is None and kept < most:
                kept += 1  # being created
                continue
            is_usable = self._is_usable(entry, now) and pool is not None and mac in pool
            if is_usable and kept < most:
                kept += 1
            elif entry.stored is not None:
                del self._entries[mac]
                surplus.append(entry.stored)
        return surplus

    def reset(self, _: list[NameAndVersion]) -> None:
        """See View.reset. A list follows an interruption, which made the entries unusable."""

    def put(self, item: NameAndVersion) -> None:
        """See View.put."""
        entry = self._entries.get(item.mac)
        if entry is None:
            return
        if entry.is_shown and str(item.version) != entry.version:
            self.forget(item.mac)  # another client has written to it
        else:  # until it is shown, this may be an earlier allocation of the address
            entry.version = str(item.version)

    def drop(self, item: NameAndVersion) -> None:
        """See View.drop."""
        self.forget(item.mac)

    def _ready(self, pool: Pool) -> Iterator[MacAddress]:
        now = self._clock()
        return (
            mac
            for mac, entry in self._entries.items()
            if entry.is_shown and self._is_usable(entry, now) and mac in pool
        )

    def _is_usable(self, entry: _Entry, now: Instant) -> bool:
        """Return True if it may be handed out once it is shown."""
        return entry.connection == self._connection() != 0 and self._is_young(entry, now)

    def _is_young(self, entry: _Entry, now: Instant) -> bool:
        return all(
            0 <= now_s - begun_s < self._lifetime_s
            for begun_s, now_s in zip(entry.begun, now, strict=True)
        )
