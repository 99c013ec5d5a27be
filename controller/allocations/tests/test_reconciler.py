"""The reconciler on the fake API server: which calls it makes for one address, and when."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from controller.allocations.reconciler import ACT_WITHIN_S, AGAIN_S, LIST_WITHIN_S
from controller.allocations.tests.reconciling import (
    DELETE,
    LIST,
    NAMELESS,
    NETWORKS,
    READ,
    REPLACE,
    STOCK_DELETED_AFTER_S,
    Scene,
    get_object,
    list_objects,
)
from controller.tests.worlds import MAC, STOCK, bound, owner, pending
from crds.allocation import QUIET_S, STOCK_DELETED_AFTER_Q, Allocation
from crds.mac import MacAddress
from crds.tests.gates import Hold


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_an_address_as_it_should_be_costs_no_call(scene: Scene) -> None:
    pod = scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.store(bound("web-0", pod.uid))

    assert await scene.reconcile() == []


async def test_a_bind_is_a_read_and_a_write(scene: Scene) -> None:
    scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.store(pending("web-0"))

    assert await scene.reconcile() == [READ, REPLACE]
    assert scene.state() == "Bound"


@pytest.mark.parametrize(
    ("mac", "pool"), [(MAC, "default"), (MacAddress.parse("0a:00:00:00:00:01"), None)]
)
async def test_an_adopted_address_names_the_pool_that_contains_it(
    scene: Scene, mac: MacAddress, pool: str | None
) -> None:
    scene.cluster.create_pod("shop", "web-0", NETWORKS.replace(str(MAC), str(mac)))

    assert await scene.reconcile(mac) == ["create allocation"]
    assert scene.cluster.allocated[mac].allocation.pool == pool


@pytest.mark.parametrize(
    ("allocation", "age_s", "calls", "again_s", "state"),
    [
        (pending("web-0"), QUIET_S - 5, [], 5, "Pending"),
        (pending("web-0"), QUIET_S, [READ, DELETE], None, None),
        (bound("web-0", "u-1"), QUIET_S - 0.5, [], 0.5, "Bound"),
        (STOCK, QUIET_S, [], STOCK_DELETED_AFTER_S - QUIET_S, "Stock"),
        (STOCK, STOCK_DELETED_AFTER_S - 0.5, [], 0.5, "Stock"),
        (STOCK, STOCK_DELETED_AFTER_S, [*LIST, DELETE], None, None),
    ],
    ids=["soon", "after Q", "just before", "stock after Q", "stock just before", "old stock"],
)
async def test_an_address_is_released_when_it_is_quiet_and_looked_at_again_then(  # noqa: PLR0913, PLR0917 # columns
    scene: Scene,
    allocation: Allocation,
    age_s: float,
    calls: list[str],
    again_s: float | None,
    state: str | None,
) -> None:
    scene.store(allocation, age_s=age_s)

    assert await scene.reconcile() == calls
    assert scene.later == ([] if again_s is None else [(MAC, again_s)])
    assert scene.state() == state


async def test_an_address_that_its_pod_does_not_show_stays_its_own(scene: Scene) -> None:
    pod = scene.cluster.create_pod("shop", "web-0")
    scene.store(bound("web-0", pod.uid), age_s=QUIET_S)

    assert await scene.reconcile() == [READ]
    assert (scene.later, scene.state()) == ([], "Bound")


async def test_a_refused_create_of_its_own_name_does_not_take_it_from_such_a_pod(
    scene: Scene,
) -> None:
    pod = scene.cluster.create_pod("shop", "web-0")
    scene.store(replace(pending("web-0"), owner=owner("web-0", pod.uid)), age_s=QUIET_S)

    assert await scene.reconcile() == [READ, REPLACE]
    assert scene.state() == "Bound"


async def test_an_owner_of_an_unknown_kind_is_left_alone(scene: Scene) -> None:
    strange = replace(owner("db", "u-7"), kind="Database")
    scene.store(replace(bound("db", "u-7"), owner=strange), age_s=QUIET_S)

    assert await scene.reconcile() == []
    assert scene.state() == "Bound"


@pytest.mark.parametrize(
    ("allocation", "held", "took_s", "calls", "again_s"),
    [
        (bound("web-0", "u-1"), get_object, ACT_WITHIN_S, [READ, DELETE], None),
        (bound("web-0", "u-1"), get_object, ACT_WITHIN_S + 0.1, [READ], AGAIN_S),
        (NAMELESS, list_objects, LIST_WITHIN_S, [*LIST, DELETE], None),
        (NAMELESS, list_objects, LIST_WITHIN_S + 0.1, LIST, AGAIN_S),
    ],
    ids=["read just in time", "read too long ago", "list just in time", "list too long ago"],
)
async def test_a_decision_that_took_too_long_is_made_again(  # noqa: PLR0913, PLR0917 # columns
    scene: Scene,
    allocation: Allocation,
    held: object,
    took_s: float,
    calls: list[str],
    again_s: float | None,
) -> None:
    scene.store(allocation, age_s=QUIET_S)
    hold = scene.cluster.gate = Hold(held)  # type: ignore[arg-type] # a column of the table
    task = await scene.reconcile_until(hold)

    scene.now_s += took_s
    hold.release()

    assert await task == calls
    assert scene.later == ([] if again_s is None else [(MAC, again_s)])


async def test_stock_that_was_written_to_is_kept_as_long_again(scene: Scene) -> None:
    scene.store(STOCK, age_s=STOCK_DELETED_AFTER_S)
    scene.cluster.label(MAC, "backup", "yes")

    assert await scene.reconcile() == []
    assert scene.later == [(MAC, STOCK_DELETED_AFTER_S)]


async def test_stock_that_was_claimed_is_quiet_after_q(scene: Scene) -> None:
    stored = scene.store(STOCK)
    scene.cluster._replace(stored, pending("web-0"))
    scene.now_s += QUIET_S

    assert await scene.reconcile() == [READ, DELETE]


async def test_stock_is_kept_two_minutes_longer_than_its_lifetime_and_shorter_with_a_shorter_q(
    scene: Scene,
) -> None:
    assert STOCK_DELETED_AFTER_S == 5 * 60 + 120
    scene.reconciler.quiet_s = 2.0
    scene.store(STOCK, age_s=2.0 * STOCK_DELETED_AFTER_Q - 0.5)

    assert await scene.reconcile() == []
    assert scene.later == [(MAC, 0.5)]


async def test_the_log_names_the_other_carriers_and_says_when_there_are_none(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pod = scene.cluster.create_pod("shop", "web-0", NETWORKS)
    scene.store(bound("web-0", pod.uid))
    scene.cluster.create_pod("other", "alien", NETWORKS)
    await scene.reconcile()
    scene.cluster.delete_pod("other", "alien")

    await scene.reconcile()

    warned, informed = caplog.records
    assert (warned.levelname, informed.levelname) == ("WARNING", "INFO")
    assert warned.getMessage() == f"{MAC} has other carriers: Pod other/alien (interface net1)"
    assert informed.getMessage() == f"{MAC} has no carrier but its owner again"
