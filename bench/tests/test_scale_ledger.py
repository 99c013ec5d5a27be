"""The ledger of allocations: what is written, what is waited for."""

import asyncio

import pytest

from bench.scale.figures import Writes
from bench.scale.ledger import Crowd, Ledger, NeverCame
from crds.allocation import Allocation, State, Stored
from crds.carriers import Carrier
from crds.mac import MacAddress

ONE, TWO = MacAddress(0x02_00_00_00_00_01), MacAddress(0x02_00_00_00_00_02)


def stored(mac: MacAddress, state: State = State.PENDING, version: str = "1") -> Stored:
    return Stored(Allocation(mac, state=state), uid=mac.name, version=version)


def test_a_life_is_a_create_its_updates_and_a_delete() -> None:
    ledger = Ledger()
    ledger.reset([])

    ledger.put(stored(ONE))
    ledger.put(stored(ONE, State.BOUND, "2"))
    ledger.drop(stored(ONE, State.BOUND, "2"))

    assert ledger.writes({ONE}) == Writes(1, created=1, updated=1, deleted=1, spare=0)


def test_what_was_there_before_was_not_created_by_anybody() -> None:
    ledger = Ledger()

    ledger.reset([stored(ONE)])

    assert ledger.writes({ONE}) == Writes(1, created=0, updated=0, deleted=0, spare=0)


def test_an_address_that_nobody_was_given_is_spare() -> None:
    ledger = Ledger()

    ledger.put(stored(ONE, State.BOUND))
    ledger.put(stored(TWO, State.STOCK))

    assert ledger.writes({ONE}).spare == 1


async def test_all_bound_waits_for_the_last() -> None:
    ledger = Ledger()
    ledger.reset([stored(ONE, State.BOUND), stored(TWO)])
    waiting = asyncio.create_task(ledger.all_bound({ONE, TWO}))
    await asyncio.sleep(0)
    assert not waiting.done()

    ledger.put(stored(TWO, State.BOUND, "2"))

    assert await waiting == ledger.bound_at_s[TWO]


async def test_all_gone_waits_for_the_last() -> None:
    ledger = Ledger()
    ledger.reset([stored(ONE), stored(TWO)])
    waiting = asyncio.create_task(ledger.all_gone({ONE, TWO}, within_s=60))

    ledger.drop(stored(ONE))
    await asyncio.sleep(0)
    assert not waiting.done()
    ledger.drop(stored(TWO))

    await waiting


async def test_what_never_comes_is_said_by_name() -> None:
    ledger = Ledger()
    ledger.reset([stored(ONE)])

    with pytest.raises(NeverCame, match="2 addresses are Bound"):
        await ledger.all_bound({ONE, TWO}, within_s=0)


def test_a_crowd_is_the_pods_of_one_namespace() -> None:
    crowd = Crowd("shop")

    crowd.reset([carrier("shop", "a"), carrier("shop", "b"), carrier("other", "c")])
    crowd.drop(carrier("shop", "a"))
    crowd.drop(carrier("other", "b"))

    assert crowd.names == {"b"}


def carrier(namespace: str, name: str) -> Carrier:
    return Carrier("v1", "Pod", namespace, name, uid=name, version="1")
