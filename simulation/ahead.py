"""The work that replicas do without a request: they create stock, tidy it, and stop cleanly.

A test can act between any two of their calls.
"""

from collections.abc import Callable

from crds.mac import MacAddress
from simulation.admission import Admission
from simulation.replica import Replica


class Ahead(Admission):
    """The stocks of all replicas."""

    def stocked(self, replica: int = 0, keep: int = 1) -> tuple[MacAddress, ...]:
        """A replica keeps `keep` addresses from now on; create them, and return them."""
        self.create_ahead(replica, keep=keep)
        self.replicas[replica].watch.deliver()
        return tuple(sorted(self.replicas[replica].ready()))

    def create_ahead(
        self, replica: int = 0, most: int | None = None, *, keep: int | None = None
    ) -> None:
        """A replica creates the stock that it lacks, with up to `most` calls.

        With `keep`, it keeps that many addresses from now on.
        """
        if keep is not None:
            self.replicas[replica].demand.keep = keep
        self._begin(self.replicas[replica].fill, replica, most)

    def tidy(self, replica: int = 0, most: int | None = None) -> None:
        """A replica deletes stock that it cannot use any more, with up to `most` calls."""
        self._begin(self.replicas[replica].tidy, replica, most)

    def stop_replica(self, replica: int = 0, most: int | None = None) -> None:
        """A replica gets SIGTERM and serves on; the test kills it later."""
        self._begin(self.replicas[replica].stop, replica, most)

    def go_on(self, replica: Replica, most: int | None = None) -> None:
        """Let through up to `most` calls that a replica makes without a request."""
        while (most is None or most > 0) and (mine := self.calls.of(replica)):
            most = None if most is None else most - 1
            self.let(mine[0])

    def _begin(self, what: Callable[[], None], replica: int, most: int | None) -> None:
        what()
        self.step()
        self.go_on(self.replicas[replica], most)
