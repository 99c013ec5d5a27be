"""What the watch tells of allocations."""

import asyncio

from bench.allocations import Allocations
from crds.allocation import Allocation, Owner, State, Stored
from crds.mac import MacAddress

SHOP = "shop"


def stored(bits: int, state: State) -> Stored:
    owner = Owner(api_version="v1", kind="Pod", namespace=SHOP, uid="u")
    return Stored(
        Allocation(
            mac=MacAddress(bits), state=state, owner=None if state is State.STOCK else owner
        ),
        uid="a",
        version="1",
    )


def test_writes_count_where_the_address_was_at_that_moment() -> None:
    seen = Allocations()

    seen.put(stored(2, State.STOCK))
    seen.put(stored(2, State.BOUND))
    seen.drop(stored(2, State.BOUND))
    seen.put(stored(4, State.STOCK))

    assert seen.writes == {
        ("", "created"): 2,
        (SHOP, "updated"): 1,
        (SHOP, "deleted"): 1,
    }
    assert (seen.held(""), seen.held(SHOP)) == (1, 0)


def test_what_vanished_while_the_watch_was_cut_is_gone() -> None:
    seen = Allocations()
    seen.put(stored(2, State.BOUND))

    seen.reset([stored(4, State.STOCK)])

    assert (seen.held(""), seen.held(SHOP)) == (1, 0)
    assert seen.writes[SHOP, "deleted"] == 1


async def test_at_rest_is_when_all_that_was_given_out_is_bound() -> None:
    seen = Allocations(given_out=1)
    resting = asyncio.create_task(seen.at_rest())
    await asyncio.sleep(0)
    assert not resting.done()

    seen.put(stored(2, State.BOUND))

    await resting


async def test_an_address_that_was_bound_before_is_not_waited_for() -> None:
    seen = Allocations()
    seen.put(stored(2, State.BOUND))
    seen.begin()
    seen.given_out += 1
    resting = asyncio.create_task(seen.at_rest())
    await asyncio.sleep(0)

    seen.put(stored(4, State.BOUND))

    await resting


async def test_released_is_when_the_namespace_holds_nothing() -> None:
    seen = Allocations()
    seen.put(stored(2, State.BOUND))
    seen.put(stored(4, State.STOCK))
    told: list[int] = []
    released = asyncio.create_task(seen.released(SHOP, told.append))
    await asyncio.sleep(0)

    seen.drop(stored(2, State.BOUND))

    await released
    assert told == [1, 0]
