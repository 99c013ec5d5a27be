"""The pool is adopted only while everything in use is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from controller.allocations.adoption import Adoption
from controller.allocations.caches import AllocationView, CarrierView
from controller.tests.worlds import MAC, OTHER, bound, pod, stored

WEB = stored(bound("web-0", "u-1"))


@dataclass
class Scene:
    """Both views, and how often the adoption said that it may have changed."""

    changes: int = 0
    known: AllocationView = field(default_factory=lambda: AllocationView(lambda: 0.0, _ignore))
    carriers: CarrierView = field(default_factory=lambda: CarrierView(_ignore))

    def __post_init__(self) -> None:
        self.adoption = Adoption(self.known, self.carriers, self._changed)

    def _changed(self) -> None:
        self.changes += 1


def _ignore(_: object) -> None:
    pass


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_is_adopted_before_everything_was_listed(scene: Scene) -> None:
    assert scene.adoption.verdict is None


def test_what_has_its_allocation_is_adopted(scene: Scene) -> None:
    scene.known.reset([WEB])
    scene.carriers.reset("Pod", [pod("web-0", "u-1")])

    scene.adoption.begin()

    assert scene.adoption.verdict is True


def test_it_is_complete_when_the_last_one_has_its_allocation(scene: Scene) -> None:
    scene.carriers.reset("Pod", [pod("web-0", "u-1")])
    scene.adoption.begin()
    before = scene.adoption.verdict

    scene.known.put(WEB)
    scene.adoption.looked_at(MAC)

    assert before is None
    assert scene.adoption.verdict is True
    assert scene.changes >= 2


def test_what_nobody_carries_any_more_needs_no_allocation(scene: Scene) -> None:
    scene.carriers.reset("Pod", [pod("web-0", "u-1")])
    scene.adoption.begin()

    scene.carriers.drop(pod("web-0", "u-1"))
    scene.adoption.looked_at(MAC)

    assert scene.adoption.verdict is True


def test_allocations_that_vanish_under_their_carriers_make_it_incomplete(scene: Scene) -> None:
    scene.known.reset([WEB])
    scene.carriers.reset("Pod", [pod("web-0", "u-1")])
    scene.adoption.begin()
    changes = scene.changes

    scene.known.reset([])

    assert scene.adoption.verdict is False
    assert scene.changes > changes


def test_a_release_after_its_carrier_went_changes_nothing(scene: Scene) -> None:
    scene.known.reset([WEB])
    scene.carriers.reset("Pod", [pod("web-0", "u-1")])
    scene.adoption.begin()

    scene.carriers.drop(pod("web-0", "u-1"))
    scene.known.drop(WEB)

    assert scene.adoption.verdict is True


def test_a_pod_that_comes_with_an_address_of_its_own_makes_nobody_wait(scene: Scene) -> None:
    scene.adoption.begin()

    scene.carriers.put(pod("wild", "u-2"))
    scene.adoption.looked_at(OTHER)

    assert scene.adoption.verdict is True
