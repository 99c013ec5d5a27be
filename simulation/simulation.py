"""Two webhook replicas and a controller on one fake API server, where a test decides what is next.

Every call of a port parks until the test lets it through, fails it before or after its effect, or
crashes its program; watches lag until they are delivered; time moves only by `pass_time`. After
every step the laws are checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crds.allocation import INSTANCE, QUIET_S, STOCK_KEPT_Q, Allocation, State
from crds.pool import CollisionPolicy, Pool
from simulation.ahead import Ahead
from simulation.programs import POOL, Controller, Watch
from simulation.replica import Replica, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from simulation.kubevirt import Key
    from simulation.steering import Parked

_MOST_TURNS = 500  # far more calls than a whole run leaves to do
# Unseen, bound, conflicts noted, released, adopted: each may take one; and stock what it takes.
_MOST_QUIETS = 8 + STOCK_KEPT_Q


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
        self.late: list[Watch] = []  # they learn of nothing, until they are asked by name
        self._settings = Settings(draw, policy, pool)
        self.replicas = [self._replica(f"webhook-{n}") for n in range(2)]
        self.controllers = [
            Controller(self.cluster, f"controller-{n}", self.loop) for n in range(controllers)
        ]
        self.laws.ready = lambda: {mac for one in self.replicas for mac in one.ready()}

    def _replica(self, name: str) -> Replica:
        return Replica(self.cluster, name, self.loop, self._settings)

    # --- everybody else -----------------------------------------------------------------------

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
        """A VM or VMI is gone by force; what KubeVirt was doing about it comes to nothing."""
        for request in self.requests:
            made_by = getattr(request.review, "launched_for", None)
            if kind == INSTANCE and made_by and made_by.name == key[1]:
                request.is_over = True
        self.kubevirt.vanish(kind, key)
        self.step()

    def declare(self, allocation: Allocation) -> None:
        """Somebody applies a Declared allocation; one that is there already stays as it is."""
        if allocation.mac not in self.cluster.allocated:
            self.cluster._create(allocation)
            self.laws.declared[allocation.mac] = allocation

    def undeclare(self, mac: MacAddress) -> None:
        """Somebody deletes a Declared allocation; the policy refuses it in every other state."""
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
        raise AssertionError(f"no {verb} of {client} in {[str(one) for one in self.calls.parked]}")

    def watches(self) -> list[Watch]:
        """All of them: two of the replicas, then those of each controller."""
        found: list[Watch] = [replica.watch for replica in self.replicas]
        for one in self.controllers:
            found += [one.allocation_watch, *one.carrier_watches]
        return found

    def deliver(self) -> None:
        """All views learn of all that has happened, but for late ones."""
        for watch in self.watches():
            if watch not in self.late:
                watch.deliver()

    def settle(self, mac: MacAddress, most: int | None = None, controller: int = 0) -> None:
        """The controller looks at `mac` (or goes on with it), and does up to `most` calls."""
        one = self.controllers[controller]
        one.begin(mac)
        self.step()
        while mac in one.settling and (most is None or most > 0):
            mine = self.calls.of((one, mac)) or [
                parked for parked in self.calls.parked if parked.call.client == one.name
            ]
            most = None if most is None else most - 1
            self.let(mine[0])

    def repair(self, controller: int = 0) -> None:
        """A repair, and nothing comes between."""
        one = self.controllers[controller]
        task = one.repair()
        self.step()
        while parked := self.calls.of((one, None)):
            self.let(parked[0])
        task.result()

    def pass_time(self, by_s: float, *, deadlines: bool = True) -> None:
        """Time passes; requests that began Q ago are over, whatever became of them."""
        self.loop.now_s += by_s
        if deadlines:
            self.loop.strike()
        for request in self.requests:
            if self.loop.now_s - request.began_s >= QUIET_S:
                request.is_over = True
        self.kubevirt.age()
        for one in self.controllers:
            one.wake()
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
        for task in dead.settling.values():
            task.cancel()
        self._forget(dead.name, dead.allocation_watch, *dead.carrier_watches)
        self.controllers[number] = Controller(self.cluster, dead.name, self.loop)
        self.step()

    def _forget(self, client: str, *watches: Watch) -> None:
        self.calls.parked = [one for one in self.calls.parked if one.call.client != client]
        gone = set(map(id, watches))
        followed: list[list[Any]] = [self.cluster._allocation_watches]
        for those in (*followed, *self.cluster._carrier_watches.values()):
            those[:] = [watch for watch in those if id(watch) not in gone]

    def step(self) -> None:
        """See Admission.step."""
        self.loop.rest()
        programs: list[Replica | Controller] = [*self.replicas, *self.controllers]
        for one in programs:
            one.reap()
        self.laws.check()

    # --- to rest ------------------------------------------------------------------------------

    def calm(self) -> None:
        """All events arrive and the controllers do what they can; requests stay where they are.

        Of two that see differently one acts: they would record and clear conflicts in turns.
        """
        late = set(map(id, self.late))
        seeing = [one for one in self.controllers if late.isdisjoint(map(id, one.carrier_watches))]
        acting = seeing or self.controllers[:1]
        for _ in range(_MOST_TURNS):
            self.deliver()
            busy = [one for one in self.calls.parked if one.call.client.startswith("controller")]
            marked = [(one, mac) for one in acting for mac in one.marks]
            free = [(one, mac) for one, mac in marked if mac not in one.settling]
            if busy:
                self.let(busy[0])
            elif free:
                free[0][0].begin(free[0][1])
                self.step()
            else:
                return
        raise AssertionError(f"no rest: {[str(one) for one in self.calls.parked]}")

    def quiet(self) -> None:
        """Calm, and Q later calm again."""
        self.calm()
        self.pass_time(QUIET_S + 1)
        self.calm()

    def quiesce(self, *, repaired: bool = False) -> None:
        """Every request ends and Q passes, again and again: then nothing leaks and all is bound.

        That takes as long as stock is kept, and no replica creates ahead meanwhile. A controller
        that never saw a pod show its address takes no note when it goes, so a life in which that
        can happen needs to be `repaired` first.
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
            if any(one.timers for one in self.controllers):
                self.quiet()
        self.laws.check_rest()

    def close(self) -> None:
        """End every task and the loop."""
        self.calls.parked.clear()
        self.loop.end()

    def allocation(self, mac: MacAddress) -> Allocation | None:
        """What is stored for `mac`."""
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
