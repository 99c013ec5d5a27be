"""Policy Warn: who may share an address, who may not yet, and what is said and written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from crds.allocation import QUIET_S, VM_KIND, VMI_KIND, Reservation, State
from crds.pool import CollisionPolicy
from crds.pools import only
from crds.store import StoreUnavailable
from crds.tests.fake import FakeCluster
from crds.tests.gates import Fail, Hold
from webhook.claims import Grant
from webhook.sharing import MacTaken
from webhook.tests.replica import Replica, bound, calls_to, owner_of, pending, want
from webhook.tests.reviews import mac, pool
from webhook.tests.vms import VM, nic, reviewed, run, vm_manifest

if TYPE_CHECKING:
    from crds.allocation import Stored
    from webhook.admission import Want

CARRIES_1 = '[{"name":"ovs-conf","mac":"02:00:00:00:00:01"}]'
ASKS = "interface net1 asks for 02:00:00:00:00:01, which "
WARNING = f"{ASKS}Pod shop/other (interface net1) has, too: allowed by policy Warn"
TOO_SOON = (
    f"{ASKS}Pod shop/other (interface net1) has: it can be shared when nothing has changed about it"
    " for a minute: retry in a minute"
)
FOR_OTHER = Reservation(kind="Pod", namespace="shop", name="other")


async def held(cluster: FakeCluster, *, shared: bool = False) -> Stored:
    """mac(1) belongs to pod shop/other, which lives and carries it."""
    holder = cluster.create_pod("shop", "other", CARRIES_1)
    return await cluster.allocations.create(replace(bound(1, "other", holder.uid), shared=shared))


def warning(cluster: FakeCluster) -> Replica:
    """A replica under Warn to which all has been quiet for a while."""
    replica = Replica(cluster)
    replica.policy = CollisionPolicy.WARN
    replica.now_s += QUIET_S + 1
    return replica


async def take(replica: Replica, *wants: Want, request: str = "r-9") -> Grant:
    return await replica.claims.take(wants or (want(asks=1),), only(pool()), request)


async def refused(replica: Replica, *wants: Want) -> str:
    with pytest.raises(MacTaken) as taken:
        await take(replica, *wants)
    return str(taken.value)


@pytest.mark.parametrize("shared", [False, True], ids=["by two", "by three"])
async def test_a_bound_quiet_address_of_a_live_owner_is_shared_with_a_warning(
    *, shared: bool
) -> None:
    cluster = FakeCluster()
    before = await held(cluster, shared=shared)

    grant = await take(warning(cluster))

    after = cluster.allocated[mac(1)]
    assert grant == Grant((mac(1),), (WARNING,))
    assert after.uid == before.uid
    assert after.allocation == replace(before.allocation, shared=True, request="r-9")


async def test_sharing_costs_a_create_two_reads_and_a_write() -> None:
    cluster = FakeCluster()
    await held(cluster)
    cluster.calls.clear()

    await take(warning(cluster))

    assert [str(call).removeprefix("webhook-1 ") for call in cluster.calls] == [
        "create allocation 02:00:00:00:00:01",
        "get allocation 02:00:00:00:00:01",
        "get object Pod shop/other",
        "replace allocation 02:00:00:00:00:01",
    ]


async def test_an_address_that_changed_less_than_a_minute_ago_is_not_shared_yet() -> None:
    cluster = FakeCluster()
    before = await held(cluster)
    replica = warning(cluster)
    replica.now_s = QUIET_S - 1

    assert await refused(replica) == TOO_SOON
    assert cluster.allocated[mac(1)] == before


async def test_a_replica_that_has_just_listed_has_seen_nothing_quiet_yet() -> None:
    cluster = FakeCluster()
    await held(cluster)
    replica = warning(cluster)

    replica.watch.relist()

    assert await refused(replica) == TOO_SOON
    replica.now_s += QUIET_S + 1
    assert (await take(replica)).warnings == (WARNING,)


async def test_a_change_that_the_watch_has_not_shown_yet_is_not_quiet() -> None:
    cluster = FakeCluster()
    await held(cluster)
    replica = Replica(cluster, lag=True)
    replica.policy = CollisionPolicy.WARN
    cluster.label(mac(1), "touched", "yes")

    replica.now_s += 10 * QUIET_S

    assert await refused(replica) == TOO_SOON


async def test_where_the_owner_cannot_be_looked_up_nothing_is_shared() -> None:
    cluster = FakeCluster(gate=Fail(lambda call: call.port == "object"))
    before = await held(cluster)

    with pytest.raises(StoreUnavailable):
        await take(warning(cluster))

    assert cluster.allocated[mac(1)] == before


async def test_the_address_of_an_owner_of_an_unknown_kind_is_shared() -> None:
    cluster = FakeCluster()
    robot = replace(owner_of("other", "u-2"), kind="Robot", api_version="example.org/v1")
    await cluster.allocations.create(replace(bound(1), owner=robot))

    grant = await take(warning(cluster))

    assert grant.warnings == (
        f"{ASKS}Robot shop/other (interface net1) has, too: allowed by policy Warn",
    )


async def test_an_owner_of_which_only_the_vmi_is_left_is_alive() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", str(mac(1))))
    cluster.remove(VM_KIND, "shop", "web")
    owner = replace(VM, uid=vmi.controller.uid if vmi.controller else None, interface="front")
    await cluster.allocations.create(replace(bound(1), owner=owner))
    replica = warning(cluster)

    grant = await take(replica, want("pod", asks=1))

    assert grant.warnings == (
        f"{ASKS}VirtualMachine shop/web (interface front) has, too: allowed by policy Warn",
    )
    cluster.remove(VMI_KIND, "shop", "web")
    replica.now_s += QUIET_S + 2
    assert "is being released" in await refused(replica, want("pod", asks=1))


async def test_an_address_released_before_the_write_is_created_again_and_not_shared() -> None:
    cluster = FakeCluster()
    before = await held(cluster)
    cluster.gate = hold = Hold(calls_to("replace"))
    taking = asyncio.ensure_future(take(warning(cluster)))
    await hold.arrived.wait()

    await cluster.allocations.delete(before)
    hold.release()

    assert await taking == Grant((mac(1),))
    assert cluster.allocated[mac(1)].allocation.state is State.PENDING
    assert not cluster.allocated[mac(1)].allocation.shared


async def test_an_address_reserved_for_its_owner_is_not_shared() -> None:
    cluster = FakeCluster()
    stored = await held(cluster)
    before = cluster._replace(stored, replace(stored.allocation, reserved_for=FOR_OTHER))

    message = await refused(warning(cluster), want(asks=1))

    assert "which belongs to Pod shop/other" in message
    assert cluster.allocated[mac(1)] == before


async def test_an_address_changed_before_the_write_is_read_again() -> None:
    cluster = FakeCluster()
    await held(cluster)
    cluster.gate = hold = Hold(calls_to("replace"))
    taking = asyncio.ensure_future(take(warning(cluster)))
    await hold.arrived.wait()

    after = cluster.label(mac(1), "touched", "yes")
    hold.release()

    with pytest.raises(MacTaken, match="it can be shared when nothing has changed about it"):
        await taking
    assert cluster.allocated[mac(1)] == after


async def test_an_address_that_is_shared_already_is_shared_further_at_once() -> None:
    # The API server calls again on an update conflict: the second answer must be like the first.
    cluster = FakeCluster()
    await held(cluster)
    replica = warning(cluster)

    first = await take(replica, want("pod", asks=1))
    again = await take(replica, want("pod", asks=1))
    both = await asyncio.gather(*(take(replica, want(f"pod-{n}", asks=1)) for n in range(2)))

    assert first == again == both[0] == both[1]


async def test_a_request_that_is_refused_elsewhere_gives_back_only_what_it_created() -> None:
    cluster = FakeCluster()
    await held(cluster)
    other = await cluster.allocations.create(pending(2))

    message = await refused(warning(cluster), want(asks=1), want(asks=2), want())

    assert "02:00:00:00:00:02" in message
    assert cluster.allocated[mac(1)].allocation.shared
    assert cluster.allocated == {mac(1): cluster.allocated[mac(1)], mac(2): other}


async def test_a_dry_run_warns_and_writes_nothing() -> None:
    cluster = FakeCluster()
    before = await held(cluster)

    grant = await warning(cluster).dry_claims.take((want(asks=1),), only(pool()), "r-9")

    assert grant == Grant((mac(1),), (WARNING,))
    assert cluster.allocated == {mac(1): before}


async def test_a_changed_policy_is_in_force_at_once() -> None:
    cluster = FakeCluster()
    await held(cluster)
    replica = warning(cluster)

    replica.policy = CollisionPolicy.REJECT
    assert "which belongs to Pod shop/other" in await refused(replica)
    replica.policy = CollisionPolicy.WARN
    assert (await take(replica)).warnings == (WARNING,)
    replica.now_s += QUIET_S + 2
    replica.policy = CollisionPolicy.REJECT
    assert "which belongs to Pod shop/other" in await refused(replica, want("third", asks=1))


async def test_the_warning_reaches_the_client() -> None:
    cluster = FakeCluster()
    await held(cluster)

    response = await warning(cluster).response(reviewed(vm_manifest(nic("net1", str(mac(1))))))

    assert response == {"uid": "r-1", "allowed": True, "warnings": [WARNING]}
