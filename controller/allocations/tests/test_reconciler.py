"""One address at a time, on the fake API server: what is read, what is written, and when not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from controller.allocations import reconciler as settling
from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.reconciler import ACT_WITHIN_S, AGAIN_S, LIST_WITHIN_S, Reconciler
from controller.tests.worlds import MAC, OTHER, bound, owner, pending
from crds.allocation import QUIET_S, STOCK_KEPT_Q, Allocation, Source, State
from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from crds.resources import KINDS
from crds.store import StoreUnavailable
from crds.tests.fake import FakeCluster
from crds.tests.gates import Call, Fail, Hold

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from crds.allocation import Stored

STOCK = Allocation(mac=MAC, state=State.STOCK, source=Source.POOL, pool="default")
STOCK_KEPT_S = STOCK_KEPT_Q * QUIET_S  # V, and two minutes
NETWORKS = f'[{{"name":"ovs","mac":"{MAC}"}}]'


@dataclass
class Scene:
    """A reconciler whose views know all at once, its clock, and when it wants to look again."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    now_s: float = 100.0
    later: list[tuple[MacAddress, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = self.cluster.client("controller")
        known = AllocationView(self.monotonic_s, lambda _: None)
        carriers = CarrierView(lambda _: None)
        self.allocation_watch = self.cluster.follow_allocations(known)
        self.cluster.follow_carriers("Pod", carriers.of_kind("Pod"))
        pool = Pool("default", (MacRange(MAC, OTHER),))
        self.reconciler = Reconciler(
            client.allocations,
            client.objects,
            known,
            carriers,
            lambda: pool,
            self,
            lambda mac, in_s: self.later.append((mac, in_s)),
        )

    def monotonic_s(self) -> float:
        return self.now_s

    def now(self) -> str:
        return "2026-11-24T12:00:00Z"

    def store(self, allocation: Allocation) -> Stored:
        """Store what is there when the test begins."""
        return self.cluster._create(allocation)

    async def settle(self, mac: MacAddress = MAC) -> list[str]:
        """Settle, and return the calls that it made."""
        before = len(self.cluster.calls)
        await self.reconciler.reconcile(mac)
        return [f"{call.verb} {call.port}" for call in self.cluster.calls[before:]]

    def now_is(self, state: str | None) -> bool:
        """Whether the allocation of MAC is in `state` now, None: not there."""
        stored = self.cluster.allocated.get(MAC)
        return (stored and stored.allocation.state) == state


@pytest.fixture
def scene() -> Scene:
    return Scene()


def delete(call: Call) -> bool:
    return call.verb == "delete"


def get_object(call: Call) -> bool:
    return (call.verb, call.port) == ("get", "object")


def list_objects(call: Call) -> bool:
    return (call.verb, call.port) == ("list", "object")


async def begun(settling: Coroutine[None, None, list[str]], hold: Hold) -> asyncio.Task[list[str]]:
    """Return it as a task that has come as far as `hold`."""
    task = asyncio.ensure_future(settling)
    arrived = asyncio.ensure_future(hold.arrived.wait())
    await asyncio.wait((task, arrived), return_when=asyncio.FIRST_COMPLETED)
    assert arrived.done(), "the call that it was to make has not come"
    return task


async def test_an_address_as_it_should_be_costs_no_call(scene: Scene) -> None:
    pod = scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.store(bound("web-0", pod.uid))

    assert await scene.settle() == []


async def test_a_bind_is_a_read_and_a_write(scene: Scene) -> None:
    scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.store(pending("web-0"))

    assert await scene.settle() == ["get object", "replace allocation"]
    assert scene.now_is("Bound")


async def test_an_adopted_address_names_the_pool_that_it_lies_in(scene: Scene) -> None:
    scene.cluster.create_pod("shop", "web-0", NETWORKS)

    assert await scene.settle() == ["create allocation"]
    assert scene.cluster.allocated[MAC].allocation.pool == "default"


async def test_an_adopted_address_outside_every_range_names_no_pool(scene: Scene) -> None:
    outside = MacAddress.parse("0a:00:00:00:00:01")
    scene.cluster.create_pod("shop", "web-0", f'[{{"name":"ovs","mac":"{outside}"}}]')

    await scene.settle(outside)

    assert scene.cluster.allocated[outside].allocation.pool is None


async def test_it_looks_again_when_quiet_will_be_over(scene: Scene) -> None:
    scene.store(pending("web-0"))
    scene.now_s += 25

    assert await scene.settle() == []
    assert scene.later == [(MAC, QUIET_S - 25)]


async def test_quiet_is_over_after_q_exactly(scene: Scene) -> None:
    scene.store(pending("web-0"))
    scene.now_s += QUIET_S

    assert await scene.settle() == ["get object", "delete allocation"]
    assert scene.now_is(None)


async def test_quiet_is_not_over_a_moment_before(scene: Scene) -> None:
    scene.store(bound("web-0", "u-1"))
    scene.now_s += QUIET_S - 0.5

    assert await scene.settle() == []
    assert scene.later == [(MAC, 0.5)]
    assert scene.now_is("Bound")


async def test_an_address_that_its_pod_does_not_show_stays_its_own(scene: Scene) -> None:
    pod = scene.cluster.create_pod("shop", "web-0")
    scene.store(bound("web-0", pod.uid))
    scene.now_s += QUIET_S

    assert await scene.settle() == ["get object"]
    assert scene.later == []
    assert scene.now_is("Bound")


async def test_a_refused_create_of_its_own_name_does_not_take_it_from_such_a_pod(
    scene: Scene,
) -> None:
    pod = scene.cluster.create_pod("shop", "web-0")
    scene.store(replace(pending("web-0"), owner=owner("web-0", pod.uid)))
    scene.now_s += QUIET_S

    assert await scene.settle() == ["get object", "replace allocation"]
    assert scene.now_is("Bound")


async def test_a_list_may_take_longer_than_a_read(scene: Scene) -> None:
    scene.store(replace(pending("web-0"), owner=owner(None)))
    scene.now_s += QUIET_S
    hold = Hold(list_objects)
    scene.cluster.gate = hold
    settling = await begun(scene.settle(), hold)

    scene.now_s += LIST_WITHIN_S
    hold.release()

    assert await settling == [*["list object"] * len(KINDS), "delete allocation"]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One address at a time, and OTHER's pod has yet to be bound."""
    monkeypatch.setattr(settling, "_TURNS", 1)
    scene = Scene()
    scene.cluster.create_pod("shop", "web-1", NETWORKS.replace(str(MAC), str(OTHER)))
    scene.store(replace(pending("web-1"), mac=OTHER))
    return scene


async def test_an_address_does_not_grow_old_while_it_waits_for_its_turn(narrow: Scene) -> None:
    narrow.cluster.create_pod("shop", "web-0", NETWORKS)
    narrow.store(pending("web-0"))
    hold = narrow.cluster.gate = Hold(get_object)
    first = await begun(narrow.settle(), hold)
    second = asyncio.ensure_future(narrow.reconciler.reconcile(OTHER))

    narrow.now_s += ACT_WITHIN_S + 1
    hold.release()
    await asyncio.wait((first, second))

    assert narrow.later == [(MAC, AGAIN_S)]
    assert narrow.cluster.allocated[OTHER].allocation.state is State.BOUND


async def test_a_list_is_nobody_s_turn(narrow: Scene) -> None:
    narrow.store(replace(pending("web-0"), owner=owner(None)))
    narrow.now_s += QUIET_S
    hold = narrow.cluster.gate = Hold(list_objects)
    listing = await begun(narrow.settle(), hold)

    await asyncio.wait_for(narrow.reconciler.reconcile(OTHER), 20)

    assert narrow.cluster.allocated[OTHER].allocation.state is State.BOUND
    hold.release()
    await listing
    assert narrow.now_is(None)


async def test_an_owner_of_an_unknown_kind_is_left_alone(scene: Scene) -> None:
    strange = replace(owner("db", "u-7"), kind="Database")
    scene.store(replace(bound("db", "u-7"), owner=strange))
    scene.now_s += QUIET_S

    assert await scene.settle() == []
    assert scene.now_is("Bound")


async def test_a_decision_that_took_too_long_is_taken_anew(scene: Scene) -> None:
    scene.store(bound("web-0", "u-1"))
    scene.now_s += QUIET_S
    hold = Hold(get_object)
    scene.cluster.gate = hold
    settling = await begun(scene.settle(), hold)

    scene.now_s += ACT_WITHIN_S + 0.1
    hold.release()

    assert await settling == ["get object"]
    assert scene.now_is("Bound")
    assert scene.later == [(MAC, AGAIN_S)]


async def test_a_decision_at_the_last_moment_is_acted_on(scene: Scene) -> None:
    scene.store(bound("web-0", "u-1"))
    scene.now_s += QUIET_S
    hold = Hold(get_object)
    scene.cluster.gate = hold
    settling = await begun(scene.settle(), hold)

    scene.now_s += ACT_WITHIN_S
    hold.release()

    assert await settling == ["get object", "delete allocation"]


async def test_what_somebody_wrote_meanwhile_stays_and_is_no_error(scene: Scene) -> None:
    stored = scene.store(bound("web-0", "u-1"))
    scene.now_s += QUIET_S
    hold = Hold(delete)
    scene.cluster.gate = hold
    settling = await begun(scene.settle(), hold)

    scene.cluster._replace(stored, pending("web-0"))
    hold.release()

    await settling
    assert scene.now_is("Pending")


async def test_who_allocated_before_an_adoption_stays_and_is_no_error(scene: Scene) -> None:
    scene.cluster.create_pod("shop", "web-0", NETWORKS)
    hold = Hold(lambda call: call.verb == "create")
    scene.cluster.gate = hold
    settling = await begun(scene.settle(), hold)

    scene.store(pending("web-1"))
    hold.release()

    await settling
    assert scene.now_is("Pending")


async def test_an_api_server_that_is_away_is_told_to_the_loop(scene: Scene) -> None:
    scene.store(bound("web-0", "u-1"))
    scene.now_s += QUIET_S
    scene.cluster.gate = Fail(get_object)

    with pytest.raises(StoreUnavailable):
        await scene.settle()

    assert scene.now_is("Bound")


async def test_all_who_wait_for_a_list_share_one(scene: Scene) -> None:
    macs = [MacAddress(MAC.bits + n) for n in range(20)]
    for mac in macs:
        scene.store(replace(pending(None), mac=mac))
    scene.now_s += QUIET_S

    await asyncio.gather(*(scene.settle(mac) for mac in macs))

    lists = [call for call in scene.cluster.calls if list_objects(call)]
    assert [call.what for call in lists] == list(KINDS)  # each once
    assert not scene.cluster.allocated


async def test_nobody_shares_a_list_that_began_before_they_asked(scene: Scene) -> None:
    scene.store(pending(None))
    scene.store(replace(pending(None), mac=OTHER))
    scene.now_s += QUIET_S
    answer = Hold(list_objects)
    scene.cluster.answer = answer  # the list is made, and its answer on the way
    first = await begun(scene.settle(MAC), answer)

    scene.cluster._carrier_watches.clear()  # no event tells of what comes now
    scene.cluster.create_pod("shop", "web-0", f'[{{"name":"ovs","mac":"{OTHER}"}}]')
    second = asyncio.create_task(scene.reconciler.reconcile(OTHER))
    answer.release()

    await asyncio.gather(first, second)
    assert OTHER in scene.cluster.allocated
    assert MAC not in scene.cluster.allocated


async def test_a_list_that_failed_is_nobodys_proof_and_the_next_one_is_new(scene: Scene) -> None:
    scene.store(pending(None))
    scene.now_s += QUIET_S
    scene.cluster.gate = Fail(list_objects)
    with pytest.raises(StoreUnavailable):
        await scene.settle()

    await scene.settle()

    assert scene.now_is(None)


async def test_an_operator_reads_who_else_carries_an_address_and_when_that_is_over(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pod = scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.store(bound("web-0", pod.uid))
    scene.cluster.create_pod("other", "alien", NETWORKS)
    await scene.settle()
    scene.cluster.delete_pod("other", "alien")

    await scene.settle()

    warned, informed = caplog.records
    assert (warned.levelname, informed.levelname) == ("WARNING", "INFO")
    assert "Pod other/alien" in warned.getMessage()
    assert informed.getMessage() == f"{MAC} is carried by its owner alone again"


def test_stock_is_kept_for_two_minutes_longer_than_it_is_handed_out() -> None:
    assert STOCK_KEPT_S == 5 * 60 + 120


async def test_stock_is_looked_at_again_when_nobody_can_hand_it_out_any_more(scene: Scene) -> None:
    scene.store(STOCK)
    scene.now_s += QUIET_S

    assert await scene.settle() == []
    assert scene.later == [(MAC, STOCK_KEPT_S - QUIET_S)]


async def test_stock_is_not_collected_a_moment_before(scene: Scene) -> None:
    scene.store(STOCK)
    scene.now_s += STOCK_KEPT_S - 0.5

    assert await scene.settle() == []
    assert scene.now_is("Stock")


async def test_stock_that_is_too_old_is_collected_by_a_list(scene: Scene) -> None:
    scene.store(STOCK)
    scene.now_s += STOCK_KEPT_S

    assert await scene.settle() == [*["list object"] * len(KINDS), "delete allocation"]
    assert scene.now_is(None)


async def test_stock_whose_user_no_view_shows_is_bound_by_that_list(scene: Scene) -> None:
    scene.store(STOCK)
    scene.cluster._carrier_watches.clear()  # no event tells of what comes now
    scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.now_s += STOCK_KEPT_S

    assert await scene.settle() == [*["list object"] * len(KINDS), "replace allocation"]
    assert scene.now_is("Bound")


async def test_stock_that_was_written_to_is_kept_as_long_again(scene: Scene) -> None:
    scene.store(STOCK)
    scene.now_s += STOCK_KEPT_S
    scene.cluster.label(MAC, "backup", "yes")

    assert await scene.settle() == []
    assert scene.later == [(MAC, STOCK_KEPT_S)]


async def test_what_was_stock_and_is_promised_is_quiet_like_any_other(scene: Scene) -> None:
    stored = scene.store(STOCK)
    scene.cluster._replace(stored, pending("web-0"))
    scene.now_s += QUIET_S

    assert await scene.settle() == ["get object", "delete allocation"]


async def test_stock_is_kept_as_many_times_q_where_q_is_shorter(scene: Scene) -> None:
    scene.reconciler.quiet_s = 2.0
    scene.store(STOCK)
    scene.now_s += 2.0 * STOCK_KEPT_Q - 0.5

    assert await scene.settle() == []
    assert scene.later == [(MAC, 0.5)]
