"""Requested addresses: which object gets them, and why others are refused."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from crds.allocation import QUIET_S, Allocation, Reservation, State
from crds.mac import MacRange
from crds.pool import CollisionPolicy, Pool
from crds.store import StoreUnavailable
from crds.tests.fake import FakeCluster
from crds.tests.gates import Fail, Hold
from webhook.sharing import MacTaken
from webhook.tests.replica import Replica, bound, calls_to, owner_of, pending, want
from webhook.tests.reviews import mac, pool

CARRIES_1 = '[{"name":"ovs-conf","mac":"02:00:00:00:00:01"}]'
ASKS = "interface net1 asks for 02:00:00:00:00:01, which "
REMEDY = "choose another address, or leave out the mac and get one from the pool"
FOR_OTHER = Reservation(kind="Pod", namespace="shop", name="other")


def under(policy: CollisionPolicy, cluster: FakeCluster) -> Replica:
    """Return a replica with this policy that has seen no change for longer than Q."""
    replica = Replica(cluster)
    replica.policy = policy
    replica.now_s += QUIET_S + 1
    return replica


async def refused(replica: Replica) -> str:
    with pytest.raises(MacTaken) as taken:
        await replica.take(want(asks=1))
    return str(taken.value)


async def test_a_free_address_is_taken_by_name_inside_and_outside_every_range() -> None:
    cluster = FakeCluster()

    given = await Replica(cluster).take(want(asks=1), want(asks=999))

    assert given == (mac(1), mac(999))
    assert cluster.allocated[mac(1)].allocation.pool == "default"
    assert cluster.allocated[mac(999)].allocation.pool is None


async def test_a_reserved_address_can_be_requested() -> None:
    cluster = FakeCluster()
    reserved = Pool("default", pool().ranges, (MacRange(mac(1), mac(1)),))

    assert await Replica(cluster).take(want(asks=1), of=reserved) == (mac(1),)
    assert await Replica(cluster).take(want(), want(), of=reserved) == (mac(0), mac(2))


async def test_another_s_address_is_refused_naming_the_holder_and_the_remedy() -> None:
    cluster = FakeCluster()
    holder = cluster.create_pod("shop", "other", CARRIES_1)
    await cluster.allocations.create(bound(1, "other", holder.uid))

    message = await refused(Replica(cluster))

    assert message == (
        "interface net1 asks for 02:00:00:00:00:01, which belongs to Pod shop/other (interface"
        f" net1): {REMEDY} (kubectl get macallocation 02-00-00-00-00-01)"
    )


@pytest.mark.parametrize("policy", CollisionPolicy)
@pytest.mark.parametrize("fate", ["deleted", "ended", "carries another"])
async def test_no_policy_shares_an_address_that_is_being_released(
    fate: str, policy: CollisionPolicy
) -> None:
    cluster = FakeCluster()
    holder = cluster.create_pod("shop", "other", CARRIES_1)
    before = await cluster.allocations.create(bound(1, "other", holder.uid))
    if fate == "deleted":
        cluster.delete_pod("shop", "other")
    if fate == "ended":
        cluster.set_phase("shop", "other", "Succeeded")
    if fate == "carries another":
        cluster.delete_pod("shop", "other")
        cluster.create_pod("shop", "other", CARRIES_1.replace("00:01", "00:02"))
    replica = under(policy, cluster)
    cluster.calls.clear()

    assert await refused(replica) == (
        f"{ASKS}Pod shop/other (interface net1) had, and which is being released: retry in a minute"
    )
    assert cluster.allocated[mac(1)] == before
    assert [call.verb for call in cluster.calls] == ["create", "get", "get"]


@pytest.mark.parametrize("policy", CollisionPolicy)
@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(
            pending(1),
            "Pod shop/other (interface net1) is getting or giving back: retry in a minute",
            id="on its way to another",
        ),
        pytest.param(
            Allocation(mac=mac(1), reserved_for=FOR_OTHER),
            f"is declared for Pod shop/other only: {REMEDY}",
            id="declared for another",
        ),
    ],
)
async def test_no_policy_shares_an_address_that_no_object_runs_with(
    found: Allocation, says: str, policy: CollisionPolicy
) -> None:
    cluster = FakeCluster()
    before = await cluster.allocations.create(found)

    assert await refused(under(policy, cluster)) == ASKS + says
    assert cluster.allocated[mac(1)] == before


async def test_where_the_owner_cannot_be_looked_up_it_is_not_called_gone() -> None:
    cluster = FakeCluster(gate=Fail(lambda call: call.port == "object"))
    await cluster.allocations.create(bound(1))

    assert "which belongs to Pod shop/other" in await refused(Replica(cluster))


async def test_an_owner_of_an_unknown_kind_is_not_called_gone() -> None:
    cluster = FakeCluster()
    robot = replace(owner_of("other", "u-2"), kind="Robot", api_version="example.org/v1")
    await cluster.allocations.create(replace(bound(1), owner=robot))

    assert "which belongs to Robot shop/other" in await refused(Replica(cluster))


async def test_a_pod_created_again_by_its_name_gets_its_address() -> None:
    cluster = FakeCluster()
    before = await cluster.allocations.create(bound(1, "web", "u-1"))

    given = await Replica(cluster).take(want(asks=1), request="r-9")

    after = cluster.allocated[mac(1)]
    assert given == (mac(1),)
    assert after.uid == before.uid
    assert after.version != before.version
    assert (after.allocation.state, after.allocation.request) == (State.PENDING, "r-9")


async def test_two_pods_of_one_deployment_never_share_a_fixed_address() -> None:
    cluster = FakeCluster()
    replicas = [Replica(cluster, f"webhook-{n}") for n in range(2)]

    results = await asyncio.gather(
        *(replica.take(want(None, asks=1), request=f"r-{n}") for n, replica in enumerate(replicas)),
        return_exceptions=True,
    )

    assert {type(result) for result in results} == {tuple, MacTaken}


async def test_a_declared_address_goes_to_one_of_two_who_ask() -> None:
    cluster = FakeCluster()
    await cluster.allocations.create(Allocation(mac=mac(1)))
    replica = Replica(cluster)

    results = await asyncio.gather(
        *(replica.take(want(f"pod-{n}", asks=1)) for n in range(2)), return_exceptions=True
    )

    assert {type(result) for result in results} == {tuple, MacTaken}
    assert cluster.allocated[mac(1)].allocation.declared


@pytest.mark.parametrize(
    ("before", "holder"), [("get", bound(1)), ("replace", bound(1, "web", "u-1"))]
)
async def test_an_address_released_during_the_claim_is_created_again(
    before: str, holder: Allocation
) -> None:
    cluster = FakeCluster()
    stored = await cluster.allocations.create(holder)
    cluster.gate = hold = Hold(calls_to(before))
    asking = asyncio.ensure_future(Replica(cluster).take(want(asks=1)))
    await hold.arrived.wait()

    await cluster.allocations.delete(stored)
    hold.release()

    assert await asking == (mac(1),)
    assert cluster.allocated[mac(1)].uid != stored.uid
    assert cluster.allocated[mac(1)].allocation.state is State.PENDING


async def test_an_address_that_changes_hands_again_and_again_is_refused_in_the_end() -> None:
    cluster = FakeCluster()
    await cluster.allocations.create(bound(1, "web", "u-1"))

    async def another_client_labels_it_first(call: object) -> None:
        if str(call).startswith("webhook-1 replace"):
            cluster.label(mac(1), "touched", str(cluster.revision))

    cluster.gate = another_client_labels_it_first

    message = await refused(Replica(cluster))

    assert message == "02:00:00:00:00:01 is being claimed and released by other requests: retry"
    assert [call.verb for call in cluster.calls].count("replace") == 5


@pytest.mark.parametrize("verb", ["create", "get", "replace"])
async def test_an_error_is_not_taken_for_a_refusal(verb: str) -> None:
    cluster = FakeCluster()
    if verb != "create":
        await cluster.allocations.create(bound(1, "web", "u-1"))
    cluster.gate = Fail(calls_to(verb))

    with pytest.raises(StoreUnavailable):
        await Replica(cluster).take(want(asks=1))
