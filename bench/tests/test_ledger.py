"""The ledger of allocations."""

import asyncio

import pytest

from bench.ledger import Ledger, NeverCame, PodNames, Writes
from crds.allocation import Allocation, State, Stored
from crds.carriers import Carrier
from crds.mac import MacAddress

ONE, TWO = MacAddress(0x02_00_00_00_00_01), MacAddress(0x02_00_00_00_00_02)


def stored(mac: MacAddress, state: State = State.PENDING) -> Stored:
    return Stored(Allocation(mac, state=state), uid=mac.name, version="1")


def pod(namespace: str, name: str) -> Carrier:
    return Carrier("v1", "Pod", namespace, name, uid=name, version="1")


def test_a_life_is_a_create_an_update_and_a_delete() -> None:
    ledger = Ledger()

    ledger.put(stored(ONE))
    ledger.put(stored(ONE, State.BOUND))
    ledger.drop(stored(ONE, State.BOUND))
    ledger.put(stored(TWO, State.STOCK))

    assert ledger.writes({ONE}) == Writes(1, created=1, updated=1, deleted=1, spare=1)


def test_a_list_shows_no_writes() -> None:
    ledger = Ledger()

    ledger.reset([stored(ONE)])

    assert ledger.writes({ONE}) == Writes(1, created=0, updated=0, deleted=0, spare=0)


async def test_all_bound_waits_for_the_last_address() -> None:
    ledger = Ledger()
    ledger.reset([stored(ONE, State.BOUND), stored(TWO)])
    waiting = asyncio.create_task(ledger.all_bound({ONE, TWO}))
    await asyncio.sleep(0)
    assert not waiting.done()

    ledger.put(stored(TWO, State.BOUND))

    assert await waiting == ledger.bound_at_s[TWO]


async def test_all_gone_waits_for_the_last_address() -> None:
    ledger = Ledger()
    ledger.reset([stored(ONE), stored(TWO)])
    waiting = asyncio.create_task(ledger.all_gone({ONE, TWO}, within_s=60))

    ledger.drop(stored(ONE))
    await asyncio.sleep(0)
    assert not waiting.done()
    ledger.drop(stored(TWO))

    await waiting


async def test_the_failure_names_the_expected_change() -> None:
    ledger = Ledger()
    ledger.reset([stored(ONE)])

    with pytest.raises(NeverCame, match="2 addresses are Bound"):
        await ledger.all_bound({ONE, TWO}, within_s=0)


def test_pod_names_are_those_of_one_namespace() -> None:
    pods = PodNames("shop")

    pods.reset([pod("shop", "a"), pod("shop", "b"), pod("other", "c")])
    pods.drop(pod("shop", "a"))
    pods.drop(pod("other", "b"))

    assert pods.names == {"b"}
