"""Two webhook replicas and a controller on one fake API server, in steps that a test decides.

Every call parks until the test lets it through, fails it before or after its effect, or crashes its
program. Watches lag until they are delivered. Time moves only by `pass_time`. After every step the
laws are checked.

`calm`: all events arrive, and the controllers finish their work. `quiet`: that, and Q passes.
`quiesce`: every request ends, and all is at rest.
"""

from collections.abc import Callable
from typing import Any

from crds.allocation import QUIET_S, STOCK_DELETED_AFTER_Q, VMI_KIND, Allocation, State
from crds.carriers import Carrier
from crds.mac import MacAddress
from crds.pool import CollisionPolicy, Pool
from simulation.ahead import Ahead
from simulation.kubevirt import Key
from simulation.programs import POOL, Controller, Watch
from simulation.replica import Replica, Settings
from simulation.steering import Parked

_MOST_TURNS = 500  # far more calls than a run leaves to do
# Bound, conflicts recorded, released, adopted: each can take one; and the time of stock.
_MOST_QUIETS = 8 + STOCK_DELETED_AFTER_Q


class Simulation(Ahead):
    """The whole system."""

    def __init__(
        self,
        controllers: int = 1,
        draw: Callable[[int], int] = lambda _: 0,
        policy: CollisionPolicy = CollisionPolicy.REJECT,
        pool: Pool = POOL,
    ) -> None:
        super().__init__()
        self.late: list[Watch] = []  # `deliver` and `calm` leave them out
        self._settings = Settings(draw, policy, pool)
        self.replicas = [self._replica(f"webhook-{n}") for n in range(2)]
        self.controllers = [
            Controller(self.cluster, f"controller-{n}", self.loop) for n in range(controllers)
        ]
        self.laws.ready = lambda: {mac for replica in self.replicas for mac in replica.ready()}

    def _replica(self, name: str) -> Replica:
        return Replica(self.cluster, name, self.loop, self._settings)

    # --- other clients ------------------------------------------------------------------------

    def delete(self, pod: Carrier) -> None:
        """A pod is deleted."""
        self.cluster.delete_pod(pod.namespace, pod.name)
        self.step()

    def end(self, pod: Carrier) -> None:
        """A pod ends by itself."""
        self.cluster.set_phase(pod.namespace, pod.name, "Succeeded")
        self.step()

    def edit(self, pod: Carrier, text: str = "[]") -> None:
        """A pod's annotation changes in a way that asks for nothing."""
        self.cluster.annotate(pod.namespace, pod.name, text)
        self.step()

    def vanish(self, kind: str, key: Key) -> None:
        """A VM or VMI is gone by force; KubeVirt gives up its work on it."""
        for request in self.requests:
            made_by = getattr(request.review, "launched_for", None)
            if kind == VMI_KIND and made_by and made_by.name == key[1]:
                request.is_over = True
        self.kubevirt.vanish(kind, key)
        self.step()

    def declare(self, allocation: Allocation) -> None:
        """A user applies a Declared allocation; an existing one stays as it is."""
        if allocation.mac not in self.cluster.allocated:
            self.cluster._create(allocation)
            self.laws.declared[allocation.mac] = allocation

    def undeclare(self, mac: MacAddress) -> None:
        """A user deletes a Declared allocation; the policy refuses that in every other state."""
        stored = self.cluster.allocated.get(mac)
        if stored is not None and stored.allocation.state is State.DECLARED:
            self.cluster._delete(stored)
            self.laws.declared.pop(mac, None)

    # --- calls, watches, time -----------------------------------------------------------------

    def fail(self, which: Parked, *, after: bool) -> None:
        """Fail a parked call, before its effect or after."""
        self.calls.fail(which, after=after)
        self.step()

    def next(self, client: str, verb: str = "") -> Parked:
        """The first parked call of `client` with `verb`."""
        for parked in self.calls.parked:
            if parked.call.client.startswith(client) and parked.call.verb.startswith(verb):
                return parked
        raise AssertionError(
            f"no {verb} of {client} in {[str(parked) for parked in self.calls.parked]}"
        )

    def watches(self) -> list[Watch]:
        """Return all watches: of the replicas, then of each controller."""
        found: list[Watch] = [replica.watch for replica in self.replicas]
        for controller in self.controllers:
            found += [controller.allocation_watch, *controller.carrier_watches]
        return found

    def deliver(self) -> None:
        """Deliver all events to all views except late ones."""
        for watch in self.watches():
            if watch not in self.late:
                watch.deliver()

    def reconcile(self, mac: MacAddress, most: int | None = None, controller: int = 0) -> None:
        """The controller begins or continues to reconcile `mac`, with up to `most` calls."""
        program = self.controllers[controller]
        program.begin(mac)
        self.step()
        while mac in program.reconciling and (most is None or most > 0):
            mine = self.calls.of((program, mac)) or [
                parked for parked in self.calls.parked if parked.call.client == program.name
            ]
            most = None if most is None else most - 1
            self.let(mine[0])

    def repair(self, controller: int = 0) -> None:
        """The controller repairs, without interruption."""
        program = self.controllers[controller]
        task = program.repair()
        self.step()
        while parked := self.calls.of((program, None)):
            self.let(parked[0])
        task.result()

    def pass_time(self, by_s: float, *, deadlines: bool = True) -> None:
        """Time passes; requests that began Q ago are over, with any result."""
        self.loop.now_s += by_s
        if deadlines:
            self.loop.strike()
        for request in self.requests:
            if self.loop.now_s - request.began_s >= QUIET_S:
                request.is_over = True
        self.kubevirt.age()
        for controller in self.controllers:
            controller.wake()
        self.step()

    def crash_replica(self, number: int) -> None:
        """kill -9 of a webhook: its calls end where they are, and a new process starts."""
        dead = self.replicas[number]
        for request in self.requests:
            if request.replica is dead and not request.task.done():
                request.is_over = True
                request.task.cancel()
        for task in dead.tasks:
            task.cancel()
        self._forget(dead.name, dead.watch)
        self.replicas[number] = self._replica(dead.name)
        self.replicas[number].demand.keep = dead.demand.keep
        self.step()

    def crash_controller(self, number: int = 0) -> None:
        """kill -9 of a controller, and a new one starts."""
        dead = self.controllers[number]
        for task in dead.reconciling.values():
            task.cancel()
        self._forget(dead.name, dead.allocation_watch, *dead.carrier_watches)
        self.controllers[number] = Controller(self.cluster, dead.name, self.loop)
        self.step()

    def _forget(self, client: str, *watches: Watch) -> None:
        self.calls.parked = [parked for parked in self.calls.parked if parked.call.client != client]
        gone = set(map(id, watches))
        followed: list[list[Any]] = [self.cluster._allocation_watches]
        for watched in (*followed, *self.cluster._carrier_watches.values()):
            watched[:] = [watch for watch in watched if id(watch) not in gone]

    def step(self) -> None:
        """See Admission.step."""
        self.loop.rest()
        programs: list[Replica | Controller] = [*self.replicas, *self.controllers]
        for program in programs:
            program.reap()
        self.laws.check()

    # --- to rest ------------------------------------------------------------------------------

    def calm(self) -> None:
        """All events arrive and the controllers do what they can; requests stay where they are.

        If two controllers see different objects, one acts: both would set and clear conflicts.
        """
        late = set(map(id, self.late))
        seeing = [
            controller
            for controller in self.controllers
            if late.isdisjoint(map(id, controller.carrier_watches))
        ]
        acting = seeing or self.controllers[:1]
        for _ in range(_MOST_TURNS):
            self.deliver()
            busy = [
                parked
                for parked in self.calls.parked
                if parked.call.client.startswith("controller")
            ]
            marked = [(controller, mac) for controller in acting for mac in controller.marks]
            free = [
                (controller, mac) for controller, mac in marked if mac not in controller.reconciling
            ]
            if busy:
                self.let(busy[0])
            elif free:
                free[0][0].begin(free[0][1])
                self.step()
            else:
                return
        raise AssertionError(f"no rest: {[str(parked) for parked in self.calls.parked]}")

    def quiet(self) -> None:
        """Calm, and Q later calm again."""
        self.calm()
        self.pass_time(QUIET_S + 1)
        self.calm()

    def quiesce(self, *, repaired: bool = False) -> None:
        """Every request ends and Q passes, again and again: then nothing leaks and all is bound.

        That takes as long as the controller keeps stock, and no replica creates stock. A controller
        that never saw a pod with its address does not notice its end, so a life in which that can
        happen must be `repaired` first.
        """
        self.late.clear()
        for request in self.requests:
            self.answer(request)
            request.is_over = True
        for replica in self.replicas:
            self.go_on(replica)
        self.quiet()
        if repaired:
            for number in range(len(self.controllers)):
                self.repair(number)
            self.quiet()
        for _ in range(_MOST_QUIETS):
            if any(controller.timers for controller in self.controllers):
                self.quiet()
        self.laws.check_rest()

    def close(self) -> None:
        """End every task and the loop."""
        self.calls.parked.clear()
        self.loop.end()

    def allocation(self, mac: MacAddress) -> Allocation | None:
        """Return the stored allocation of `mac`."""
        stored = self.cluster.allocated.get(mac)
        return stored.allocation if stored else None

    def stored_state(self, mac: MacAddress) -> State | None:
        """Return the state of the allocation of `mac`; None without one."""
        allocation = self.allocation(mac)
        return allocation.state if allocation else None

    def old_pod(self, name: str | None, *macs: MacAddress | None) -> Carrier:
        """Create a pod; it is bound, and Q has passed."""
        pod = self.pod(name, *macs)
        self.quiet()
        return pod
