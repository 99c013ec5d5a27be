"""Launcher pods of a VMI without a VM: its addresses are theirs, each pod has the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from crds.allocation import KUBEVIRT, VMI_KIND, Owner, Source, State
from crds.tests.fake import FakeCluster
from webhook.tests.launched import (
    GET_VMI,
    LIST_LAUNCHERS,
    SECOND,
    ask,
    element,
    elements_of,
    launcher,
    running,
    said,
    served,
)
from webhook.tests.replica import bound
from webhook.tests.reviews import mac
from webhook.tests.vms import as_answered, nic, run

if TYPE_CHECKING:
    from crds.allocation import Allocation
    from crds.carriers import Carrier

VMI = Owner(
    api_version=KUBEVIRT,
    kind=VMI_KIND,
    namespace="shop",
    name="web",
    interface="pod7e0075b5cd0",
    network="shop/front",
)


def bind(cluster: FakeCluster, address: int, instance: Carrier) -> Allocation:
    """Bind a Pending allocation, as the controller does."""
    stored = cluster.allocated[mac(address)]
    owner = stored.allocation.owner
    assert owner is not None
    bound_now = replace(
        stored.allocation, state=State.BOUND, owner=replace(owner, uid=instance.uid)
    )
    return cluster._replace(stored, bound_now).allocation


async def test_the_launcher_of_a_bare_vmi_gets_an_address_for_the_vmi() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front"), of_vm=False)

    (network,) = await served(cluster, launcher(vmi, element()))

    allocation = cluster.allocated[mac(0)].allocation
    assert network == element(0)
    assert (allocation.state, allocation.source) == (State.PENDING, Source.POOL)
    assert allocation.owner == VMI
    assert said(cluster) == [
        GET_VMI,
        LIST_LAUNCHERS,
        "webhook-1 create allocation 02:00:00:00:00:00",
    ]


async def test_the_address_in_the_spec_of_a_bare_vmi_is_claimed_for_it() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front", "02-00-00-00-00-0A"), of_vm=False)
    pod = launcher(vmi, element(mac="02-00-00-00-00-0A"))

    assert await served(cluster, pod) == elements_of(pod)
    allocation = cluster.allocated[mac(10)].allocation
    assert (allocation.source, allocation.owner) == (Source.REQUESTED, VMI)


@pytest.mark.parametrize("is_bound", [True, False], ids=["bound", "not bound yet"])
async def test_a_migration_s_second_pod_gets_the_very_same_addresses(*, is_bound: bool) -> None:
    cluster = FakeCluster()
    vmi = run(cluster, nic("front"), nic("back"), of_vm=False)
    both = element(), element(name="back", interface="podab")
    first = await served(cluster, launcher(vmi, *both))
    before = [
        bind(cluster, n, vmi) if is_bound else cluster.allocated[mac(n)].allocation for n in (0, 1)
    ]

    second = await served(cluster, launcher(vmi, *reversed(both), name=SECOND))

    assert second == list(reversed(first))
    assert [cluster.allocated[mac(n)].allocation for n in (0, 1)] == before
    assert set(cluster.allocated) == {mac(0), mac(1)}


async def test_a_migration_s_second_pod_leaves_a_write_behind() -> None:
    # A release under way finds the allocation changed.
    cluster = FakeCluster()
    vmi = run(cluster, nic("front"), of_vm=False)
    await served(cluster, launcher(vmi, element()))
    bind(cluster, 0, vmi)
    before = cluster.allocated[mac(0)]

    await ask(cluster, launcher(vmi, element(), name=SECOND), uid="r-9")

    after = cluster.allocated[mac(0)]
    assert (after.uid, after.allocation) == (
        before.uid,
        replace(before.allocation, request="r-9"),
    )
    assert after.version != before.version


@pytest.mark.parametrize("address", [9, None], ids=["in its spec", "from its first pod"])
async def test_a_migration_of_a_vmi_that_shares_its_address_is_not_refused(
    address: int | None,
) -> None:
    # The policy may be Reject again by then.
    cluster = FakeCluster()
    vmi = run(cluster, of_vm=False)
    holder = cluster.create_pod("shop", "other", f'[{{"name":"a","mac":"{mac(9)}"}}]')
    shared = replace(bound(9, "other", holder.uid), shared=True)
    await cluster.allocations.create(shared)
    cluster.put("Pod", launcher(vmi, element(9)))

    second = await served(cluster, launcher(vmi, element(address), name=SECOND))

    assert second == [element(9)]
    assert cluster.allocated[mac(9)].allocation == replace(shared, request="r-1")


async def test_only_the_same_interface_of_another_pod_is_the_same() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, of_vm=False)
    cluster.put("Pod", launcher(vmi, element(9)))

    second = await served(cluster, launcher(vmi, element(interface="podab"), name=SECOND))

    assert second == [element(0, interface="podab")]


async def test_pods_of_a_former_vmi_of_the_name_are_no_siblings() -> None:
    cluster = FakeCluster()
    former = run(cluster, of_vm=False)
    cluster.put("Pod", launcher(former, element(9)))
    cluster.remove(VMI_KIND, "shop", "web")
    vmi = run(cluster, of_vm=False)

    (network,) = await served(cluster, launcher(vmi, element(), name=SECOND))

    assert network == element(0)


async def test_an_address_in_use_on_another_element_is_not_given_to_its_sibling() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, of_vm=False)
    cluster.put("Pod", launcher(vmi, element(9)))

    second = await served(
        cluster,
        launcher(vmi, element(), element(9, interface="podab"), name=SECOND),
    )

    assert second == [element(0), element(9, interface="podab")]


async def test_the_launcher_of_a_bare_vmi_keeps_its_address_in_an_update() -> None:
    cluster = FakeCluster()
    vmi = run(cluster, of_vm=False)
    had = {"name": "a", "namespace": "shop", "mac": str(mac(9))}
    old = running(cluster, launcher(vmi, had))
    new = launcher(vmi, {"name": "b"}, had)

    response = await ask(cluster, new, old)

    assert [network["mac"] for network in elements_of(as_answered(new, response))] == [
        str(mac(0)),
        str(mac(9)),
    ]
