from __future__ import annotations

import pytest

from crds.pool import CollisionPolicy, Pool
from crds.resources import Condition, PoolStatus, SeenPool
from webhook.pools import Pools
from webhook.tests.reviews import pool

ADOPTED = PoolStatus(conditions=(Condition(type="Adopted", status="True"),))
READY = SeenPool(pool(), ADOPTED)


def test_the_default_pool_is_in_force_once_adopted() -> None:
    pools = Pools()

    pools.reset([SeenPool(Pool("other", pool().ranges), ADOPTED), READY])

    assert pools.in_force() == pool()
    assert pools.lacks() == []


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ([], "there is no MacPool default yet"),
        ([SeenPool(Pool("other", pool().ranges), ADOPTED)], "there is no MacPool default yet"),
        ([SeenPool(Pool("default", ()), ADOPTED)], "MacPool default has no range"),
        ([SeenPool(pool(), PoolStatus())], "not adopted yet"),
        (
            [SeenPool(pool(), PoolStatus(conditions=(Condition("Adopted", "False"),)))],
            "not adopted yet",
        ),
    ],
)
def test_nothing_is_given_out_too_early_and_it_says_why(seen: list[SeenPool], says: str) -> None:
    pools = Pools()

    pools.reset(seen)

    assert pools.in_force() is None
    (lack,) = pools.lacks()
    assert says in lack


def test_a_changed_pool_is_in_force_at_once() -> None:
    pools = Pools()
    pools.reset([READY])

    pools.put(SeenPool(pool(4), ADOPTED))

    assert pools.in_force() == pool(4)


def test_a_deleted_pool_gives_out_nothing() -> None:
    pools = Pools()
    pools.put(READY)

    pools.drop(READY)

    assert pools.in_force() is None


def test_other_pools_change_nothing() -> None:
    pools = Pools()
    pools.put(READY)
    other = SeenPool(Pool("other", ()), PoolStatus())

    pools.put(other)
    pools.drop(other)

    assert pools.in_force() == pool()


def test_the_policy_is_the_default_pools_and_reject_until_it_is_known() -> None:
    pools = Pools()
    assert pools.policy() is CollisionPolicy.REJECT

    pools.put(SeenPool(pool(), PoolStatus(), CollisionPolicy.WARN))

    assert pools.policy() is CollisionPolicy.WARN
