"""The entries that were created ahead, and which of them may be handed out now.

Law: every entry has its own date. It can be handed out for V from *before* its create was sent, by
two clocks that must agree, and only while the watch connection that was open then is open, and has
shown it unchanged. So after a cut, a pause or a restore, no old entry is handed out. An entry that
was handed out never comes back.
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
    """A moment by two clocks (s): one runs while the host sleeps, one is the wall clock."""

    boottime_s: float
    wall_s: float


@dataclass(slots=True)
class _Entry:
    made: Instant  # before the create was sent
    connection: int  # that was open then
    stored: Stored | None = None  # the result of the create
    version: str = ""  # as that connection has shown it last

    @property
    def is_shown(self) -> bool:
        """Return True if the watch has shown it as it was created, and nothing newer."""
        return self.stored is not None and self.stored.version == self.version


class StockEntries:
    """The allocations that this process created ahead (a View for the Follower), oldest first.

    `connection` returns the number of the watch connection that is open now, 0 for none.
    `lifetime_s` is STOCK_LIFETIME_S.
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
        """Return True if it is here, at any age: not handed out, or being created."""
        return mac in self._entries

    @property
    def is_open(self) -> bool:
        """Return True if the watch is open: only then can new entries be handed out later."""
        return self._connection() != 0

    def begin(self, mac: MacAddress) -> None:
        """Its create is about to be sent."""
        self._entries[mac] = _Entry(self._clock(), self._connection())

    def made(self, stored: Stored) -> None:
        """The create has succeeded."""
        if (entry := self._entries.get(stored.mac)) is not None:
            entry.stored = stored

    def forget(self, mac: MacAddress) -> None:
        """It is not ours, or that is not certain."""
        self._entries.pop(mac, None)

    def holds(self, found: Stored) -> bool:
        """Return True if `found`, just read, was created here and not handed out, at any age.

        The UID decides: another replica may have created the address again since ours was deleted.
        """
        entry = self._entries.get(found.mac)
        return entry is not None and entry.stored is not None and entry.stored.uid == found.uid

    def take_out(self, found: Stored) -> bool:
        """Take `found` out, if it is here; the caller then writes over what was read."""
        if not self.holds(found):
            return False
        del self._entries[found.mac]
        return True

    def pop(self, count: int, pool: Pool) -> tuple[MacAddress, ...]:
        """Take out `count` of `pool` that may be handed out; none if there are fewer.

        The caller hands them out without an `await`: they are checked now.
        """
        found = tuple(islice(self._ready(pool), count))
        if len(found) < count:
            return ()
        for mac in found:
            del self._entries[mac]
        return found

    def surplus(self, most: int, pool: Pool | None) -> list[Stored]:
        """Take out what cannot be handed out any more, and what exceeds `most`."""
        now = self._clock()
        kept = 0
        out: list[Stored] = []
        for mac, entry in list(self._entries.items()):
            if entry.stored is None and kept < most:
                kept += 1  # being created
                continue
            is_good = self._is_good(entry, now) and pool is not None and mac in pool
            if is_good and kept < most:
                kept += 1
            elif entry.stored is not None:
                del self._entries[mac]
                out.append(entry.stored)
        return out

    def reset(self, _: list[NameAndVersion]) -> None:
        """See View.reset; a list comes after a cut, and no entry outlives one."""

    def put(self, item: NameAndVersion) -> None:
        """See View.put."""
        entry = self._entries.get(item.mac)
        if entry is None:
            return
        if entry.is_shown and str(item.version) != entry.version:
            self.forget(item.mac)  # another program has written to it
        else:  # before that, it may be an earlier allocation of the address
            entry.version = str(item.version)

    def drop(self, item: NameAndVersion) -> None:
        """See View.drop."""
        self.forget(item.mac)

    def _ready(self, pool: Pool) -> Iterator[MacAddress]:
        now = self._clock()
        return (
            mac
            for mac, entry in self._entries.items()
            if entry.is_shown and self._is_good(entry, now) and mac in pool
        )

    def _is_good(self, entry: _Entry, now: Instant) -> bool:
        """Return True if it may be handed out once it is shown."""
        return entry.connection == self._connection() != 0 and self._is_young(entry, now)

    def _is_young(self, entry: _Entry, now: Instant) -> bool:
        return all(
            0 <= at_s - made_s < self._lifetime_s
            for made_s, at_s in zip(entry.made, now, strict=True)
        )
