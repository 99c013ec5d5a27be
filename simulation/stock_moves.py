"""Moves of stock in a random life: of the replicas, their watches and clocks.

The wall clock of a replica can jump, its other clock does not: one of the two is always right.
"""

from simulation.programs import Request
from simulation.replica import STOCK_KEPT_S, STOCK_USABLE_S
from simulation.vm_moves import FEW, VmMoves

# V; the time that the controller keeps stock; less, so that two such times exceed either.
_LONG_S = (STOCK_USABLE_S, STOCK_KEPT_S, 200.0)
_JUMPS_S = (-STOCK_USABLE_S, -10.0, 10.0, STOCK_USABLE_S)
_NAMES = ("web-0", "web-0", "web-1", None)


class StockMoves(VmMoves):
    """The moves of stock. An impossible move does nothing."""

    # --- replicas -----------------------------------------------------------------------------

    def a_replica_creates_ahead(self) -> None:
        """Its watch shows that, or not yet."""
        number = self._keeping()
        self.sim.create_ahead(number)
        if self.choose(3):
            self.sim.replicas[number].watch.deliver()

    def a_create_ahead_begins(self) -> None:
        self.sim.create_ahead(self._keeping(), 0)

    def what_runs_ahead_goes_on(self) -> None:
        if parked := [call for replica in self.sim.replicas for call in self.sim.calls.of(replica)]:
            self.sim.let(self._pick(parked), keep_answer=self._one_in(3))

    def a_replica_tidies(self) -> None:
        number = self.choose(2)
        self.sim.replicas[number].demand.keep = self.choose(2)
        self.sim.tidy(number, None if self.choose(2) else self._pick(FEW))

    def a_replica_stops(self) -> None:
        """It serves while it deletes its stock, or it is replaced after that."""
        number = self.choose(2)
        if self.choose(2):
            self.sim.stop_replica(number, self._pick(FEW))
        else:
            self.sim.stop_replica(number)
            self.sim.crash_replica(number)

    def a_watch_is_cut(self) -> None:
        self._pick(self.sim.replicas).watch.cut()

    def a_watch_comes_back(self) -> None:
        watch = self._pick(self.sim.replicas).watch
        watch.relist() if self._one_in(3) else watch.reopen()

    def a_wall_clock_jumps(self) -> None:
        self._pick(self.sim.replicas).clock.wall_ahead_s += self._pick(_JUMPS_S)
        self.sim.step()

    # --- requests -----------------------------------------------------------------------------

    def a_pod_takes_from_stock(self) -> None:
        request = self.sim.ask(self._pick(_NAMES), *self._any(), replica=self._stocked())
        self._go_on(request)

    def a_vm_takes_from_stock(self) -> None:
        request = self.sim.ask_vm(self._pick(_NAMES), *self._any(), replica=self._stocked())
        self._go_on(request)

    # --- time ---------------------------------------------------------------------------------

    def v_passes(self) -> None:
        self.sim.pass_time(self._pick(_LONG_S), deadlines=self.choose(2) == 0)
        if self.choose(2):
            self.sim.calm()

    def a_replica_is_paused(self) -> None:
        """Perhaps in the middle of a create; the others go on. Then it gets a request."""
        number = self.choose(2)
        replica, other = self.sim.replicas[number], 1 - number
        if self.choose(2):
            replica.demand.keep = 1
            self.sim.create_ahead(number, 0)
        if parked := self.sim.calls.of(replica):
            self.sim.let(parked[0], keep_answer=True)
        self.sim.late.append(replica.watch)
        self.sim.pass_time(self._pick(_LONG_S), deadlines=False)
        self.sim.calm()
        if self.choose(2):
            self.sim.create_ahead(other)
        self.sim.late.remove(replica.watch)
        self._go_on(self.sim.ask(self._pick(_NAMES), *self._macs(), replica=number))

    # ------------------------------------------------------------------------------------------

    def _keeping(self) -> int:
        number = self.choose(2)
        self.sim.replicas[number].demand.keep = self._pick((1, 1, 2))
        return number

    def _stocked(self) -> int:
        """Return a replica with stock; if none has any, one tries to create some."""
        found = [number for number, replica in enumerate(self.sim.replicas) if replica.ready()]
        if found:
            return self._pick(found)
        number = self._keeping()
        self.sim.replicas[number].watch.reopen()
        self.sim.replicas[number].watch.deliver()
        self.sim.create_ahead(number)
        self.sim.replicas[number].watch.deliver()
        return number

    def _any(self) -> tuple[None, ...]:
        return (None, None) if self._one_in(6) else (None,)

    def _go_on(self, request: Request) -> None:
        self.sim.answer(request, None if self.choose(2) else self._pick(FEW))
        if self.choose(2):
            self.sim.store(request)


# How often each is tried, beside those of moves.py: about one of four.
STOCK_WEIGHTS = {
    StockMoves.a_replica_creates_ahead: 8,
    StockMoves.a_create_ahead_begins: 3,
    StockMoves.what_runs_ahead_goes_on: 5,
    StockMoves.a_replica_tidies: 2,
    StockMoves.a_replica_stops: 1,
    StockMoves.a_watch_is_cut: 2,
    StockMoves.a_watch_comes_back: 4,
    StockMoves.a_wall_clock_jumps: 1,
    StockMoves.a_pod_takes_from_stock: 5,
    StockMoves.a_vm_takes_from_stock: 2,
    StockMoves.v_passes: 3,
    StockMoves.a_replica_is_paused: 2,
}
