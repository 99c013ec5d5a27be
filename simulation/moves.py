"""Moves of a random life; numbers from outside choose their details.

A move is coarse where fine steps would not help (a pod is created, without interruption). It is
fine where accidents happen (a request or a reconciliation makes a few calls, and stops there).
"""

from crds.allocation import Allocation, Reservation
from crds.carriers import Carrier
from crds.pool import CollisionPolicy
from crds.tests.fake import ObjectExists
from simulation.admission import NAMESPACE
from simulation.programs import FIRST, OUTSIDE, SECOND, Request, Watch
from simulation.simulation import Simulation
from simulation.stock_moves import STOCK_WEIGHTS, StockMoves
from simulation.vm_moves import FEW, VM_WEIGHTS, Choose
from webhook.admission import Allowed

# Repeated entries are chosen more often: accidents need the same address and name many times.
_NAMES = ("web-0", "web-0", "web-0", "web-1", None)
_MACS = (FIRST, FIRST, FIRST, SECOND, OUTSIDE)
_RESERVATION = Reservation(kind="Pod", namespace=NAMESPACE, name="web-1")


class Moves(StockMoves):
    """The moves of one simulation. An impossible move does nothing."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        policy = CollisionPolicy.WARN if self._one_in(3) else CollisionPolicy.REJECT
        controllers, late = 1 + self._one_in(4), choose(9)
        # No choices after this line: Hypothesis can end a life at any choice, and a loop is open.
        self.sim = Simulation(controllers=controllers, draw=choose, policy=policy)
        watches = self.sim.controllers[-1].carrier_watches
        self.sim.late += watches[late : late + 1]  # in two of three lives, none

    # --- admission ----------------------------------------------------------------------------

    def a_pod_is_created(self) -> None:
        request = self._ask()
        self.sim.answer(request)
        self.sim.store(request)

    def a_create_begins(self) -> None:
        self.sim.answer(self._ask(), self._pick(FEW))

    def a_create_is_answered(self) -> None:
        self.sim.answer(self._ask())

    def an_update_adds_an_interface(self) -> None:
        if pods := [pod for pod in self._pods() if pod.namespace == NAMESPACE]:
            macs = self._macs()
            request = self.sim.ask_update(self._pick(pods), *macs, replica=self.choose(2))
            self.sim.answer(request, None if self.choose(2) else self._pick(FEW))
            if self._one_in(2):
                self.sim.store(request)

    def a_request_goes_on(self) -> None:
        if begun := [request for request in self.sim.requests if not request.task.done()]:
            self.sim.answer(self._pick(begun), None if self.choose(2) else self._pick(FEW))

    def an_answer_is_stored(self) -> None:
        if answered := self._answered():
            self.sim.store(self._pick(answered))

    def an_answer_is_refused_downstream(self) -> None:
        if answered := self._answered():
            self._pick(answered).is_over = True

    def the_api_server_asks_twice(self) -> None:
        if open_ := [request for request in self.sim.requests if not request.is_over]:
            again = self.sim.ask_again(self._pick(open_), replica=self.choose(2))
            self.sim.answer(again, None if self.choose(2) else self._pick(FEW))

    # --- objects ------------------------------------------------------------------------------

    def a_pod_goes(self) -> None:
        if pods := self._pods():
            self.sim.delete(self._pick(pods))

    def a_pod_goes_and_all_know(self) -> None:
        self.a_pod_goes()
        self.sim.deliver()

    def a_pod_ends(self) -> None:
        if pods := self._live_pods():
            self.sim.end(self._pick(pods))

    def a_pod_loses_its_interfaces(self) -> None:
        if pods := self._live_pods():
            self.sim.edit(self._pick(pods))

    def a_pod_appears_unseen(self) -> None:
        """Its namespace has not opted in, or the webhook did not review it."""
        namespace = self._pick(("other", NAMESPACE))
        try:
            self.sim.bypass(self._pick(_NAMES[2:]) or "alien", self._pick(_MACS), namespace)
        except ObjectExists:
            return

    def an_address_is_declared(self) -> None:
        reserved = None if self.choose(2) else _RESERVATION
        self.sim.declare(Allocation(mac=self._pick(_MACS), reserved_for=reserved))

    def a_declaration_is_withdrawn(self) -> None:
        self.sim.undeclare(self._pick(_MACS))

    # --- the controller, watches, time --------------------------------------------------------

    def the_controller_goes_on(self) -> None:
        number = self.choose(len(self.sim.controllers))
        controller = self.sim.controllers[number]
        macs = [*controller.reconciling, *controller.marks]
        if macs:
            mac = self._pick(macs)
            self.sim.reconcile(mac, self._pick(FEW), number)

    def all_is_calm(self) -> None:
        self.sim.calm()

    def quiet_passes(self) -> None:
        """Requests that have just begun are still in progress after it."""
        self.sim.calm()
        self.sim.pass_time(31.0, deadlines=self.choose(2) == 0)
        self.sim.pass_time(31.0)
        if self.choose(3) == 0:
            self.sim.calm()

    def time_passes(self) -> None:
        self.sim.pass_time(self._pick((2.0, 8.0, 11.0, 29.0, 55.0)), deadlines=self.choose(2) == 0)

    def all_know_all(self) -> None:
        self.sim.deliver()

    def a_view_learns(self) -> None:
        self._pick(self.sim.watches()).deliver(None if self.choose(2) else 1)

    def a_controller_sees_a_kind_late(self) -> None:
        """From now on, or no longer."""
        watch: Watch = self._pick(self._pick(self.sim.controllers).carrier_watches)
        if watch in self.sim.late:
            self.sim.late.remove(watch)
        else:
            self.sim.late.append(watch)

    def a_late_view_learns(self) -> None:
        if self.sim.late:
            self._pick(self.sim.late).deliver(1)

    def a_watch_lists_again(self) -> None:
        self._pick(self.sim.watches()).relist()

    def a_repair_runs(self) -> None:
        self.sim.repair(self.choose(len(self.sim.controllers)))

    # --- misfortune ---------------------------------------------------------------------------

    def a_call_fails(self) -> None:
        if self.sim.calls.parked:
            self.sim.fail(self._pick(self.sim.calls.parked), after=self.choose(2) == 0)

    def a_replica_is_killed(self) -> None:
        self.sim.crash_replica(self.choose(2))

    def the_controller_is_killed(self) -> None:
        self.sim.crash_controller(self.choose(len(self.sim.controllers)))

    # ------------------------------------------------------------------------------------------

    def _ask(self) -> Request:
        return self.sim.ask(self._pick(_NAMES), *self._macs(), replica=self.choose(2))

    def _pods(self) -> list[Carrier]:
        """Return pods that are no launchers; of those that have ended, only some."""
        return [
            pod
            for pod in self.sim.cluster.pods.values()
            if pod.controller is None and (not pod.terminal or self._one_in(2))
        ]

    def _live_pods(self) -> list[Carrier]:
        return [pod for pod in self._pods() if pod.attachments]

    def _answered(self) -> list[Request]:
        return [
            request
            for request in self.sim.requests
            if not request.is_over and isinstance(request.verdict, Allowed)
        ]


# How often each is tried: with those of pods 100 in all, about per cent.
POD_WEIGHTS = {
    Moves.a_pod_is_created: 9,
    Moves.a_create_begins: 6,
    Moves.a_create_is_answered: 6,
    Moves.an_update_adds_an_interface: 4,
    Moves.a_pod_goes: 4,
    Moves.a_pod_goes_and_all_know: 5,
    Moves.a_pod_ends: 1,
    Moves.a_pod_loses_its_interfaces: 1,
    Moves.a_pod_appears_unseen: 2,
}
COMMON_WEIGHTS = {
    Moves.a_request_goes_on: 8,
    Moves.an_answer_is_stored: 9,
    Moves.an_answer_is_refused_downstream: 1,
    Moves.the_api_server_asks_twice: 1,
    Moves.an_address_is_declared: 1,
    Moves.a_declaration_is_withdrawn: 1,
    Moves.the_controller_goes_on: 16,
    Moves.all_is_calm: 3,
    Moves.quiet_passes: 8,
    Moves.time_passes: 3,
    Moves.all_know_all: 4,
    Moves.a_view_learns: 3,
    Moves.a_controller_sees_a_kind_late: 1,
    Moves.a_late_view_learns: 4,
    Moves.a_watch_lists_again: 1,
    Moves.a_repair_runs: 1,
    Moves.a_call_fails: 2,
    Moves.a_replica_is_killed: 1,
    Moves.the_controller_is_killed: 1,
}
# A life is of pods, of VMs, or of both; and in two of three addresses are created ahead.
_PLAIN = (
    POD_WEIGHTS | COMMON_WEIGHTS,
    VM_WEIGHTS | COMMON_WEIGHTS,
    POD_WEIGHTS | VM_WEIGHTS | COMMON_WEIGHTS,
)
LIVES = (*_PLAIN, *2 * tuple(life | STOCK_WEIGHTS for life in _PLAIN))
