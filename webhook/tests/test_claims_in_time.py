"""Claims keep their deadline, and let other tasks use the loop."""

from __future__ import annotations

import asyncio

import pytest

from crds.allocation import State
from crds.pool import Pool
from crds.pools import only
from crds.resources import NameAndVersion
from crds.tests.fake import FakeCluster
from crds.tests.gates import Hold
from webhook import claims
from webhook.claims import PoolExhausted
from webhook.tests.replica import Replica, bound, calls_to, want
from webhook.tests.reviews import mac, pool


def verbs(cluster: FakeCluster) -> list[str]:
    return [call.verb for call in cluster.calls]


async def test_a_claim_cut_off_by_the_deadline_deletes_what_it_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "_ENDING_S", 0.0)
    cluster = FakeCluster()
    cluster.gate = Hold(lambda call: call.what == str(mac(1)))

    with pytest.raises(TimeoutError):
        await Replica(cluster).claims.take((want(), want(), want()), only(pool()), "r-1", 0.0)

    assert cluster.allocated == {}
    assert sorted(verbs(cluster)) == ["create"] * 3 + ["delete"] * 2


async def test_a_create_under_way_at_the_deadline_is_undone_when_it_ends_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "_ENDING_S", 20.0)
    cluster = FakeCluster()
    cluster.answer = hold = Hold(lambda call: call.verb == "create" and call.what == str(mac(1)))
    replica = Replica(cluster)
    taking = asyncio.ensure_future(replica.claims.take((want(), want()), only(pool()), "r-1", 0.0))
    await hold.arrived.wait()
    assert set(cluster.allocated) == {mac(0), mac(1)}

    hold.release()

    with pytest.raises(TimeoutError):
        await taking
    assert cluster.allocated == {}


async def test_an_undo_for_which_no_time_is_left_is_the_controllers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "_UNDOING_S", 0.0)
    cluster = FakeCluster()
    cluster.gate = Hold(calls_to("delete"))
    await cluster.allocations.create(bound(0))

    with pytest.raises(PoolExhausted):
        await Replica(cluster).take(want(), want(), of=pool(2))

    assert cluster.allocated[mac(1)].allocation.state is State.PENDING


async def test_a_full_pool_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster()
    replica = Replica(cluster)
    for last in range(4):
        await cluster.allocations.create(bound(last))

    def walk(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Pool, "walk", walk)

    with pytest.raises(PoolExhausted):
        await replica.take(want(), of=pool(4))


async def test_others_use_the_loop_during_a_long_walk() -> None:
    cluster = FakeCluster()
    replica = Replica(cluster)
    replica.allocated.reset([NameAndVersion(mac(n), 1) for n in range(9_999)])
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(another())
    assert await replica.take(want(), of=pool(10_000)) == (mac(9_999),)
    task.cancel()

    assert turns >= 10
