from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from crds.pool import Pool
from crds.resources import NameAndVersion
from crds.store import StoreUnavailable
from webhook import allocated as module
from webhook.allocated import Addresses, AllocatedNames
from webhook.tests.reviews import mac, pool

if TYPE_CHECKING:
    from crds.mac import MacAddress


def seen(address: MacAddress, version: int = 1) -> NameAndVersion:
    return NameAndVersion(address, version)


class Lists:
    """A source of lists that a test ends by hand, one after the other."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[list[NameAndVersion]]] = []
        self.most_at_once = 0
        self._more = asyncio.Event()

    async def __call__(self) -> list[NameAndVersion]:
        self.begun.append(asyncio.get_running_loop().create_future())
        self.most_at_once = max(self.most_at_once, sum(not call.done() for call in self.begun))
        self._more.set()
        return await self.begun[-1]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.begun) < count:
                self._more.clear()
                await self._more.wait()


async def test_the_watch_s_news_are_known() -> None:
    taken = AllocatedNames(Lists(), lambda: 0.0)

    taken.reset([seen(mac(1)), seen(mac(2))])
    taken.put(seen(mac(3)))
    taken.put(seen(mac(3)))
    taken.drop(seen(mac(1)))
    taken.drop(seen(mac(9)))

    assert taken.known == {mac(2), mac(3)}
    taken.reset([seen(mac(4))])
    assert taken.known == {mac(4)}


async def test_all_that_ask_while_a_list_is_under_way_share_the_next_one() -> None:
    lists = Lists()
    taken = AllocatedNames(lists, lambda: 0.0)
    early = asyncio.ensure_future(taken.list_again())
    await lists.until(1)

    late = [asyncio.ensure_future(taken.list_again()) for _ in range(9)]
    lists.begun[0].set_result([seen(mac(1))])
    await lists.until(2)
    lists.begun[1].set_result([seen(mac(2))])

    assert await early == {mac(1)}
    assert await asyncio.gather(*late) == [{mac(2)}] * 9
    assert len(lists.begun) == 2
    assert lists.most_at_once == 1


async def test_a_failed_list_fails_only_for_the_callers_that_share_it() -> None:
    lists = Lists()
    taken = AllocatedNames(lists, lambda: 0.0)
    asking = [asyncio.ensure_future(taken.list_again()) for _ in range(2)]
    await lists.until(1)

    lists.begun[0].set_exception(StoreUnavailable("away"))
    results = await asyncio.gather(*asking, return_exceptions=True)
    again = asyncio.ensure_future(taken.list_again())
    await lists.until(2)
    lists.begun[1].set_result([])

    assert [type(result) for result in results] == [StoreUnavailable] * 2
    assert await again == set()


async def test_a_caller_that_gives_up_does_not_end_the_list_of_the_others() -> None:
    lists = Lists()
    taken = AllocatedNames(lists, lambda: 0.0)
    impatient, patient = (asyncio.ensure_future(taken.list_again()) for _ in range(2))
    await lists.until(1)

    impatient.cancel()
    lists.begun[0].set_result([seen(mac(1))])

    assert await patient == {mac(1)}
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_pool_is_full_when_every_address_of_it_is_known() -> None:
    names = Addresses(mac(n) for n in (0, 1, 2, 77, 78))

    assert not await names.fill(pool(4))
    names.put(mac(3))
    names.put(mac(3))
    names.put(mac(79))
    assert await names.fill(pool(4))
    names.drop(mac(78))
    assert await names.fill(pool(4))
    names.drop(mac(1))
    names.drop(mac(1))
    assert not await names.fill(pool(4))
    assert not await names.fill(pool(5))
    assert await names.fill(pool(1))


async def test_the_count_of_a_pool_includes_changes_during_the_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STEP", 1)
    names = Addresses(mac(n) for n in range(8))
    filling = asyncio.ensure_future(names.fill(pool(8)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    names.put(mac(100))
    names.drop(mac(5))
    names.drop(mac(0))
    names.put(mac(0))

    assert not await filling
    names.put(mac(5))
    assert await names.fill(pool(8))


class CountedPool(Pool):
    """A pool that counts how often it is asked."""

    asked = 0

    def __contains__(self, mac: MacAddress) -> bool:
        CountedPool.asked += 1
        return super().__contains__(mac)


async def test_a_pool_is_counted_once_while_other_tasks_use_the_loop() -> None:
    CountedPool.asked = 0
    of = CountedPool("default", pool(5000).ranges)
    names = Addresses(mac(n) for n in range(5000))
    turns: list[None] = []
    another = asyncio.ensure_future(_turns(turns))

    assert all(await asyncio.gather(*(names.fill(of) for _ in range(20))))
    another.cancel()

    assert CountedPool.asked == 5000
    assert len(turns) >= 5


async def _turns(turns: list[None]) -> None:
    while True:
        turns.append(None)
        await asyncio.sleep(0)
