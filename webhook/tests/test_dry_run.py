from __future__ import annotations

import pytest

from crds.pools import only
from crds.tests.fake import FakeCluster
from webhook.claims import DryAllocations, PoolExhausted
from webhook.sharing import MacTaken
from webhook.tests.replica import Replica, bound, want
from webhook.tests.reviews import mac, pool


async def test_a_dry_run_answers_and_writes_nothing() -> None:
    cluster = FakeCluster()
    await cluster.allocations.create(bound(0))
    before = dict(cluster.allocated)

    given = await Replica(cluster).dry_claims.take(
        (want(), want(), want(asks=9)), only(pool()), "r-1"
    )

    assert given.macs == (mac(1), mac(2), mac(9))
    assert cluster.allocated == before


async def test_a_dry_run_takes_over_nothing() -> None:
    cluster = FakeCluster()
    before = await cluster.allocations.create(bound(1, "web", "u-1"))

    given = await Replica(cluster).dry_claims.take((want(asks=1),), only(pool()), "r-1")

    assert given.macs == (mac(1),)
    assert cluster.allocated == {mac(1): before}


async def test_a_dry_run_is_refused_as_a_real_one_would_be() -> None:
    cluster = FakeCluster()
    await cluster.allocations.create(bound(0))
    dry = Replica(cluster).dry_claims

    with pytest.raises(PoolExhausted):
        await dry.take((want(),), only(pool(1)), "r-1")
    with pytest.raises(PoolExhausted):
        await dry.take((want(), want()), only(pool(2)), "r-1")
    with pytest.raises(MacTaken):
        await dry.take((want(), want(asks=0)), only(pool()), "r-1")

    assert len(cluster.allocated) == 1


async def test_no_call_of_the_dry_store_writes() -> None:
    cluster = FakeCluster()
    stored = await cluster.allocations.create(bound(0))
    dry = DryAllocations(cluster.allocations)

    await dry.create(bound(1))
    await dry.replace(stored, bound(0, "changed"))
    await dry.delete(stored)

    assert await dry.get(mac(0)) == stored
    assert cluster.allocated == {mac(0): stored}
