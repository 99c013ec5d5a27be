"""A repair finds the changes that the watch missed, and marks every address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.repair import repair, suspect_allocations, suspect_carriers
from controller.tests.worlds import MAC, OTHER, bare, bound, ended, pending, pod, stored
from crds.store import StoreUnavailable
from crds.tests.fake import FakeCluster
from crds.tests.gates import Fail, Hold

if TYPE_CHECKING:
    from crds.allocation import Stored
    from crds.carriers import Carrier
    from crds.mac import MacAddress

WEB, POD = stored(bound("web-0", "u-1")), pod("web-0", "u-1")
CHANGED, AGAIN = pod("web-0", "u-1", OTHER), pod("web-0", "u-2")
NETWORKS = f'[{{"name":"ovs","mac":"{MAC}"}}]'


@dataclass
class Scene:
    """A cluster, and views that no watch updates."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    marked: list[MacAddress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known = AllocationView(lambda: 100.0, lambda _: None)
        self.carriers = CarrierView(lambda _: None)

    async def repair(self) -> None:
        client = self.cluster.client("controller")
        await repair(
            client.allocations, client.objects, self.known, self.carriers, self.marked.append
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("listed", "viewed", "suspects"),
    [
        ([WEB], [WEB], set()),
        ([WEB], [], {MAC}),
        ([], [WEB], {MAC}),
        ([WEB], [replace(WEB, version="6")], {MAC}),
        ([WEB], [replace(WEB, uid="a-0")], {MAC}),
    ],
    ids=["the same", "missing in the view", "deleted", "another version", "another allocation"],
)
def test_an_allocation_is_suspect_if_view_and_list_differ(
    scene: Scene, listed: list[Stored], viewed: list[Stored], suspects: set[MacAddress]
) -> None:
    scene.known.reset(viewed)

    assert suspect_allocations(listed, scene.known) == suspects


@pytest.mark.parametrize(
    ("listed", "viewed", "suspects"),
    [
        ([POD], [POD], []),
        ([POD], [], [POD]),
        ([], [POD], [POD]),
        ([CHANGED], [POD], [CHANGED]),
        ([ended("web-0", "u-1")], [POD], [POD]),
        ([bare("web-1", "u-2")], [], []),
        ([AGAIN], [POD], [AGAIN, POD]),
    ],
    ids=[
        *("the same", "missing in the view", "deleted", "other addresses", "ended"),
        *("no address", "created again"),
    ],
)
def test_an_object_is_suspect_if_view_and_list_differ(
    scene: Scene, listed: list[Carrier], viewed: list[Carrier], suspects: list[Carrier]
) -> None:
    scene.carriers.reset("Pod", viewed)

    assert suspect_carriers(listed, scene.carriers) == {
        carrier.uid: carrier for carrier in suspects
    }


async def test_missed_allocations_and_objects_are_known_after_a_repair(scene: Scene) -> None:
    there = scene.cluster._create(pending("web-0"))
    scene.carriers.put(pod("web-0", "former"))
    web = scene.cluster.create_pod("shop", "web-0", NETWORKS)

    await scene.repair()

    entry = scene.known.get(MAC)
    assert entry is not None
    assert (entry.stored, scene.carriers.of(MAC)) == (there, (web,))
    assert scene.marked == [MAC]


async def test_missed_deletions_are_known_after_a_repair(scene: Scene) -> None:
    scene.known.put(WEB)
    scene.carriers.put(POD)

    await scene.repair()

    assert (scene.known.get(MAC), scene.carriers.of(MAC)) == (None, ())


async def test_a_change_that_the_watch_brings_while_a_repair_lists_stays(scene: Scene) -> None:
    scene.cluster.follow_carriers("Pod", scene.carriers.of_kind("Pod"))
    hold = Hold(lambda call: (call.verb, call.port) == ("list", "object"))
    scene.cluster.answer = hold  # the list is made, its answer is held
    repairing = asyncio.create_task(scene.repair())
    await hold.arrived.wait()

    late = scene.cluster.create_pod("shop", "web-0", NETWORKS)
    hold.release()

    await repairing
    assert scene.carriers.of(MAC) == (late,)


async def test_every_address_is_marked_though_none_is_suspect(scene: Scene) -> None:
    scene.cluster.follow_allocations(scene.known)
    scene.cluster.follow_carriers("Pod", scene.carriers.of_kind("Pod"))
    scene.cluster._create(pending("web-1"))
    scene.cluster.create_pod("shop", "web-0", NETWORKS.replace(str(MAC), str(OTHER)))

    await scene.repair()

    assert sorted(scene.marked) == [MAC, OTHER]
    assert {call.verb for call in scene.cluster.calls} == {"list"}


async def test_an_error_of_the_api_server_ends_a_repair(scene: Scene) -> None:
    scene.cluster.gate = Fail(lambda call: call.port == "object")

    with pytest.raises(StoreUnavailable):
        await scene.repair()
