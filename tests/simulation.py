"""Two webhook replicas and a controller on one fake API server, where a test decides what is next.

Every call of a port parks until the test lets it through, fails it before or after its effect, or
crashes its program; watches lag until they are delivered; time moves only by `pass_time`. After
every step the laws are checked.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crds.allocation import QUIET_S, Allocation, Carrier, Owner, State
from crds.networks import carried
from crds.tests.fake import FakeCluster, ObjectExists
from tests.laws import Laws
from tests.programs import Controller, Replica, Request, Watch, networks
from tests.steering import DOING, Calls, Parked, SteeredLoop
from webhook.admission import Allowed, PodReview

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.mac import MacAddress

NAMESPACE = "shop"
_MOST_TURNS = 500  # far more calls than a whole run leaves to do
_MOST_QUIETS = 8  # unseen, bound, conflicts noted, released, adopted: each may take one


class Simulation:
    """The whole system."""

    def __init__(self, controllers: int = 1, draw: Callable[[int], int] = lambda _: 0) -> None:
        self.loop = SteeredLoop()
        self.calls = Calls(self.loop)
        self.cluster = FakeCluster(self.calls.gate, self.calls.answer)
        self.laws = Laws(self.cluster)
        self.requests: list[Request] = []
        self.late: list[Watch] = []  # they learn of nothing, until they are asked by name
        self._draw = draw
        self._asked = 0
        self.replicas = [Replica(self.cluster, f"webhook-{n}", draw, self.loop) for n in range(2)]
        self.controllers = [
            Controller(self.cluster, f"controller-{n}", self.loop) for n in range(controllers)
        ]

    # --- admission ----------------------------------------------------------------------------

    def ask(self, name: str | None, *macs: MacAddress | None, replica: int = 0) -> Request:
        """A create of a pod (name None: generated) with an element for each of `macs`."""
        return self._ask(self._review(name, networks(*(macs or (None,)))), replica)

    def ask_update(self, pod: Carrier, *macs: MacAddress | None, replica: int = 0) -> Request:
        """An update of `pod` that adds an element for each of `macs`."""
        old = self.cluster.networks_of(pod.namespace, pod.name) or "[]"
        added = json.loads(old) + json.loads(networks(*(macs or (None,)), prefix=f"{self._asked}-"))
        review = self._review(pod.name, json.dumps(added))
        return self._ask(replace(review, object_uid=pod.uid, old_networks=old), replica)

    def ask_again(self, request: Request, replica: int = 0) -> Request:
        """The API server calls once more for the same object; only the new answer will count."""
        request.is_over = True
        uid = self._review(None, None).uid
        return self._ask(replace(request.review, uid=uid), replica)

    def _review(self, name: str | None, text: str | None) -> PodReview:
        self._asked += 1
        owner = Owner(api_version="v1", kind="Pod", namespace=NAMESPACE, name=name)
        return PodReview(f"request-{self._asked}", False, owner, text)  # noqa: FBT003

    def _ask(self, review: PodReview, number: int) -> Request:
        replica = self.replicas[number]
        DOING.set(review.uid)
        task = self.loop.create_task(replica.handlers.mutate(review))
        request = Request(review, replica, self.loop.now_s, task)
        self.requests.append(request)
        self._step()
        return request

    def answer(self, request: Request, most: int | None = None) -> Request:
        """Let the calls of `request` through, up to `most`, until it is answered."""
        name = request.replica.name
        while (most is None or most > 0) and not request.task.done():
            shared = [one for one in self.calls.parked if one.call.client == name]
            most = None if most is None else most - 1
            self.let((self.calls.of(request.review.uid) or shared)[0])
        return request

    def store(self, request: Request) -> Carrier | None:
        """The API server stores what was allowed, or refuses it (name taken, object changed)."""
        verdict, review = request.verdict, request.review
        if request.is_over or not isinstance(verdict, Allowed):
            return None
        request.is_over = True
        text = verdict.networks or review.networks or "[]"
        before = {one.mac for one in carried(review.old_networks, NAMESPACE)}
        updates = review.object_uid is not None
        stored = self._update(review, text) if updates else self._create(review, text)
        if stored is not None:
            self.laws.admit(stored, {one.mac for one in stored.attachments} - before)
            if review.owner.name is None:
                self.laws.generated.add(stored.uid)
        self._step()
        return stored

    def _create(self, review: PodReview, text: str) -> Carrier | None:
        try:
            return self.cluster.create_pod(NAMESPACE, review.owner.name, text)
        except ObjectExists:
            return None

    def _update(self, review: PodReview, text: str) -> Carrier | None:
        name = review.owner.name or ""
        pod = self.cluster.pods.get((NAMESPACE, name))
        if pod is None or pod.uid != review.object_uid or pod.terminal:
            return None
        if self.cluster.networks_of(NAMESPACE, name) != review.old_networks:
            return None  # another update came first: 409, the client tries again
        return self.cluster.annotate(NAMESPACE, name, text)

    def pod(self, name: str | None, *macs: MacAddress | None, replica: int = 0) -> Carrier:
        """A pod is created, and nothing comes between."""
        pod = self.store(self.answer(self.ask(name, *macs, replica=replica)))
        assert pod is not None, self.requests[-1].verdict
        return pod

    # --- everybody else -----------------------------------------------------------------------

    def bypass(self, name: str, mac: MacAddress, namespace: str = "other") -> Carrier:
        """A pod appears with an address of its own where no webhook looks, or did not just then."""
        pod = self.cluster.create_pod(namespace, name, networks(mac))
        self.laws.bypass(pod)
        self._step()
        return pod

    def delete(self, pod: Carrier) -> None:
        """A pod is deleted."""
        self.cluster.delete_pod(pod.namespace, pod.name)
        self._step()

    def end(self, pod: Carrier) -> None:
        """A pod ends by itself."""
        self.cluster.set_phase(pod.namespace, pod.name, "Succeeded")
        self._step()

    def edit(self, pod: Carrier, text: str = "[]") -> None:
        """A pod's annotation changes in a way that asks for nothing."""
        self.cluster.annotate(pod.namespace, pod.name, text)
        self._step()

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

    def let(self, which: Parked) -> None:
        """Let a parked call through."""
        self.calls.let(which)
        self._step()

    def fail(self, which: Parked, *, after: bool) -> None:
        """Fail a parked call, before its effect or after."""
        self.calls.fail(which, after=after)
        self._step()

    def next(self, client: str, verb: str = "") -> Parked:
        """The first parked call of `client` with `verb`."""
        for parked in self.calls.parked:
            if parked.call.client.startswith(client) and parked.call.verb.startswith(verb):
                return parked
        raise AssertionError(f"no {verb} of {client} in {[str(one) for one in self.calls.parked]}")

    def watches(self) -> list[Watch]:
        """All of them: two of the replicas, then two of each controller."""
        found: list[Watch] = [replica.watch for replica in self.replicas]
        for one in self.controllers:
            found += [one.allocation_watch, one.pod_watch]
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
        self._step()
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
        self._step()
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
        for one in self.controllers:
            one.wake()
        self._step()

    def crash_replica(self, number: int) -> None:
        """kill -9 of a webhook: its calls end where they are, and a new process starts."""
        dead = self.replicas[number]
        for request in self.requests:
            if request.replica is dead and not request.task.done():
                request.is_over = True
                request.task.cancel()
        self._forget(dead.name, dead.watch)
        self.replicas[number] = Replica(self.cluster, dead.name, self._draw, self.loop)
        self._step()

    def crash_controller(self, number: int = 0) -> None:
        """kill -9 of a controller, and a new one starts."""
        dead = self.controllers[number]
        for task in dead.settling.values():
            task.cancel()
        self._forget(dead.name, dead.allocation_watch, dead.pod_watch)
        self.controllers[number] = Controller(self.cluster, dead.name, self.loop)
        self._step()

    def _forget(self, client: str, *watches: Watch) -> None:
        self.calls.parked = [one for one in self.calls.parked if one.call.client != client]
        gone = set(map(id, watches))
        followed: list[list[Any]] = [self.cluster._allocation_watches]
        for those in (*followed, *self.cluster._carrier_watches.values()):
            those[:] = [watch for watch in those if id(watch) not in gone]

    def _step(self) -> None:
        self.loop.rest()
        for one in self.controllers:
            one.reap()
        self.laws.check()

    # --- to rest ------------------------------------------------------------------------------

    def calm(self) -> None:
        """All events arrive and the controllers do what they can; requests stay where they are.

        Of two that see differently one acts: they would record and clear conflicts in turns.
        """
        seeing = [one for one in self.controllers if one.pod_watch not in self.late]
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
                self._step()
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

        A controller that never saw a pod show its address takes no note when it goes, so a life in
        which that can happen needs to be `repaired` first.
        """
        self.late.clear()
        for request in self.requests:
            self.answer(request)
            request.is_over = True
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
