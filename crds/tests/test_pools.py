"""The pool of a namespace, and the pool that contains an address."""

from __future__ import annotations

from crds.mac import MacAddress, MacRange
from crds.pool import Pool
from crds.pools import Pools, only

INSIDE, OUTSIDE = MacAddress(0x02_00_00_00_00_01), MacAddress(0x02_00_00_00_01_00)
POOL = Pool(
    "default", (MacRange(MacAddress(0x02_00_00_00_00_00), MacAddress(0x02_00_00_00_00_0F)),)
)


def test_the_default_pool_serves_every_namespace() -> None:
    pools = only(POOL)

    assert pools.default is pools.of("shop") is pools.of("other") is POOL


def test_an_address_is_held_by_the_pool_that_can_give_it_out() -> None:
    assert only(POOL).holding(INSIDE) is POOL
    assert only(POOL).holding(OUTSIDE) is None


def test_without_a_pool_no_namespace_is_served() -> None:
    for pools in (Pools(), only(None)):
        assert pools.default is pools.of("shop") is pools.holding(INSIDE) is None


def test_two_sets_of_equal_pools_are_equal() -> None:
    assert only(POOL) == only(Pool("default", POOL.ranges)) != Pools()
