"""What the replicas do without being asked: they create ahead, tidy, and stop cleanly.

Between any two of their calls a test does what it likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.admission import Admission

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.mac import MacAddress
    from simulation.replica import Replica


class Ahead(Admission):
    """The stocks of all replicas."""

    def stocked(self, replica: int = 0, keep: int = 1) -> tuple[MacAddress, ...]:
        """A replica keeps so many from now on, and has created them and seen that; return them."""
        self.replicas[replica].demand.keep = keep
        self.create_ahead(replica)
        self.replicas[replica].watch.deliver()
        return tuple(sorted(self.replicas[replica].ready()))

    def create_ahead(self, replica: int = 0, most: int | None = None) -> None:
        """A replica creates what it lacks: up to `most` of its calls."""
        self._begin(self.replicas[replica].fill, replica, most)

    def tidy(self, replica: int = 0, most: int | None = None) -> None:
        """A replica deletes what is of no use any more: up to `most` of its calls."""
        self._begin(self.replicas[replica].tidy, replica, most)

    def stop_replica(self, replica: int = 0, most: int | None = None) -> None:
        """A replica was told to stop, and serves on; a test kills it when it has."""
        self._begin(self.replicas[replica].stop, replica, most)

    def go_on(self, one: Replica, most: int | None = None) -> None:
        """Let through up to `most` calls of what a replica does without being asked."""
        while (most is None or most > 0) and (mine := self.calls.of(one)):
            most = None if most is None else most - 1
            self.let(mine[0])

    def _begin(self, what: Callable[[], None], replica: int, most: int | None) -> None:
        what()
        self.step()
        self.go_on(self.replicas[replica], most)
