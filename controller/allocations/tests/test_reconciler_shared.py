"""Several addresses, other clients and errors: what the reconciler shares, and what it leaves."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from controller.allocations import reconciler as reconciling
from controller.allocations.reconciler import ACT_WITHIN_S, AGAIN_S
from controller.allocations.tests.reconciling import (
    LIST,
    NAMELESS,
    NETWORKS,
    REPLACE,
    STOCK_DELETED_AFTER_S,
    Scene,
    get_object,
    list_objects,
)
from controller.tests.worlds import MAC, OTHER, STOCK, bound, pending
from crds.allocation import QUIET_S
from crds.mac import MacAddress
from crds.resources import KINDS
from crds.store import StoreUnavailable
from crds.tests.gates import Fail, Hold


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One address at a time, and OTHER's pod is not bound yet."""
    monkeypatch.setattr(reconciling, "_TURNS", 1)
    scene = Scene()
    scene.cluster.create_pod("shop", "web-1", NETWORKS.replace(str(MAC), str(OTHER)))
    scene.store(replace(pending("web-1"), mac=OTHER))
    return scene


async def test_an_address_does_not_age_while_it_waits_for_its_turn(narrow: Scene) -> None:
    narrow.cluster.create_pod("shop", "web-0", NETWORKS)
    narrow.store(pending("web-0"))
    hold = narrow.cluster.gate = Hold(get_object)
    first = await narrow.reconcile_until(hold)
    second = asyncio.ensure_future(narrow.reconciler.reconcile(OTHER))

    narrow.now_s += ACT_WITHIN_S + 1
    hold.release()
    await asyncio.wait((first, second))

    assert narrow.later == [(MAC, AGAIN_S)]
    assert narrow.state(OTHER) == "Bound"


async def test_an_address_that_waits_for_a_list_gives_its_turn_to_another(narrow: Scene) -> None:
    narrow.store(NAMELESS, age_s=QUIET_S)
    hold = narrow.cluster.gate = Hold(list_objects)
    listing = await narrow.reconcile_until(hold)

    await asyncio.wait_for(narrow.reconciler.reconcile(OTHER), 20)

    assert narrow.state(OTHER) == "Bound"
    hold.release()
    await listing
    assert narrow.state() is None


async def test_a_change_by_another_client_before_a_release_stays_and_is_no_error(
    scene: Scene,
) -> None:
    stored = scene.store(bound("web-0", "u-1"), age_s=QUIET_S)
    hold = scene.cluster.gate = Hold(lambda call: call.verb == "delete")
    task = await scene.reconcile_until(hold)

    scene.cluster._replace(stored, pending("web-0"))
    hold.release()

    await task
    assert scene.state() == "Pending"


async def test_an_allocation_that_comes_before_an_adoption_stays_and_is_no_error(
    scene: Scene,
) -> None:
    scene.cluster.create_pod("shop", "web-0", NETWORKS)
    hold = scene.cluster.gate = Hold(lambda call: call.verb == "create")
    task = await scene.reconcile_until(hold)

    scene.store(pending("web-1"))
    hold.release()

    await task
    assert scene.state() == "Pending"


async def test_a_read_that_fails_raises_and_releases_nothing(scene: Scene) -> None:
    scene.store(bound("web-0", "u-1"), age_s=QUIET_S)
    scene.cluster.gate = Fail(get_object)

    with pytest.raises(StoreUnavailable):
        await scene.reconcile()

    assert scene.state() == "Bound"


async def test_a_list_that_fails_proves_nothing_and_the_next_one_is_new(scene: Scene) -> None:
    scene.store(pending(None), age_s=QUIET_S)
    scene.cluster.gate = Fail(list_objects)
    with pytest.raises(StoreUnavailable):
        await scene.reconcile()
    assert scene.state() == "Pending"

    await scene.reconcile()

    assert scene.state() is None


async def test_addresses_that_wait_for_a_list_share_one(scene: Scene) -> None:
    macs = [MacAddress(MAC.bits + n) for n in range(20)]
    for mac in macs:
        scene.store(replace(pending(None), mac=mac))
    scene.now_s += QUIET_S

    await asyncio.gather(*(scene.reconcile(mac) for mac in macs))

    lists = [call for call in scene.cluster.calls if list_objects(call)]
    assert [call.what for call in lists] == list(KINDS)  # each once
    assert not scene.cluster.allocated


async def test_a_list_that_began_before_an_address_asked_is_not_shared(scene: Scene) -> None:
    scene.store(pending(None))
    scene.store(replace(pending(None), mac=OTHER), age_s=QUIET_S)
    answer = scene.cluster.answer = Hold(list_objects)  # the list is made, its answer is held
    first = await scene.reconcile_until(answer)

    scene.cluster._carrier_watches.clear()  # no event shows the pod
    scene.cluster.create_pod("shop", "web-0", NETWORKS.replace(str(MAC), str(OTHER)))
    second = asyncio.create_task(scene.reconciler.reconcile(OTHER))
    answer.release()

    await asyncio.gather(first, second)
    assert (scene.state(OTHER), scene.state(MAC)) == ("Bound", None)


async def test_stock_whose_user_no_view_shows_is_bound_by_a_list(scene: Scene) -> None:
    scene.store(STOCK, age_s=STOCK_DELETED_AFTER_S)
    scene.cluster._carrier_watches.clear()  # no event shows the pod
    scene.cluster.create_pod("shop", "web-0", NETWORKS)

    assert await scene.reconcile() == [*LIST, REPLACE]
    assert scene.state() == "Bound"
