"""Addresses from the pool: races, exhaustion, failures halfway."""

from __future__ import annotations

import asyncio

import pytest

from crds.allocation import State
from crds.mac import MacRange
from crds.pool import Pool
from crds.store import StoreUnavailable
from crds.tests.fake import FakeCluster
from crds.tests.gates import Fail, Hold
from webhook.claims import PoolExhausted
from webhook.tests.replica import Replica, bound, calls_to, want
from webhook.tests.reviews import mac, pool


def verbs(cluster: FakeCluster) -> list[str]:
    return [call.verb for call in cluster.calls]


async def test_an_address_is_named_by_an_allocation_before_it_is_given() -> None:
    cluster = FakeCluster()

    (given,) = await Replica(cluster, start=5).take(want(), request="r-7")

    stored = cluster.allocated[given]
    assert given == mac(5)
    assert stored.allocation.state is State.PENDING
    assert stored.allocation.request == "r-7"
    assert str(stored.allocation.owner) == "Pod shop/web (interface net1)"


async def test_a_known_address_is_passed_over_without_a_call() -> None:
    cluster = FakeCluster()
    replica = Replica(cluster)
    await cluster.allocations.create(bound(0))
    cluster.calls.clear()

    (given,) = await replica.take(want())

    assert given == mac(1)
    assert verbs(cluster) == ["create"]


async def test_a_lost_race_means_the_next_address() -> None:
    cluster = FakeCluster()
    replica = Replica(cluster, lag=True)
    await cluster.allocations.create(bound(0))
    await cluster.allocations.create(bound(1))
    cluster.calls.clear()

    (given,) = await replica.take(want())

    assert given == mac(2)
    assert verbs(cluster) == ["create"] * 3


async def test_two_replicas_never_give_out_one_address() -> None:
    cluster = FakeCluster()
    replicas = [Replica(cluster, f"webhook-{n}", lag=True) for n in range(2)]

    taken = await asyncio.gather(
        *(replicas[n % 2].take(want(f"pod-{n}"), of=pool(64)) for n in range(64))
    )

    assert {given for (given,) in taken} == {mac(n) for n in range(64)}
    assert len(cluster.allocated) == 64


async def test_interfaces_of_one_pod_get_different_addresses() -> None:
    cluster = FakeCluster()

    taken = await Replica(cluster).take(*(want() for _ in range(8)))

    assert sorted(taken) == [mac(n) for n in range(8)]
    assert len(cluster.calls) == 8


async def test_no_interface_is_given_what_another_of_its_pod_asks_for() -> None:
    # Its allocation would bear the name of the pod, so the one that asked would be let in, too.
    cluster = FakeCluster()

    taken = await Replica(cluster).take(want(), want(asks=0))

    assert taken == (mac(1), mac(0))
    assert set(cluster.allocated) == {mac(0), mac(1)}


async def test_a_pool_is_exhausted_only_by_a_fresh_list() -> None:
    cluster = FakeCluster()
    replica = Replica(cluster, lag=True)
    for last in range(2):
        await cluster.allocations.create(bound(last))
    replica.watch.deliver()
    await cluster.allocations.delete(cluster.allocated[mac(1)])

    (given,) = await replica.take(want(), of=pool(2))

    assert given == mac(1)
    assert "list" in verbs(cluster)


async def test_an_exhausted_pool_says_its_name_its_size_and_what_helps() -> None:
    cluster = FakeCluster()
    for last in range(2):
        await cluster.allocations.create(bound(last))

    with pytest.raises(PoolExhausted) as refused:
        await Replica(cluster).take(want(), of=pool(2))

    assert str(refused.value) == (
        "pool default (02:00:00:00:00:00 - 02:00:00:00:00:01) is exhausted: of its 2 addresses"
        " too few are free for this request; widen RANGE_START and RANGE_END in ConfigMap"
        " kubemacpool-mac-range-config, or delete what is no longer needed (kubectl get"
        " macallocations shows the owners)"
    )


async def test_a_pool_of_nothing_is_exhausted_without_a_call() -> None:
    cluster = FakeCluster()
    group = Pool("default", (MacRange(mac(1 << 40), mac((1 << 40) + 9)),))

    with pytest.raises(PoolExhausted):
        await Replica(cluster).take(want(), of=group)

    assert cluster.calls == []


async def test_a_claim_made_after_a_list_began_gets_an_address_freed_since() -> None:
    cluster = FakeCluster()
    stored = await cluster.allocations.create(bound(0))
    replica = Replica(cluster, lag=True)
    cluster.answer = hold = Hold(calls_to("list"))
    early = asyncio.ensure_future(replica.take(want("early"), of=pool(1)))
    await hold.arrived.wait()  # the list has been read, its answer is on the way

    await cluster.allocations.delete(stored)
    late = asyncio.ensure_future(replica.take(want("late"), of=pool(1)))
    hold.release()

    with pytest.raises(PoolExhausted):
        await early
    assert await late == (mac(0),)


async def test_a_failed_request_deletes_what_it_created_and_nothing_else() -> None:
    cluster = FakeCluster()
    others = await cluster.allocations.create(bound(0))

    with pytest.raises(PoolExhausted):
        await Replica(cluster).take(want(), want(), want(), of=pool(3))

    assert cluster.allocated == {mac(0): others}


async def test_a_failed_request_keeps_what_it_took_over() -> None:
    cluster = FakeCluster()
    await cluster.allocations.create(bound(0, "web"))
    await cluster.allocations.create(bound(1))

    with pytest.raises(PoolExhausted):
        await Replica(cluster).take(want(asks=0), want(asks=5), want(), of=pool(2))

    assert set(cluster.allocated) == {mac(0), mac(1)}
    assert cluster.allocated[mac(0)].allocation.state is State.PENDING


async def test_a_failed_request_never_deletes_an_allocation_that_another_took_over() -> None:
    cluster = FakeCluster()
    replica = Replica(cluster)
    await cluster.allocations.create(bound(0))
    cluster.gate = hold = Hold(calls_to("delete"))
    failing = asyncio.ensure_future(replica.take(want(), want(), of=pool(2)))
    await hold.arrived.wait()

    await replica.take(want(asks=1), request="the API server asks again")
    hold.release()

    with pytest.raises(PoolExhausted):
        await failing
    assert cluster.allocated[mac(1)].allocation.request == "the API server asks again"


async def test_an_error_ends_the_request_and_is_not_the_next_address() -> None:
    cluster = FakeCluster(gate=Fail(calls_to("create")))

    with pytest.raises(StoreUnavailable):
        await Replica(cluster).take(want())

    assert verbs(cluster) == ["create"]
    assert cluster.allocated == {}


async def test_an_error_of_one_interface_undoes_the_others() -> None:
    cluster = FakeCluster(gate=Fail(lambda call: call.what == str(mac(1))))

    with pytest.raises(StoreUnavailable):
        await Replica(cluster).take(want(), want(), want())

    assert cluster.allocated == {}


async def test_a_create_whose_answer_is_lost_fails_the_request_and_stays_pending() -> None:
    cluster = FakeCluster(answer=Fail(lambda call: call.what == str(mac(1))))

    with pytest.raises(StoreUnavailable):
        await Replica(cluster).take(want(), want(), want())

    assert list(cluster.allocated) == [mac(1)]
    assert cluster.allocated[mac(1)].allocation.state is State.PENDING


async def test_a_list_that_fails_says_so_and_never_that_the_pool_is_exhausted() -> None:
    cluster = FakeCluster(gate=Fail(calls_to("list")))
    await cluster.allocations.create(bound(0))

    with pytest.raises(StoreUnavailable):
        await Replica(cluster).take(want(), of=pool(1))


async def test_an_undo_that_fails_is_left_to_the_controller() -> None:
    cluster = FakeCluster(gate=Fail(calls_to("delete")))
    await cluster.allocations.create(bound(0))

    with pytest.raises(PoolExhausted):
        await Replica(cluster).take(want(), want(), of=pool(2))

    left = cluster.allocated[mac(1)].allocation
    assert (left.state, left.owner, left.request) == (State.PENDING, want().owner, "r-1")


async def test_nothing_wanted_is_nothing_asked() -> None:
    cluster = FakeCluster()

    assert await Replica(cluster).take() == ()

    assert cluster.calls == []
