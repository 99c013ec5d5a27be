"""How a stock is filled, tidied and closed, and what it does not serve itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from crds.allocation import Source, State
from crds.kubevirt import IN_POD_BRIDGE
from crds.mac import MacRange
from crds.pool import Pool
from crds.resources import NameAndVersion
from crds.tests.gates import Fail
from kube.tests.steered import SteeredLoop
from webhook.allocated import STEP
from webhook.stock import filling as stocking
from webhook.stock.filling import MOST
from webhook.stock.tests.stocks import WIDE, Parking, Stocking, made, wanted
from webhook.tests.replica import bound, calls_to, pending
from webhook.tests.reviews import mac, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS, IDLE_S, TICK_S = stocking._CALLS, stocking._IDLE_S, stocking._TICK_S


async def test_an_address_in_stock_has_no_owner(scene: Stocking) -> None:
    await scene.create(1)

    (stored,) = scene.cluster.allocated.values()
    assert stored.allocation == made(1).allocation
    assert (stored.allocation.state, stored.allocation.source) == (State.STOCK, Source.POOL)
    assert stored.allocation.owner is None
    assert stored.allocation.pool == "default"


async def test_the_stock_passes_over_addresses_that_are_taken_or_being_created() -> None:
    scene = Stocking()
    await scene.cluster.allocations.create(bound(1))
    assert scene.stock.begin() is not None  # 2

    begun = scene.stock.begin()

    assert begun is not None
    assert begun.mac == mac(3)


@pytest.mark.parametrize(
    "of",
    [None, Pool("default", ()), Pool("default", (MacRange(IN_POD_BRIDGE, IN_POD_BRIDGE),))],
    ids=["no pool", "an empty pool", "what KubeVirt uses inside each pod"],
)
async def test_of_nothing_nothing_is_created_ahead(of: Pool | None) -> None:
    assert Stocking(of).stock.begin() is None


async def test_an_address_that_another_client_created_first_is_not_kept(scene: Stocking) -> None:
    begun = scene.stock.begin()
    assert begun is not None
    await scene.cluster.allocations.create(pending(1))

    await scene.stock.create(begun)

    assert len(scene.entries) == 0
    assert scene.stock.hand_out(1, WIDE) == ()


async def test_it_is_filled_with_as_many_calls_at_once_as_much_of_it_is_missing() -> None:
    scene = Stocking()
    wanted(scene, 16)
    await scene.create(16)

    def calls_with(kept: int) -> int:
        while len(scene.entries) > kept:
            scene.entries.pop(1, WIDE)
        return scene.stock._places()

    assert [calls_with(kept) for kept in (16, 15, 12, 8, 4, 0)] == [
        0,
        1,
        CALLS // 4,
        CALLS // 2,
        3 * CALLS // 4,
        CALLS,
    ]


async def test_a_refill_waits_until_idle_while_half_of_it_is_there(scene: Stocking) -> None:
    wanted(scene, 16)
    await scene.create(16)

    scene.stock.hand_out(1, WIDE)

    assert scene.stock._can_wait()
    scene.stock.hand_out(8, WIDE)
    assert not scene.stock._can_wait()
    assert scene.stock._places() > 0


async def test_a_refill_does_not_wait_longer_than_until_idle(scene: Stocking) -> None:
    wanted(scene, 16)
    await scene.create(16)
    scene.stock.hand_out(1, WIDE)

    scene.now_s += IDLE_S

    assert not scene.stock._can_wait()
    assert scene.stock._places() == 1


@pytest.fixture
def loop_of_a_test() -> Iterator[SteeredLoop]:
    """A loop whose clock moves only when the test moves it."""
    loop = SteeredLoop()
    yield loop
    loop.end()


def test_it_is_refilled_when_it_is_idle(loop_of_a_test: SteeredLoop) -> None:
    loop, scene = loop_of_a_test, Stocking()
    scene.stock.clock = lambda: loop.now_s
    wanted(scene, 16)
    loop.run_until_complete(scene.create(16))
    loop.create_task(scene.stock.run())
    loop.rest()

    for _ in range(2):
        scene.stock.hand_out(1, WIDE)
        loop.rest()
    assert len(scene.entries) == 14
    loop.now_s += IDLE_S
    loop.strike()
    loop.rest()

    assert len(scene.entries) == 16


async def test_a_request_that_an_empty_stock_could_not_serve_counts_as_demand(
    scene: Stocking,
) -> None:
    assert scene.stock.hand_out(3, WIDE) == ()

    scene.now_s += 1
    assert scene.stock._places() > 0


@pytest.mark.parametrize(
    ("of", "most"),
    [(pool(256), MOST), (None, MOST), (WIDE, 0)],
    ids=["a small pool", "no pool", "no stock wanted"],
)
async def test_nothing_is_missing_where_no_stock_can_be(of: Pool | None, most: int) -> None:
    scene = Stocking(of, most)
    wanted(scene, 16)

    assert scene.stock._places() == 0


async def test_after_a_refusal_it_pauses(scene: Stocking) -> None:
    wanted(scene, 16)
    scene.cluster.gate = Fail(calls_to("create"))

    await scene.create(1)

    assert len(scene.entries) == 0
    assert scene.stock._places() == 0
    scene.now_s += TICK_S
    assert scene.stock._places() > 0


async def test_without_a_watch_nothing_is_created(scene: Stocking) -> None:
    wanted(scene, 16)

    scene.watch.connection = 0

    assert scene.stock._places() == 0


def test_it_is_filled_after_a_pause_without_a_request(loop_of_a_test: SteeredLoop) -> None:
    loop, scene = loop_of_a_test, Stocking()
    scene.stock.clock = lambda: loop.now_s
    scene.demand.note(1, loop.now_s - 1)
    scene.cluster.gate = Fail(calls_to("create"))
    loop.create_task(scene.stock.run())
    scene.stock._due.set()
    loop.rest()
    assert len(scene.cluster.calls) == 1

    scene.cluster.gate = Parking()
    for _ in range(2):
        loop.now_s += TICK_S
        loop.strike()
        loop.rest()

    assert len(scene.stored()) == 1


async def test_where_all_that_was_looked_at_is_taken_it_pauses(scene: Stocking) -> None:
    wanted(scene, 16)
    for number in range(1, STEP + 1):
        scene.allocated.put(NameAndVersion(mac(number), 1))

    scene.stock.fill(asyncio.create_task)

    assert scene.stock._places() == 0
    scene.now_s += TICK_S
    assert scene.stock._places() > 0


def test_there_is_one_timer_for_idling_however_many_ask(loop_of_a_test: SteeredLoop) -> None:
    loop, scene = loop_of_a_test, Stocking()
    scene.stock.clock = lambda: loop.now_s
    wanted(scene, 16)
    loop.run_until_complete(scene.create(16))
    loop.create_task(scene.stock.run())
    scene.stock.hand_out(1, WIDE)
    loop.rest()
    timer = scene.stock._idle

    scene.stock.hand_out(1, WIDE)
    loop.rest()

    assert timer is not None
    assert scene.stock._idle is timer
