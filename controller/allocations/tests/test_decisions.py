"""Each row is a set of facts about an address, and the next action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from controller.allocations.actions import (
    Action,
    Create,
    Delete,
    Facts,
    Get,
    List,
    Note,
    Nothing,
    Replace,
    Wait,
)
from controller.allocations.decisions import decide
from controller.tests.worlds import (
    DECLARED,
    MAC,
    OTHER,
    STOCK,
    at,
    bare,
    bound,
    conflict,
    ended,
    owner,
    pending,
    pod,
    quiet,
    stored,
    world,
)
from crds.allocation import Allocation, Reservation, Source, State

if TYPE_CHECKING:
    from collections.abc import Callable


WEB, AGAIN = pod("web-0", "u-1"), pod("web-0", "u-2")
ALIEN, STRANGER = pod("alien", "u-9", namespace="other"), pod("web-1", "u-8")
BARE, ENDED = bare("web-0", "u-1"), ended("web-0", "u-1")
GONE, THERE, AGAIN_THERE = ({at("web-0"): found} for found in ((), (WEB,), (AGAIN,)))
STRANGER_THERE = GONE | {at("web-1"): (STRANGER,)}
FOR_WEB = Allocation(mac=MAC, reserved_for=Reservation(kind="Pod", namespace="shop", name="web-0"))
UNDER_WAY, NAMELESS, BOUND = pending("web-0"), pending(None), bound("web-0", "u-1")
SHARED = bound("web-0", "u-1", shared=True)
MOVED = replace(bound("web-1", "u-8"), shared=True)
TO_ALIEN = replace(bound("alien", "u-9"), owner=ALIEN.as_owner(MAC), shared=True)
ADOPTED = replace(STOCK, state=State.BOUND, source=Source.ADOPTED, owner=owner("web-0", "u-1"))
HANDED_OUT = replace(STOCK, state=State.BOUND, owner=owner("web-0", "u-1"))
DATED = conflict(ALIEN, "2026-01-01T00:00:00Z")

Row = tuple[str, Facts, Action]


def rows(*table: Row) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize(
        ("of", "then"), [pytest.param(of, then, id=name) for name, of, then in table]
    )


@rows(
    ("no carrier", world(None), Nothing()),
    ("its carrier gets it, without a read", world(None, WEB), Create(ADOPTED)),
    ("of two, the first that was seen", world(None, WEB, ALIEN), Create(ADOPTED)),
)
def test_an_address_without_an_allocation_is_adopted(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("no carrier", quiet(DECLARED), Nothing()),
    ("its carrier is read first", world(DECLARED, WEB), Get(WEB.root)),
    (
        "its carrier is bound",
        world(DECLARED, WEB, live=THERE),
        Replace(replace(DECLARED, state=State.BOUND, owner=WEB.as_owner(MAC), declared=True)),
    ),
    ("a deleted carrier is not", world(DECLARED, WEB, live=GONE), Note((conflict(WEB),))),
    ("reserved: its own pod is read", world(FOR_WEB, WEB), Get(WEB.root)),
    ("reserved: another is a conflict", world(FOR_WEB, ALIEN), Note((conflict(ALIEN),))),
    ("a known conflict", world(stored(FOR_WEB, ALIEN), ALIEN), Nothing()),
    ("the end of a conflict", world(stored(FOR_WEB, ALIEN)), Note(())),
)
def test_a_declared_address_waits_for_its_carrier(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("no carrier yet", world(UNDER_WAY), Wait()),
    ("its pod is read first", world(UNDER_WAY, WEB), Get(WEB.root)),
    ("its pod is bound, quiet or not", world(UNDER_WAY, WEB, live=THERE), Replace(BOUND)),
    (
        "the pod that is read is bound, not the one in the view",
        world(UNDER_WAY, WEB, live=AGAIN_THERE),
        Replace(bound("web-0", "u-2")),
    ),
    ("another name is not its pod", world(UNDER_WAY, STRANGER), Wait()),
    ("nor its name elsewhere", world(UNDER_WAY, pod("web-0", "u-5", namespace="other")), Wait()),
    ("a deleted pod is not bound", world(UNDER_WAY, WEB, live=GONE), Wait()),
    ("quiet: its pod is read", quiet(UNDER_WAY), Get(owner("web-0").root)),
    ("quiet, and there", quiet(UNDER_WAY, live=THERE), Replace(BOUND)),
    ("quiet, and it never came", quiet(UNDER_WAY, live=GONE), Delete()),
    (
        "quiet, and it has another address",
        quiet(UNDER_WAY, live={at("web-0"): (pod("web-0", "u-1", OTHER),)}),
        Delete(),
    ),
    ("quiet, another is read", quiet(UNDER_WAY, STRANGER, live=GONE), Get(STRANGER.root)),
    ("and bound as shared", quiet(UNDER_WAY, STRANGER, live=STRANGER_THERE), Replace(MOVED)),
    (
        "a declared one is declared again",
        quiet(replace(UNDER_WAY, declared=True), live=GONE),
        Replace(DECLARED),
    ),
)
def test_an_address_under_way_to_a_name(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("any pod of the namespace may be its own", world(NAMELESS, WEB), Get(WEB.root)),
    ("but none of another", world(NAMELESS, ALIEN), Wait()),
    ("quiet: all are listed", quiet(NAMELESS), List()),
    ("quiet, and listed", quiet(NAMELESS, everyone=(ALIEN, WEB)), Replace(BOUND)),
    ("quiet, only another listed", quiet(NAMELESS, everyone=(ALIEN,)), Replace(TO_ALIEN)),
    ("quiet, none listed", quiet(NAMELESS, everyone=()), Delete()),
)
def test_an_address_under_way_to_a_name_not_generated_yet(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("its owner is seen", quiet(BOUND, WEB), Nothing()),
    ("its owner is not seen", world(BOUND), Wait()),
    ("a namesake is read", world(BOUND, AGAIN), Get(AGAIN.root)),
    (
        "a namesake that carries it is bound at once",
        world(BOUND, AGAIN, live=AGAIN_THERE),
        Replace(bound("web-0", "u-2")),
    ),
    ("a deleted namesake is not", world(BOUND, AGAIN, live=GONE), Wait()),
    ("quiet: its owner is read", quiet(BOUND), Get(owner("web-0", "u-1").root)),
    ("quiet, and it does not show it", quiet(BOUND, live={at("web-0"): (BARE,)}), Nothing()),
    ("quiet, a namesake", quiet(BOUND, live=AGAIN_THERE), Replace(bound("web-0", "u-2"))),
    (
        "quiet, and a namesake without it",
        quiet(BOUND, live={at("web-0"): (bare("web-0", "u-2"),)}),
        Delete(),
    ),
    ("quiet, and its owner is deleted", quiet(BOUND, live=GONE), Delete()),
    ("quiet, and its owner has ended", quiet(BOUND, live={at("web-0"): (ENDED,)}), Delete()),
    ("quiet, deleted: another is read", quiet(BOUND, STRANGER, live=GONE), Get(STRANGER.root)),
    (
        "and bound",
        quiet(BOUND, STRANGER, live=STRANGER_THERE),
        Replace(bound("web-1", "u-8")),
    ),
    ("or deleted, too", quiet(BOUND, STRANGER, live=GONE | {at("web-1"): ()}), Delete()),
    (
        "a declared one is declared again, with its reservation",
        quiet(replace(BOUND, declared=True, reserved_for=FOR_WEB.reserved_for), live=GONE),
        Replace(FOR_WEB),
    ),
)
def test_a_bound_address_is_released_when_its_owner_is_proved_gone(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("its owner is seen", quiet(SHARED, WEB), Nothing()),
    ("it waits like any other", world(SHARED), Wait()),
    ("deleted: all are listed", quiet(SHARED, live=GONE), List()),
    ("another is listed", quiet(SHARED, live=GONE, everyone=(STRANGER,)), Replace(MOVED)),
    ("none is listed", quiet(SHARED, live=GONE, everyone=()), Delete()),
)
def test_a_shared_address_goes_to_a_remaining_carrier(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("a new one is noted", world(BOUND, WEB, ALIEN), Note((conflict(ALIEN),))),
    ("a known one is not noted again", world(stored(BOUND, ALIEN), WEB, ALIEN), Nothing()),
    ("one that is over is removed", world(stored(BOUND, ALIEN), WEB), Note(())),
    (
        "an older one keeps its date",
        world(replace(stored(BOUND), conflicts=(DATED,)), WEB, ALIEN, STRANGER),
        Note((conflict(STRANGER), DATED)),
    ),
    (
        "even if the owner does not show the address",
        quiet(BOUND, ALIEN, live={at("web-0"): (BARE,)}),
        Note((conflict(ALIEN),)),
    ),
)
def test_other_carriers_are_conflicts(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("no carrier, and young enough for a request", world(STOCK), Wait()),
    ("its carrier is read first", world(STOCK, WEB), Get(WEB.root)),
    ("and bound", world(STOCK, WEB, live=THERE), Replace(HANDED_OUT)),
    ("of two, the first", world(STOCK, WEB, ALIEN, live=THERE), Replace(HANDED_OUT)),
    (
        "one of any namespace",
        world(STOCK, ALIEN, live={ALIEN.root: (ALIEN,)}),
        Replace(replace(HANDED_OUT, owner=ALIEN.as_owner(MAC))),
    ),
    ("after a deleted one the next", world(STOCK, WEB, ALIEN, live=GONE), Get(ALIEN.root)),
    ("not one without it", world(STOCK, WEB, live={at("web-0"): (BARE,)}), Wait()),
    ("nor one that has ended", world(STOCK, WEB, live={at("web-0"): (ENDED,)}), Wait()),
    ("too old: all are listed", quiet(STOCK), List()),
    ("too old, and a wrong hint", quiet(STOCK, WEB, live=GONE), List()),
    ("a list made too early is no proof", world(STOCK, everyone=()), Wait()),
    ("a carrier in the list is bound", quiet(STOCK, everyone=(WEB,)), Replace(HANDED_OUT)),
    ("without a carrier it is deleted", quiet(STOCK, everyone=()), Delete()),
)
def test_stock_belongs_to_its_carrier_or_is_deleted_when_it_is_too_old(
    of: Facts, then: Action
) -> None:
    assert decide(of) == then
