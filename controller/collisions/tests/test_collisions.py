"""The objects that collide, the events about them, and that each is recorded once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.allocations.caches import AllocationView
from controller.collisions.messages import REASON, colliding, events
from controller.collisions.tracker import Collisions
from controller.tests.worlds import DECLARED, MAC, NOW, OTHER, bound, conflict, pending, pod, stored
from crds.allocation import Conflict, Stored
from crds.names import REPORTER
from kube.events import MOST_NOTE_BYTES, Event

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.mac import MacAddress

UIDS = st.lists(st.sampled_from([f"u-{n}" for n in range(6)]), min_size=2, unique=True)


def everywhere(_kind: str, _namespace: str) -> bool:
    return True


def other(n: int, namespace: str = "shop") -> Carrier:
    return pod(f"other-{n}", f"u-other-{n}", namespace=namespace)


MINE = bound("web-0", "u-1")


SHARED = stored(MINE, other(1), other(2, "depot"), other(3, "lab"))
APART = stored(MINE, other(1, "depot"), other(2, "lab"))
TWO_IN_DEPOT = stored(MINE, other(1, "depot"), other(2, "depot"))
VM = replace(conflict(other(1)), kind="VirtualMachine", name="vm", uid="u-vm")
VMI = replace(VM, kind="VirtualMachineInstance", uid="u-vmi")
WITH_VM = Stored(MINE, "a-1", "7", (VM,))
ALL = {"shop", "depot", "lab"}


@pytest.mark.parametrize(
    ("allocation", "managed", "collide"),
    [
        (SHARED, ALL, ["shop/web-0", "shop/other-1", "depot/other-2", "lab/other-3"]),
        (SHARED, {"shop", "lab"}, ["shop/web-0", "shop/other-1", "lab/other-3"]),
        *((APART, {namespace}, []) for namespace in ("", "shop", "depot", "lab")),
        (stored(MINE), ALL, []),
        (TWO_IN_DEPOT, {"depot"}, ["depot/other-1", "depot/other-2"]),
        (stored(DECLARED, other(1), other(2)), ALL, ["shop/other-1", "shop/other-2"]),
        (stored(pending("web-0"), other(1)), ALL, []),
        (stored(pending(None), other(1)), ALL, []),
        (WITH_VM, ALL, ["shop/web-0", "shop/vm"]),
        (Stored(DECLARED, "a-1", "7", (VM, VMI)), ALL, []),
    ],
    ids=[
        *("owner and conflicts", "all but one that is not managed"),
        *("none managed", "owner alone", "one conflict alone", "another alone", "no conflict"),
        *("two conflicts without the owner", "a declared address has no owner"),
        *("an owner not seen yet", "an owner without a name", "a VM", "a VM and its VMI are one"),
    ],
)
def test_two_or_more_participants_in_managed_namespaces_collide(
    allocation: Stored, managed: set[str], collide: list[str]
) -> None:
    found = colliding(allocation, lambda _, namespace: namespace in managed)

    assert [f"{owner.namespace}/{owner.name}" for owner in found] == collide


def test_kinds_are_asked_about_apart() -> None:
    assert colliding(WITH_VM, lambda kind, _: kind == "Pod") == ()


def test_an_event_names_the_address_the_others_and_the_remedy() -> None:
    objects = colliding(stored(MINE, other(1, "depot")), everywhere)

    mine, its = events(MAC, objects)

    assert (mine.about, its.about) == objects
    assert mine.reason == its.reason == REASON
    assert mine.note.startswith(
        f"{MAC} of interface net1 is also in use by Pod depot/other-1 (interface net1): "
    )
    assert "Pod shop/web-0 (interface net1)" in its.note
    assert "create a pod again without the mac" in its.note
    assert f"kubectl describe mac {MAC.name}" in its.note


def test_many_are_counted_and_the_note_fits() -> None:
    long = [pod("x" * 253, f"u-{n}", namespace="y" * 63) for n in range(40)]
    carriers = [other(n) for n in range(1, 40)]
    odd = Conflict(
        api_version="v1", kind="Pod", namespace="shop", name="n", uid="u", interface="\u20ac" * 999
    )

    for conflicts in (
        tuple(map(conflict, long)),
        tuple(map(conflict, carriers)),
        (odd, odd),
    ):
        for event in events(MAC, (*conflicts, odd)):
            body = json.loads(event.body(NOW, REPORTER))
            assert len(body["note"].encode()) <= MOST_NOTE_BYTES
            assert len(event.name or "") <= 253
    [first, *_] = events(MAC, tuple(map(conflict, carriers)))
    assert first.note.count("Pod shop/other-") < 39
    assert "more: leave it" in first.note


@given(UIDS.flatmap(lambda uids: st.tuples(st.just(uids), st.permutations(uids))))
def test_an_event_s_name_follows_from_the_set_and_not_from_its_order(
    orders: tuple[list[str], list[str]],
) -> None:
    one, another = (
        {
            event.about.uid: event.name
            for event in events(MAC, [conflict(pod(f"p-{uid}", uid)) for uid in uids])
        }
        for uids in orders
    )

    assert one == another
    assert len(set(one.values())) == len(one)


@given(UIDS, UIDS)
def test_another_set_or_another_address_has_other_names(ours: list[str], theirs: list[str]) -> None:
    def named(mac: MacAddress, uids: list[str]) -> set[str | None]:
        objects = [conflict(pod("same", uid)) for uid in uids]
        return {event.name for event in events(mac, objects)}

    assert (named(MAC, ours) == named(MAC, theirs)) is (set(ours) == set(theirs))
    assert named(MAC, ours).isdisjoint(named(OTHER, ours))


def test_an_event_is_one_that_the_api_server_takes() -> None:
    [mine, _] = events(MAC, colliding(stored(MINE, other(1)), everywhere))

    body = json.loads(mine.body(NOW, REPORTER))

    assert mine.path == "/apis/events.k8s.io/v1/namespaces/shop/events"
    assert body["metadata"] == {"name": mine.name, "namespace": "shop"}
    assert (mine.name or "").startswith("web-0.")
    assert body["eventTime"] == "2026-11-24T12:00:00.000000Z"
    assert body["regarding"]["uid"] == "u-1"


@dataclass
class Scene:
    """The view, the managed namespaces, and the recorded events."""

    managed: set[str] = field(default_factory=lambda: {"shop"})
    recorded: list[Event] = field(default_factory=list)
    versions: int = 0

    def __post_init__(self) -> None:
        self.view = AllocationView(lambda: 0.0, lambda _: None)
        self.restart()

    def restart(self) -> None:
        self.collisions = Collisions(
            self.view, lambda _, namespace: namespace in self.managed, self.recorded.append
        )

    def put(self, *carriers: Carrier) -> list[str]:
        """Let MAC belong to shop/web-0, in conflict with these; return the new events' objects."""
        self.versions += 1
        self.view.put(replace(stored(MINE, *carriers), version=str(self.versions)))
        return self.look()

    def look(self) -> list[str]:
        before = len(self.recorded)
        self.collisions.look(MAC)
        return [str(event.about.name) for event in self.recorded[before:]]

    @property
    def count(self) -> int:
        return self.collisions.counts.get(MAC, 0)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_collision_is_recorded_for_all_when_it_begins_or_grows_and_only_then(
    scene: Scene,
) -> None:
    for carriers, recorded, count in (
        ([], [], 0),
        ([other(1)], ["web-0", "other-1"], 2),
        ([other(1)], [], 2),
        ([other(1), other(2)], ["web-0", "other-1", "other-2"], 3),
        ([other(2)], [], 2),
    ):
        assert scene.put(*carriers) == recorded
        assert scene.look() == []
        assert scene.count == count


def test_a_collision_that_ends_and_comes_back_is_counted_and_recorded_again(
    scene: Scene,
) -> None:
    scene.put(other(1))
    assert scene.put() == []
    assert scene.collisions.counts == {}

    assert scene.put(other(1)) == ["web-0", "other-1"]


def test_an_allocation_that_is_gone_collides_no_longer(scene: Scene) -> None:
    scene.put(other(1))

    scene.view.forget(MAC)

    assert scene.look() == []
    assert scene.collisions.counts == {}


async def test_a_namespace_that_opts_in_makes_a_collision_of_what_was_none(scene: Scene) -> None:
    assert scene.put(other(1, "depot")) == []
    assert scene.count == 0

    scene.managed.add("depot")
    await scene.collisions.look_again()
    assert [str(event.about.name) for event in scene.recorded] == ["web-0", "other-1"]
    assert scene.count == 2

    scene.managed.remove("depot")
    await scene.collisions.look_again()
    assert len(scene.recorded) == 2
    assert scene.count == 0


def test_a_restart_records_the_same_events_with_the_same_names(scene: Scene) -> None:
    scene.put(other(1), other(2))
    before = {event.name for event in scene.recorded}
    scene.recorded.clear()

    scene.restart()
    scene.look()

    assert {event.name for event in scene.recorded} == before
