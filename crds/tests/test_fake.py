"""The fake keeps the contract of the real store, and its gates do what tests ask of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from crds.store import AlreadyAllocated, StoreUnavailable
from crds.tests.contract import AllocationsContract
from crds.tests.contract_objects import ObjectsContract
from crds.tests.contract_vms import VmsContract
from crds.tests.fake import FakeCluster, ObjectExists
from crds.tests.gates import Call, Fail, Hold
from crds.tests.world import MAC, PENDING

if TYPE_CHECKING:
    from crds.allocation import Stored
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.resources import NameAndVersion
    from crds.tests.kubevirt import Manifest
    from kube.watch import View


class FakeWorld:
    """The contract's world around a FakeCluster."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.allocations = self.cluster.allocations
        self.objects = self.cluster.objects

    async def create_pod(self, name: str, networks: str | None = None) -> Carrier:
        return self.cluster.create_pod("default", name, networks)

    async def set_phase(self, name: str, phase: str) -> None:
        self.cluster.set_phase("default", name, phase)

    async def annotate(self, name: str, networks: str) -> None:
        self.cluster.annotate("default", name, networks)

    async def delete_pod(self, name: str) -> None:
        self.cluster.delete_pod("default", name)

    async def store(self, manifest: Manifest) -> Carrier:
        return self.cluster.put(manifest["kind"], manifest)

    async def install_kubevirt(self) -> None:
        """The fake always knows KubeVirt's kinds."""

    async def label(self, mac: MacAddress, key: str, value: str) -> None:
        self.cluster.label(mac, key, value)

    async def labels(self, mac: MacAddress) -> dict[str, str]:
        return self.cluster.labels[mac]

    async def follow(self, view: View[Stored]) -> None:
        self.cluster.follow_allocations(view)


class TestFakeStore(AllocationsContract, ObjectsContract, VmsContract):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()


async def test_a_call_fails_before_its_effect() -> None:
    cluster = FakeCluster(gate=Fail(lambda call: call.verb == "create"))

    with pytest.raises(StoreUnavailable):
        await cluster.allocations.create(PENDING)

    assert not cluster.allocated
    assert (await cluster.allocations.create(PENDING)).allocation == PENDING


async def test_a_call_with_a_lost_answer_has_its_effect() -> None:
    cluster = FakeCluster(answer=Fail(lambda call: call.verb == "create"))

    with pytest.raises(StoreUnavailable):
        await cluster.allocations.create(PENDING)

    assert list(cluster.allocated) == [MAC]
    with pytest.raises(AlreadyAllocated):
        await cluster.allocations.create(PENDING)


async def test_a_held_call_does_nothing_until_it_is_released() -> None:
    cluster = FakeCluster(gate=(hold := Hold(lambda call: call.client == "webhook-1")))

    late = asyncio.ensure_future(cluster.client("webhook-1").allocations.create(PENDING))
    await hold.arrived.wait()
    await cluster.client("webhook-2").allocations.create(PENDING)
    hold.release()

    with pytest.raises(AlreadyAllocated):
        await late
    assert cluster.calls == [
        Call("webhook-1", "create", "allocation", str(MAC)),
        Call("webhook-2", "create", "allocation", str(MAC)),
    ]


async def test_a_held_call_of_a_program_that_dies_never_happens() -> None:
    cluster = FakeCluster(gate=(hold := Hold(lambda call: call.verb == "create")))
    dying = asyncio.ensure_future(cluster.allocations.create(PENDING))
    await hold.arrived.wait()

    dying.cancel()
    await asyncio.wait([dying])

    assert dying.cancelled()
    assert not cluster.allocated


async def test_only_one_pod_of_a_name_exists_at_a_time() -> None:
    cluster = FakeCluster()
    cluster.create_pod("shop", "web")

    with pytest.raises(ObjectExists):
        cluster.create_pod("shop", "web")

    assert cluster.create_pod("other", "web").name == "web"


async def test_generated_names_differ() -> None:
    cluster = FakeCluster()

    pods = [cluster.create_pod("shop", generate_name="web-") for _ in range(3)]

    assert len({pod.name for pod in pods}) == 3
    assert all(pod.name.startswith("web-") for pod in pods)


async def test_a_lagging_view_gets_only_delivered_events() -> None:
    cluster = FakeCluster()
    known: set[MacAddress] = set()
    watch = cluster.follow_names(_Names(known), lag=True)
    stored = await cluster.allocations.create(PENDING)
    await cluster.allocations.delete(stored)

    assert known == set()
    watch.deliver(1)
    assert known == {MAC}
    watch.deliver()
    assert known == set()


@pytest.mark.parametrize("lag", [False, True])
async def test_a_closed_watch_delivers_nothing_until_it_is_opened_again(*, lag: bool) -> None:
    cluster = FakeCluster()
    known: set[MacAddress] = set()
    watch = cluster.follow_names(_Names(known), lag=lag)
    watch.cut()
    await cluster.allocations.create(PENDING)

    watch.deliver()
    assert (watch.connection, known) == (0, set())
    watch.reopen()
    watch.deliver()
    assert (watch.connection, known) == (2, {MAC})


async def test_a_list_opens_the_watch_again() -> None:
    cluster = FakeCluster()
    known: set[MacAddress] = set()
    watch = cluster.follow_names(_Names(known), lag=True)
    assert watch.connection == 1
    await cluster.allocations.create(PENDING)

    watch.relist()

    assert (watch.connection, known) == (2, {MAC})
    assert not watch.pending


class _Names:
    def __init__(self, known: set[MacAddress]) -> None:
        self.known = known

    def reset(self, everything: list[NameAndVersion]) -> None:
        self.known.clear()
        self.known.update(item.mac for item in everything)

    def put(self, item: NameAndVersion) -> None:
        self.known.add(item.mac)

    def drop(self, item: NameAndVersion) -> None:
        self.known.discard(item.mac)
