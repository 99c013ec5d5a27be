"""The background task of a stock: it tidies, and it closes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from crds.tests.gates import Fail, Hold
from webhook.stock import filling as stocking
from webhook.stock.tests.stocks import (
    STOCK_USABLE_S,
    WIDE,
    Parking,
    Stocking,
    made,
    running,
    wanted,
)
from webhook.tests.replica import bound, calls_to
from webhook.tests.reviews import mac, pool

if TYPE_CHECKING:
    import pytest

CALLS, IDLE_S, TICK_S = stocking._CALLS, stocking._IDLE_S, stocking._TICK_S


async def test_demand_fills_it_in_the_background(scene: Stocking) -> None:
    news = scene.cluster.answer = Parking()
    assert scene.stock.hand_out(4, WIDE) == ()

    async with running(scene.stock):
        await news.until(lambda: len(scene.stored()) == 4)

    assert set(scene.stock.hand_out(4, WIDE)) == scene.stored()


async def test_no_more_calls_are_under_way_than_it_may_make(scene: Stocking) -> None:
    wanted(scene, 64)
    parked = scene.cluster.gate = Parking("create")

    async with running(scene.stock):
        scene.stock.hand_out(1, WIDE)
        await parked.until(lambda: len(parked.calls) == CALLS)
        assert scene.stock._places() == 0


async def test_it_is_tidied_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocking, "_TICK_S", 0.0)
    scene = Stocking()
    await scene.create(2)
    scene.now_s += STOCK_USABLE_S
    news = scene.cluster.answer = Parking()

    async with running(scene.stock):
        await news.until(lambda: not scene.cluster.allocated)

    assert len(scene.entries) == 0


async def test_stock_beyond_the_demand_is_deleted(scene: Stocking) -> None:
    wanted(scene, 4)
    await scene.create(4)
    await scene.stock.tidy()
    assert len(scene.stored()) == 4

    scene.pool = pool(256)
    await scene.stock.tidy()

    assert scene.stored() == set()


async def test_a_delete_that_fails_does_not_keep_the_next_from_being_made(scene: Stocking) -> None:
    await scene.create(3)
    await scene.cluster.allocations.replace(scene.cluster.allocated[mac(2)], bound(2))
    scene.entries.begin(mac(2))
    scene.entries.add(made(2))  # as if it had not heard of that
    scene.cluster.gate = Fail(calls_to("delete"))

    await scene.stock.tidy()

    assert scene.stored() == {mac(1), mac(2)}  # refused, changed, and the third is deleted


async def test_a_closed_one_deletes_what_it_has_and_creates_no_more(scene: Stocking) -> None:
    wanted(scene, 4)
    await scene.create(4)
    (given,) = scene.stock.hand_out(1, WIDE)

    await scene.stock.close()

    assert scene.stored() == {given}
    scene.now_s += IDLE_S
    assert scene.stock._places() == 0


async def test_closing_waits_for_what_is_being_created(scene: Stocking) -> None:
    wanted(scene, 2)
    hold = scene.cluster.gate = Hold(calls_to("create"))

    async with running(scene.stock):
        scene.stock._due.set()
        await hold.arrived.wait()
        closing = asyncio.create_task(scene.stock.close())
        hold.release()
        await closing

    assert scene.stored() == set()


async def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocking, "_CLOSING_S", 0.0)
    scene = Stocking()
    await scene.create(1)
    scene.cluster.gate = Parking("delete")

    await asyncio.wait_for(scene.stock.close(), 20)

    assert scene.stored() == {mac(1)}
