"""The verdict on the adoption is True only while every address in use has an allocation."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from controller.allocations.adoption import Adoption
from controller.allocations.caches import AllocationView, CarrierView
from controller.tests.worlds import MAC, OTHER, bound, pod, stored

WEB, POD = stored(bound("web-0", "u-1")), pod("web-0", "u-1")


@dataclass
class Scene:
    """Both views, and the number of reported changes."""

    changes: int = 0

    def __post_init__(self) -> None:
        self.known = AllocationView(lambda: 0.0, lambda _: None)
        self.carriers = CarrierView(lambda _: None)
        self.adoption = Adoption(self.known, self.carriers, self._changed)

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def starting() -> Scene:
    """One address is in use, and has no allocation."""
    scene = Scene()
    scene.carriers.reset("Pod", [POD])
    return scene


@pytest.fixture
def adopted(starting: Scene) -> Scene:
    """One address is in use, and has an allocation."""
    starting.known.reset([WEB])
    starting.adoption.begin()
    return starting


def test_the_verdict_is_open_until_the_last_address_has_its_allocation(starting: Scene) -> None:
    assert starting.adoption.verdict is None
    starting.adoption.begin()
    assert starting.adoption.verdict is None

    starting.known.put(WEB)
    starting.adoption.looked_at(MAC)

    assert starting.adoption.verdict is True
    assert starting.changes == 2


def test_an_address_without_a_carrier_needs_no_allocation(starting: Scene) -> None:
    starting.adoption.begin()

    starting.carriers.drop(POD)
    starting.adoption.looked_at(MAC)

    assert starting.adoption.verdict is True


def test_an_allocation_that_is_deleted_under_its_carrier_stops_the_pool(adopted: Scene) -> None:
    assert (adopted.adoption.verdict, adopted.changes) == (True, 1)

    adopted.known.reset([])

    assert (adopted.adoption.verdict, adopted.changes) == (False, 2)


def test_a_release_after_its_carrier_was_deleted_changes_nothing(adopted: Scene) -> None:
    adopted.carriers.drop(POD)
    adopted.known.drop(WEB)

    assert (adopted.adoption.verdict, adopted.changes) == (True, 1)


def test_a_new_pod_with_an_address_of_its_own_changes_nothing(adopted: Scene) -> None:
    adopted.carriers.put(pod("wild", "u-2", OTHER))
    adopted.adoption.looked_at(OTHER)

    assert (adopted.adoption.verdict, adopted.changes) == (True, 1)
