"""The views keep what the watch shows, since when, and mark the addresses to look at again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.tests.vms import launcher, vm, vmi, without
from controller.tests.worlds import MAC, OTHER, bare, bound, ended, pending, pod, stored
from crds.allocation import VM_KIND, VMI_KIND, Allocation, State, Stored
from crds.mac import MacAddress, MacRange
from crds.pool import Pool

if TYPE_CHECKING:
    from crds.carriers import Carrier

WEB = stored(bound("web-0", "u-1"))
POD = pod("web-0", "u-1")
_ADDRESSES = [MacAddress(MAC.bits + n) for n in range(4)]
_INSIDE = Pool("default", (MacRange(_ADDRESSES[0], _ADDRESSES[2]),))


@dataclass
class Scene:
    """Both views, their clock, and the addresses that they marked since the last question."""

    now_s: float = 100.0
    all_marked: list[MacAddress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known = AllocationView(lambda: self.now_s, self.all_marked.append)
        self.carriers = CarrierView(self.all_marked.append)

    def since_s(self) -> float:
        entry = self.known.get(MAC)
        assert entry is not None
        return entry.since_s

    def marked(self) -> list[MacAddress]:
        marked, self.all_marked[:] = sorted(self.all_marked), []
        return marked


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("later", "since_s"),
    [(WEB, 100), (replace(WEB, version="8"), 130), (replace(WEB, uid="a-2"), 130)],
    ids=["the same state", "another version", "another allocation"],
)
def test_a_state_is_quiet_since_it_was_first_seen(
    scene: Scene, later: Stored, since_s: float
) -> None:
    scene.known.put(WEB)
    assert (scene.since_s(), scene.marked()) == (100, [MAC])
    scene.now_s = 130

    scene.known.put(later)

    assert scene.since_s() == since_s
    assert scene.marked() == ([MAC] if since_s == 130 else [])


def test_after_a_list_every_state_is_quiet_since_the_list(scene: Scene) -> None:
    scene.known.put(WEB)
    scene.now_s = 130

    scene.known.reset([WEB])

    assert scene.since_s() == 130


def test_a_list_marks_the_addresses_that_it_has_and_those_that_it_lacks(scene: Scene) -> None:
    scene.known.put(WEB)
    scene.marked()

    scene.known.reset([stored(replace(pending("web-1"), mac=OTHER))])

    assert scene.marked() == [MAC, OTHER]
    assert list(scene.known.macs()) == [OTHER]


def test_a_deleted_allocation_is_forgotten_and_marked_once(scene: Scene) -> None:
    scene.known.put(WEB)
    scene.marked()

    scene.known.drop(WEB)
    scene.known.forget(MAC)

    assert (scene.known.get(MAC), scene.marked()) == (None, [MAC])


@given(
    st.lists(
        st.tuples(st.sampled_from(_ADDRESSES), st.sampled_from([*State, None]), st.integers(0, 30))
    )
)
def test_the_allocations_in_the_pool_are_counted_as_they_come_and_go(
    events: list[tuple[MacAddress, State | None, int]],
) -> None:
    view = Scene().known
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
    assert view.allocated_in(Pool("default", ())) == 0


def test_an_object_is_found_by_each_of_its_addresses(scene: Scene) -> None:
    web = pod("web-0", "u-1", MAC, OTHER)

    scene.carriers.put(web)

    assert scene.carriers.of(MAC) == scene.carriers.of(OTHER) == (web,)
    assert scene.carriers.get("u-1") == web
    assert scene.marked() == [MAC, OTHER]


def test_the_carriers_of_an_address_are_in_the_order_in_which_they_came(scene: Scene) -> None:
    first = pod("web-1", "u-2")
    scene.carriers.put(first)

    scene.carriers.put(POD)

    assert scene.carriers.of(MAC) == (first, POD)


@pytest.mark.parametrize(
    ("now", "marks"),
    [
        (replace(POD, version="2"), []),
        (pod("web-0", "u-1", OTHER), [MAC, OTHER]),
        (bare("web-0", "u-1"), [MAC]),
        (ended("web-0", "u-1"), [MAC]),
    ],
    ids=["no change of addresses", "another address", "no address", "ended"],
)
def test_an_object_that_changes_marks_the_addresses_that_it_gets_and_loses(
    scene: Scene, now: Carrier, marks: list[MacAddress]
) -> None:
    scene.carriers.put(POD)
    scene.marked()

    scene.carriers.put(now)

    assert scene.marked() == marks
    assert len(scene.carriers.of(MAC)) == now.carries(MAC)
    assert list(scene.carriers.uids()) == (["u-1"] if now.attachments else [])
    assert set(scene.carriers.macs()) == {attachment.mac for attachment in now.attachments}


def test_a_deleted_object_is_dropped_even_if_its_last_event_shows_no_address(scene: Scene) -> None:
    scene.carriers.put(POD)
    scene.marked()

    scene.carriers.drop(bare("web-0", "u-1"))

    assert (scene.carriers.of(MAC), scene.marked()) == ((), [MAC])


@pytest.mark.parametrize("end", ["deleted", "ended", "missing in a list"])
@pytest.mark.parametrize("shown", [(), (OTHER,)], ids=["nothing", "another"])
def test_an_address_that_an_object_no_longer_shows_is_marked_when_the_object_ends(
    scene: Scene, shown: tuple[MacAddress, ...], end: str
) -> None:
    scene.carriers.put(POD)
    now = pod("web-0", "u-1", *shown) if shown else bare("web-0", "u-1")
    scene.carriers.put(now)
    scene.marked()

    match end:
        case "deleted":
            scene.carriers.drop(now)
        case "ended":
            scene.carriers.put(ended("web-0", "u-1"))
        case _:
            scene.carriers.reset("Pod", [])

    assert scene.marked() == [MAC, *shown]


def test_the_deletion_of_an_earlier_object_of_the_same_name_leaves_the_new_one(
    scene: Scene,
) -> None:
    again = pod("web-0", "u-2")
    scene.carriers.put(POD)
    scene.carriers.put(again)

    scene.carriers.drop(POD)

    assert scene.carriers.of(MAC) == (again,)


def test_a_list_drops_the_objects_that_it_lacks(scene: Scene) -> None:
    scene.carriers.put(POD)
    scene.marked()

    scene.carriers.reset("Pod", [pod("web-1", "u-2", OTHER)])

    assert (list(scene.carriers.uids()), scene.marked()) == (["u-2"], [MAC, OTHER])


def test_a_list_of_one_kind_leaves_the_others(scene: Scene) -> None:
    db, its_vmi, its_launcher, web = vm(), vmi(), launcher(), pod("web-0", "u-1", OTHER)
    carriers = scene.carriers
    for carrier in (db, its_vmi, its_launcher, web):
        carriers.of_kind(carrier.kind).put(carrier)
    scene.marked()

    carriers.of_kind(VMI_KIND).reset([])

    assert (carriers.of(MAC), scene.marked()) == ((db, its_launcher), [MAC])
    carriers.of_kind("Pod").reset([])
    assert carriers.of(MAC) == (db,)
    carriers.of_kind(VM_KIND).reset([])
    assert list(carriers.uids()) == []


def test_a_list_of_vms_leaves_the_addresses_that_pods_no_longer_show(scene: Scene) -> None:
    pods = scene.carriers.of_kind("Pod")
    pods.put(POD)
    pods.put(bare("web-0", "u-1"))
    scene.marked()

    scene.carriers.of_kind(VM_KIND).reset([])

    assert scene.marked() == []
    pods.drop(bare("web-0", "u-1"))
    assert scene.marked() == [MAC]


def test_an_address_that_a_vm_no_longer_shows_is_marked_once(scene: Scene) -> None:
    vms = scene.carriers.of_kind(VM_KIND)
    vms.put(vm())
    scene.marked()

    vms.put(without(vm()))
    assert scene.marked() == [MAC]

    vms.drop(without(vm()))
    assert scene.marked() == []


def test_a_vmi_that_runs_or_migrates_now_is_kept_as_it_is_now(scene: Scene) -> None:
    instances = scene.carriers.of_kind(VMI_KIND)
    instances.put(replace(vmi(), is_running=False))

    for now in (vmi(), replace(vmi(), guest="vmi-1/m-1/m-2"), replace(vmi(), controller=None)):
        instances.put(now)

        assert scene.carriers.of(MAC) == (now,)
