"""A Follower without an API server: a view gets events at once, or when a test delivers them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.watch import View

S = TypeVar("S")
T = TypeVar("T")


class FakeWatch(Generic[S, T]):
    """Tells `view` of each event, as a Follower does; with `lag`, events wait until `deliver`.

    `connection`: the number of the open watch, 0 while it is closed (see Follower).
    """

    def __init__(
        self, view: View[T], everything: Callable[[], list[S]], read: Callable[[S], T], *, lag: bool
    ) -> None:
        self.pending: deque[tuple[bool, T]] = deque()  # (does it still exist, the object)
        self.connection = self._connections = 0
        self._view, self._everything, self._read, self._lag = view, everything, read, lag
        self.relist()

    def cut(self) -> None:
        self.connection = 0

    def reopen(self) -> None:
        if not self.connection:
            self._connections += 1
            self.connection = self._connections
            if not self._lag:
                self.deliver()

    def relist(self) -> None:
        """Start again from a list, as after an expired version; waiting events are dropped."""
        self.cut()
        self.pending.clear()
        self._view.reset([self._read(item) for item in self._everything()])
        self.reopen()

    def deliver(self, most: int | None = None) -> None:
        """Deliver the first `most` waiting events, or all, unless the watch is closed."""
        if not self.connection:
            return
        for _ in range(len(self.pending) if most is None else min(most, len(self.pending))):
            there, item = self.pending.popleft()
            (self._view.put if there else self._view.drop)(item)

    def see(self, item: S, *, there: bool) -> None:
        self.pending.append((there, self._read(item)))
        if not self._lag:
            self.deliver()
