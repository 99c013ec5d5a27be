"""A repair finds what the watch missed, and marks every address."""

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

WEB = stored(bound("web-0", "u-1"))
POD = pod("web-0", "u-1")


@dataclass
class Scene:
    """Views that no watch tells of anything, beside the cluster as it is."""

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
    ("listed", "seen", "suspects"),
    [
        pytest.param([WEB], [WEB], set(), id="the same"),
        pytest.param([WEB], [], {MAC}, id="missing in the view"),
        pytest.param([], [WEB], {MAC}, id="gone, and still in the view"),
        pytest.param([WEB], [replace(WEB, version="6")], {MAC}, id="another version"),
        pytest.param([WEB], [replace(WEB, uid="a-0")], {MAC}, id="another allocation"),
    ],
)
def test_an_allocation_is_suspect_where_view_and_list_differ(
    listed: list[Stored], seen: list[Stored], suspects: set[MacAddress]
) -> None:
    known = AllocationView(lambda: 100.0, lambda _: None)
    known.reset(seen)

    assert suspect_allocations(listed, known) == suspects


@pytest.mark.parametrize(
    ("listed", "seen", "suspects"),
    [
        pytest.param([POD], [POD], {}, id="the same"),
        pytest.param([POD], [], {"u-1": POD}, id="missing in the view"),
        pytest.param([], [POD], {"u-1": POD}, id="gone, and still in the view"),
        pytest.param(
            [pod("web-0", "u-1", OTHER)],
            [POD],
            {"u-1": pod("web-0", "u-1", OTHER)},
            id="with other addresses",
        ),
        pytest.param([ended("web-0", "u-1")], [POD], {"u-1": POD}, id="ended since"),
        pytest.param([bare("web-1", "u-2")], [], {}, id="what carries nothing never is"),
        pytest.param(
            [pod("web-0", "u-2")],
            [POD],
            {"u-1": POD, "u-2": pod("web-0", "u-2")},
            id="created again",
        ),
    ],
)
def test_an_object_is_suspect_where_view_and_list_differ(
    listed: list[Carrier], seen: list[Carrier], suspects: dict[str, Carrier]
) -> None:
    carriers = CarrierView(lambda _: None)
    carriers.reset("Pod", seen)

    assert suspect_carriers(listed, carriers) == suspects


async def test_a_missed_allocation_is_known_after_a_repair(scene: Scene) -> None:
    there = scene.cluster._create(pending("web-0"))

    await scene.repair()

    entry = scene.known.get(MAC)
    assert entry is not None
    assert entry.stored == there
    assert scene.marked == [MAC]


async def test_a_missed_deletion_of_an_allocation_is_known_after_a_repair(scene: Scene) -> None:
    scene.known.put(WEB)

    await scene.repair()

    assert scene.known.get(MAC) is None


async def test_a_missed_object_is_known_after_a_repair(scene: Scene) -> None:
    there = scene.cluster.create_pod("shop", "web-0", f'[{{"name":"ovs","mac":"{MAC}"}}]')

    await scene.repair()

    assert scene.carriers.of(MAC) == (there,)
    assert scene.marked == [MAC]


async def test_a_missed_deletion_of_an_object_is_known_after_a_repair(scene: Scene) -> None:
    scene.carriers.put(POD)

    await scene.repair()

    assert scene.carriers.of(MAC) == ()


async def test_an_object_created_again_unseen_is_known_after_a_repair(scene: Scene) -> None:
    scene.carriers.put(pod("web-0", "former"))
    again = scene.cluster.create_pod("shop", "web-0", f'[{{"name":"ovs","mac":"{MAC}"}}]')

    await scene.repair()

    assert scene.carriers.of(MAC) == (again,)


async def test_what_the_watch_brings_while_a_repair_lists_is_not_undone(scene: Scene) -> None:
    scene.cluster.follow_carriers("Pod", scene.carriers.of_kind("Pod"))
    hold = Hold(lambda call: (call.verb, call.port) == ("list", "object"))
    scene.cluster.answer = hold  # the list is made, and its answer on the way
    repairing = asyncio.create_task(scene.repair())
    await hold.arrived.wait()

    late = scene.cluster.create_pod("shop", "web-0", f'[{{"name":"ovs","mac":"{MAC}"}}]')
    hold.release()

    await repairing
    assert scene.carriers.of(MAC) == (late,)


async def test_every_address_is_marked_though_none_is_suspect(scene: Scene) -> None:
    scene.cluster.follow_allocations(scene.known)
    scene.cluster.follow_carriers("Pod", scene.carriers.of_kind("Pod"))
    scene.cluster._create(pending("web-1"))
    scene.cluster.create_pod("shop", "web-0", f'[{{"name":"ovs","mac":"{OTHER}"}}]')

    await scene.repair()

    assert sorted(scene.marked) == [MAC, OTHER]
    assert {call.verb for call in scene.cluster.calls} == {"list"}


async def test_an_api_server_that_is_away_ends_a_repair(scene: Scene) -> None:
    scene.cluster.gate = Fail(lambda call: call.port == "object")

    with pytest.raises(StoreUnavailable):
        await scene.repair()
