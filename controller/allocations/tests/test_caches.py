"""Views are told of what is, and say since when it has been so and what to look at again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.tests.machines import launcher, vm, vmi, without
from controller.tests.worlds import MAC, OTHER, bare, bound, ended, pending, pod, stored
from crds.allocation import INSTANCE, MACHINE, Allocation, State, Stored
from crds.mac import MacAddress, MacRange
from crds.pool import Pool

if TYPE_CHECKING:
    from crds.carriers import Carrier

WEB = stored(bound("web-0", "u-1"))


@dataclass
class Watched:
    """An allocation view, its clock, and what it has marked since it was last asked."""

    now_s: float = 100.0
    told: list[MacAddress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.view = AllocationView(lambda: self.now_s, self.told.append)

    def since_s(self, mac: MacAddress = MAC) -> float:
        entry = self.view.get(mac)
        assert entry is not None
        return entry.since_s

    def marked(self) -> list[MacAddress]:
        marked, self.told[:] = sorted(self.told), []
        return marked


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def marked() -> list[MacAddress]:
    return []


@pytest.fixture
def carriers(marked: list[MacAddress]) -> CarrierView:
    return CarrierView(marked.append)


def test_quiet_begins_when_a_state_is_first_seen(watched: Watched) -> None:
    watched.view.put(WEB)

    assert watched.since_s() == 100
    assert watched.marked() == [MAC]


def test_the_same_state_again_is_no_news(watched: Watched) -> None:
    watched.view.put(WEB)
    watched.marked()
    watched.now_s = 130

    watched.view.put(WEB)

    assert watched.since_s() == 100
    assert watched.marked() == []


_ADDRESSES = [MacAddress(MAC.bits + n) for n in range(4)]
_INSIDE = Pool("default", (MacRange(_ADDRESSES[0], _ADDRESSES[2]),))


@given(
    st.lists(
        st.tuples(st.sampled_from(_ADDRESSES), st.sampled_from([*State, None]), st.integers(0, 30))
    )
)
def test_what_lies_in_the_pool_is_counted_as_it_comes_and_goes(
    events: list[tuple[MacAddress, State | None, int]],
) -> None:
    view = Watched().view
    now: dict[MacAddress, State] = {}
    for number, (mac, state, chance) in enumerate(events):
        if state is None:
            view.forget(mac)
            now.pop(mac, None)
        else:
            view.put(Stored(Allocation(mac=mac, state=state), f"a-{mac}", str(number)))
            now[mac] = state
        if not chance:
            view.reset([Stored(Allocation(mac=m, state=s), "a", "0") for m, s in now.items()])

        inside = sum(mac in _INSIDE and state is not State.STOCK for mac, state in now.items())
        assert view.allocated_in(_INSIDE) == inside


def test_another_pool_is_counted_anew(watched: Watched) -> None:
    watched.view.put(WEB)
    assert watched.view.allocated_in(_INSIDE) == 1

    assert watched.view.allocated_in(Pool("default", ())) == 0


@pytest.mark.parametrize(
    "now", [replace(WEB, version="8"), replace(WEB, uid="a-2")], ids=["a write", "a new one"]
)
def test_quiet_begins_anew_with_every_other_state(watched: Watched, now: Stored) -> None:
    watched.view.put(WEB)
    watched.marked()
    watched.now_s = 130

    watched.view.put(now)

    assert watched.since_s() == 130
    assert watched.marked() == [MAC]


def test_quiet_begins_anew_after_a_list(watched: Watched) -> None:
    watched.view.put(WEB)
    watched.now_s = 130

    watched.view.reset([WEB])

    assert watched.since_s() == 130


def test_a_list_marks_what_it_has_and_what_it_no_longer_has(watched: Watched) -> None:
    watched.view.put(WEB)
    watched.marked()

    watched.view.reset([stored(replace(pending("web-1"), mac=OTHER))])

    assert watched.marked() == [MAC, OTHER]
    assert watched.view.get(MAC) is None
    assert list(watched.view.macs()) == [OTHER]


def test_a_deleted_allocation_is_forgotten_and_marked_once(watched: Watched) -> None:
    watched.view.put(WEB)
    watched.marked()

    watched.view.drop(WEB)
    watched.view.forget(MAC)

    assert watched.view.get(MAC) is None
    assert watched.marked() == [MAC]


def test_an_object_is_found_by_each_of_its_addresses(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    web = pod("web-0", "u-1", MAC, OTHER)

    carriers.put(web)

    assert carriers.of(MAC) == carriers.of(OTHER) == (web,)
    assert sorted(marked) == [MAC, OTHER]
    assert carriers.get("u-1") == web


def test_several_carriers_of_an_address_stand_in_the_order_they_came(carriers: CarrierView) -> None:
    first, second = pod("web-1", "u-2"), pod("web-0", "u-1")
    carriers.put(first)

    carriers.put(second)

    assert carriers.of(MAC) == (first, second)


def test_an_event_that_changes_no_address_is_no_news(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    web = pod("web-0", "u-1")
    carriers.put(web)
    marked.clear()

    carriers.put(replace(web, version="2"))

    assert marked == []


def test_an_address_that_an_object_lost_is_marked_and_no_longer_its_own(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.put(pod("web-0", "u-1", MAC))
    marked.clear()

    carriers.put(pod("web-0", "u-1", OTHER))

    assert carriers.of(MAC) == ()
    assert sorted(marked) == [MAC, OTHER]


@pytest.mark.parametrize(
    "now", [ended("web-0", "u-1"), bare("web-0", "u-1")], ids=["ended", "without addresses"]
)
def test_an_object_that_carries_nothing_is_not_kept(
    carriers: CarrierView, marked: list[MacAddress], now: Carrier
) -> None:
    carriers.put(pod("web-0", "u-1"))
    marked.clear()

    carriers.put(now)

    assert list(carriers.uids()) == []
    assert list(carriers.macs()) == []
    assert marked == [MAC]


def test_a_deleted_object_is_dropped_whatever_its_last_event_showed(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.put(pod("web-0", "u-1"))
    marked.clear()

    carriers.drop(bare("web-0", "u-1"))

    assert carriers.of(MAC) == ()
    assert marked == [MAC]


@pytest.mark.parametrize("shown", [(), (OTHER,)], ids=["nothing", "another"])
def test_an_address_that_an_object_shows_no_longer_is_marked_when_it_goes(
    carriers: CarrierView, marked: list[MacAddress], shown: tuple[MacAddress, ...]
) -> None:
    carriers.put(pod("web-0", "u-1", MAC))
    now = pod("web-0", "u-1", *shown) if shown else bare("web-0", "u-1")
    carriers.put(now)
    marked.clear()

    carriers.drop(now)

    assert sorted(marked) == [MAC, *shown]


def test_an_address_that_an_object_shows_no_longer_is_marked_when_it_ends(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.put(pod("web-0", "u-1"))
    carriers.put(bare("web-0", "u-1"))
    marked.clear()

    carriers.put(ended("web-0", "u-1"))

    assert marked == [MAC]


def test_an_address_that_an_object_showed_once_is_marked_when_a_list_lacks_it(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.put(pod("web-0", "u-1"))
    carriers.put(bare("web-0", "u-1"))
    marked.clear()

    carriers.reset("Pod", [])

    assert marked == [MAC]


def test_a_deletion_of_a_former_namesake_takes_nothing_from_the_new_one(
    carriers: CarrierView,
) -> None:
    again = pod("web-0", "u-2")
    carriers.put(pod("web-0", "u-1"))
    carriers.put(again)

    carriers.drop(pod("web-0", "u-1"))

    assert carriers.of(MAC) == (again,)


def test_a_list_drops_what_it_does_not_have(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.put(pod("web-0", "u-1", MAC))
    marked.clear()

    carriers.reset("Pod", [pod("web-1", "u-2", OTHER)])

    assert list(carriers.uids()) == ["u-2"]
    assert sorted(marked) == [MAC, OTHER]


def test_a_list_of_one_kind_leaves_the_others(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    db, its_vmi, its_launcher, web = vm(), vmi(), launcher(), pod("web-0", "u-1", OTHER)
    for one in (db, its_vmi, its_launcher, web):
        carriers.of_kind(one.kind).put(one)
    marked.clear()

    carriers.of_kind(INSTANCE).reset([])

    assert carriers.of(MAC) == (db, its_launcher)
    assert marked == [MAC]
    carriers.of_kind("Pod").reset([])
    assert carriers.of(MAC) == (db,)
    carriers.of_kind(MACHINE).reset([])
    assert list(carriers.uids()) == []


def test_a_list_of_machines_leaves_what_pods_show_no_longer(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.of_kind("Pod").put(pod("web-0", "u-1"))
    carriers.of_kind("Pod").put(bare("web-0", "u-1"))
    marked.clear()

    carriers.of_kind(MACHINE).reset([])

    assert marked == []
    carriers.of_kind("Pod").drop(bare("web-0", "u-1"))
    assert marked == [MAC]


def test_an_address_that_a_machine_shows_no_longer_is_marked_once(
    carriers: CarrierView, marked: list[MacAddress]
) -> None:
    carriers.of_kind(MACHINE).put(vm())
    marked.clear()

    carriers.of_kind(MACHINE).put(without(vm()))

    assert marked == [MAC]
    carriers.of_kind(MACHINE).drop(without(vm()))
    assert marked == [MAC]


def test_an_instance_that_runs_or_migrates_now_is_kept_as_it_is_now(carriers: CarrierView) -> None:
    waiting = replace(vmi(), is_running=False)
    carriers.of_kind(INSTANCE).put(waiting)

    for now in (vmi(), replace(vmi(), guest="vmi-1/m-1/m-2"), replace(vmi(), controller=None)):
        carriers.of_kind(INSTANCE).put(now)

        assert carriers.of(MAC) == (now,)
