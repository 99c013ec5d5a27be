"""A Follower's part without an API server: a view learns at once, or when a test says so."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.watch import View

S = TypeVar("S")
T = TypeVar("T")


class FakeWatch(Generic[S, T]):
    """What a Follower does for `view`; with `lag`, events wait until `deliver`.

    `connection` is as a Follower's: the number of the watch that is open now, 0 while it is cut.
    """

    def __init__(
        self, view: View[T], everything: Callable[[], list[S]], read: Callable[[S], T], *, lag: bool
    ) -> None:
        self.pending: deque[tuple[bool, T]] = deque()  # (is it still there, what)
        self.connection = self._connections = 0
        self._view, self._everything, self._read, self._lag = view, everything, read, lag
        self.relist()

    def cut(self) -> None:
        """The connection ends; nothing is delivered until it is opened again."""
        self.connection = 0

    def reopen(self) -> None:
        """Go on from where a cut watch was."""
        if not self.connection:
            self._connections += 1
            self.connection = self._connections
            if not self._lag:
                self.deliver()

    def relist(self) -> None:
        """Start again from a list, as after an expired version; undelivered events are skipped."""
        self.cut()
        self.pending.clear()
        self._view.reset([self._read(one) for one in self._everything()])
        self.reopen()

    def deliver(self, most: int | None = None) -> None:
        """Tell the view of the first `most` undelivered events, or of all, unless it is cut."""
        if not self.connection:
            return
        for _ in range(len(self.pending) if most is None else min(most, len(self.pending))):
            there, item = self.pending.popleft()
            (self._view.put if there else self._view.drop)(item)

    def see(self, item: S, *, there: bool) -> None:
        """Take an event; the cluster calls this."""
        self.pending.append((there, self._read(item)))
        if not self._lag:
            self.deliver()
