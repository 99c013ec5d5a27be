"""Decides how many addresses to keep in stock (pure).

Law: the stock is never larger than the demand of the last lifetime of an entry. So without demand
nothing is created, and an unused entry is not created again (except once after each interruption of
the watch). Only a small part of the free addresses is kept, so that no request fails because of it.
"""

from __future__ import annotations

from collections import deque

# The stock covers the busiest second this many times: a burst of that length does not wait.
_COVER_S = 2
# One replica keeps at most 1/SHARE of the free addresses, and none if fewer than LITTLE are free.
# It notices within a second that a pool fills up; requests take fewer than LITTLE in a second.
SHARE, LITTLE = 64, 1024


class Demand:
    """The number of requested addresses per second, over the last `lifetime_s` seconds."""

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._by_second: deque[tuple[int, int]] = deque()

    def note(self, addresses: int, now_s: float) -> None:
        """Note a request for `addresses`; `now_s` is of a clock that never goes back."""
        second = int(now_s)
        if self._by_second and self._by_second[-1][0] == second:
            addresses += self._by_second.pop()[1]
        self._by_second.append((second, addresses))

    def ahead(self, now_s: float, most: int, free: int) -> int:
        """Return how many to keep: at most `most`, given how many are `free` in the pool."""
        while self._by_second and now_s - self._by_second[0][0] > self._lifetime_s:
            self._by_second.popleft()
        asked = [addresses for _, addresses in self._by_second]
        part = free // SHARE if free >= LITTLE else 0
        return min(sum(asked), _COVER_S * max(asked, default=0), most, part)
