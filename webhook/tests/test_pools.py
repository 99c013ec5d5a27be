from __future__ import annotations

import pytest

from crds.pool import CollisionPolicy, Pool
from crds.pools import Pools, only
from crds.resources import Condition, PoolSnapshot, PoolStatus
from webhook.pools import WatchedPools
from webhook.tests.reviews import pool

ADOPTED = PoolStatus(conditions=(Condition(type="Adopted", status="True"),))
READY = PoolSnapshot(pool(), ADOPTED)


def test_the_default_pool_is_in_force_once_adopted() -> None:
    pools = WatchedPools()

    pools.reset([PoolSnapshot(Pool("other", pool().ranges), ADOPTED), READY])

    assert pools.in_force() == only(pool())
    assert pools.not_ready_because() == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "there is no MacPool default yet"),
        ([PoolSnapshot(Pool("other", pool().ranges), ADOPTED)], "there is no MacPool default yet"),
        ([PoolSnapshot(Pool("default", ()), ADOPTED)], "MacPool default has no range"),
        ([PoolSnapshot(pool(), PoolStatus())], "not adopted yet"),
        (
            [PoolSnapshot(pool(), PoolStatus(conditions=(Condition("Adopted", "False"),)))],
            "not adopted yet",
        ),
    ],
)
def test_nothing_is_given_out_too_early_and_it_says_why(
    found: list[PoolSnapshot], says: str
) -> None:
    pools = WatchedPools()

    pools.reset(found)

    assert pools.in_force() == Pools()
    (lack,) = pools.not_ready_because()
    assert says in lack


def test_a_changed_pool_is_in_force_at_once() -> None:
    pools = WatchedPools()
    pools.reset([READY])

    pools.put(PoolSnapshot(pool(4), ADOPTED))

    assert pools.in_force() == only(pool(4))


def test_a_deleted_pool_gives_out_nothing() -> None:
    pools = WatchedPools()
    pools.put(READY)

    pools.drop(READY)

    assert pools.in_force() == Pools()


def test_other_pools_change_nothing() -> None:
    pools = WatchedPools()
    pools.put(READY)
    other = PoolSnapshot(Pool("other", ()), PoolStatus())

    pools.put(other)
    pools.drop(other)

    assert pools.in_force() == only(pool())


def test_the_policy_is_the_default_pools_and_reject_until_it_is_known() -> None:
    pools = WatchedPools()
    assert pools.policy() is CollisionPolicy.REJECT

    pools.put(PoolSnapshot(pool(), PoolStatus(), CollisionPolicy.WARN))

    assert pools.policy() is CollisionPolicy.WARN
