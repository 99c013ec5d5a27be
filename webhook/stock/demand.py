"""How many addresses are worth creating ahead: pure.

Law: no more is kept ahead than was asked for in the last V, so without demand nothing is created,
and what nobody came for is not created again (but once for each time that the watch is cut). Of
what may be free only a small part is ever kept: nothing unspent keeps an object waiting.
"""

from __future__ import annotations

from collections import deque

# The busiest second that was, so many times: a burst of that length waits for nothing.
_COVER_S = 2
# One replica keeps no more than this part of what is free, and nothing where that is little: it
# notices within a second that a pool fills up, and that many are not taken in a second.
SHARE, LITTLE = 64, 1024


class Demand:
    """What was asked for, by the second, over the last `lifetime_s` seconds (V)."""

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._by_second: deque[tuple[int, int]] = deque()

    def note(self, addresses: int, now_s: float) -> None:
        """So many were asked for; `now_s` is of a clock that never goes back."""
        second = int(now_s)
        if self._by_second and self._by_second[-1][0] == second:
            addresses += self._by_second.pop()[1]
        self._by_second.append((second, addresses))

    def ahead(self, now_s: float, most: int, free: int) -> int:
        """Return how many to keep: at most `most`, while so many are `free` in the pool."""
        while self._by_second and now_s - self._by_second[0][0] > self._lifetime_s:
            self._by_second.popleft()
        asked = [addresses for _, addresses in self._by_second]
        part = free // SHARE if free >= LITTLE else 0
        return min(sum(asked), _COVER_S * max(asked, default=0), most, part)
