"""Each row is a world, and the one thing that is next in it."""

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
    at,
    bare,
    bound,
    conflict,
    ended,
    owner,
    pending,
    pod,
    stored,
    world,
)
from crds.allocation import Allocation, Reservation, Source, State

if TYPE_CHECKING:
    from collections.abc import Callable

WEB, AGAIN = pod("web-0", "u-1"), pod("web-0", "u-2")
ALIEN, STRANGER = pod("alien", "u-9", namespace="other"), pod("web-1", "u-8")
GONE = {at("web-0"): None}
FOR_WEB = Allocation(mac=MAC, reserved_for=Reservation(kind="Pod", namespace="shop", name="web-0"))
MOVED = replace(bound("web-1", "u-8"), shared=True)
TO_ALIEN = replace(bound("alien", "u-9"), owner=ALIEN.as_owner(MAC))

Row = tuple[str, Facts, Action]


def rows(*table: Row) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize(
        ("of", "then"), [pytest.param(of, then, id=name) for name, of, then in table]
    )


ADOPTED = Allocation(
    mac=MAC,
    state=State.BOUND,
    source=Source.ADOPTED,
    pool="default",
    owner=owner("web-0", "u-1"),
)


@rows(
    ("nobody has it", world(None), Nothing()),
    ("who seems to carry it gets it, without a read", world(None, WEB), Create(ADOPTED)),
    ("of two, the one known longer gets it", world(None, WEB, ALIEN), Create(ADOPTED)),
)
def test_an_address_without_an_allocation_is_adopted(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("nobody uses it", world(DECLARED, quiet=True), Nothing()),
    ("its user is read first", world(DECLARED, WEB), Get(WEB.root)),
    (
        "its user is bound",
        world(DECLARED, WEB, live={at("web-0"): WEB}),
        Replace(
            replace(DECLARED, state=State.BOUND, owner=WEB.as_owner(MAC), declared=True),
        ),
    ),
    ("a user who is gone is not", world(DECLARED, WEB, live=GONE), Note((conflict(WEB),))),
    ("a reserved one waits for its own", world(FOR_WEB, WEB), Get(WEB.root)),
    ("a stranger is a conflict", world(FOR_WEB, ALIEN), Note((conflict(ALIEN),))),
    ("a known conflict is known", world(stored(FOR_WEB, ALIEN), ALIEN), Nothing()),
    ("a conflict that is over is forgotten", world(stored(FOR_WEB, ALIEN)), Note(())),
)
def test_a_declared_address_waits_for_its_user(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("nobody is seen yet", world(pending("web-0")), Wait()),
    ("its pod is read first", world(pending("web-0"), WEB), Get(WEB.root)),
    (
        "its pod is bound, quiet or not",
        world(pending("web-0"), WEB, live={at("web-0"): WEB}),
        Replace(bound("web-0", "u-1")),
    ),
    (
        "whatever the view shows, the pod that is read is bound",
        world(pending("web-0"), WEB, live={at("web-0"): AGAIN}),
        Replace(bound("web-0", "u-2")),
    ),
    ("another name is not its pod", world(pending("web-0"), STRANGER), Wait()),
    (
        "nor is that name elsewhere",
        world(pending("web-0"), pod("web-0", "u-5", namespace="other")),
        Wait(),
    ),
    ("what is gone is not bound", world(pending("web-0"), WEB, live=GONE), Wait()),
    ("quiet, its pod is read", world(pending("web-0"), quiet=True), Get(owner("web-0").root)),
    (
        "quiet, and it is there after all",
        world(pending("web-0"), quiet=True, live={at("web-0"): WEB}),
        Replace(bound("web-0", "u-1")),
    ),
    ("quiet, and it never came", world(pending("web-0"), quiet=True, live=GONE), Delete()),
    (
        "quiet, and it has another address",
        world(pending("web-0"), quiet=True, live={at("web-0"): pod("web-0", "u-1", OTHER)}),
        Delete(),
    ),
    (
        "quiet, and somebody else is seen with it: that one is read",
        world(pending("web-0"), STRANGER, quiet=True, live=GONE),
        Get(STRANGER.root),
    ),
    (
        "and bound, and it is shared",
        world(pending("web-0"), STRANGER, quiet=True, live=GONE | {at("web-1"): STRANGER}),
        Replace(MOVED),
    ),
    (
        "what was declared is declared again",
        world(replace(pending("web-0"), declared=True), quiet=True, live=GONE),
        Replace(DECLARED),
    ),
)
def test_an_address_under_way_to_a_name(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("anyone of the namespace may be its pod", world(pending(None), WEB), Get(WEB.root)),
    ("but none of another", world(pending(None), ALIEN), Wait()),
    ("quiet, all are listed", world(pending(None), quiet=True), List()),
    (
        "quiet, and listed",
        world(pending(None), quiet=True, everyone=(ALIEN, WEB)),
        Replace(bound("web-0", "u-1")),
    ),
    (
        "quiet, and only a stranger is listed",
        world(pending(None), quiet=True, everyone=(ALIEN,)),
        Replace(replace(TO_ALIEN, shared=True)),
    ),
    ("quiet, and nobody is", world(pending(None), quiet=True, everyone=()), Delete()),
)
def test_an_address_under_way_to_a_name_not_generated_yet(of: Facts, then: Action) -> None:
    assert decide(of) == then


BOUND = bound("web-0", "u-1")


@rows(
    ("its owner is seen", world(BOUND, WEB, quiet=True), Nothing()),
    ("its owner is not seen", world(BOUND), Wait()),
    ("a namesake is read", world(BOUND, AGAIN), Get(AGAIN.root)),
    (
        "a namesake that carries it is bound at once",
        world(BOUND, AGAIN, live={at("web-0"): AGAIN}),
        Replace(bound("web-0", "u-2")),
    ),
    ("a namesake that is gone is not", world(BOUND, AGAIN, live=GONE), Wait()),
    ("quiet, its owner is read", world(BOUND, quiet=True), Get(owner("web-0", "u-1").root)),
    (
        "quiet, and its owner is there: it shows nothing, and has it",
        world(BOUND, quiet=True, live={at("web-0"): bare("web-0", "u-1")}),
        Nothing(),
    ),
    (
        "quiet, and a namesake has it",
        world(BOUND, quiet=True, live={at("web-0"): AGAIN}),
        Replace(bound("web-0", "u-2")),
    ),
    (
        "quiet, and a namesake does not",
        world(BOUND, quiet=True, live={at("web-0"): bare("web-0", "u-2")}),
        Delete(),
    ),
    ("quiet, and its owner is gone", world(BOUND, quiet=True, live=GONE), Delete()),
    (
        "quiet, and its owner has ended",
        world(BOUND, quiet=True, live={at("web-0"): ended("web-0", "u-1")}),
        Delete(),
    ),
    (
        "quiet, gone, and somebody is seen with it: that one is read",
        world(BOUND, STRANGER, quiet=True, live=GONE),
        Get(STRANGER.root),
    ),
    (
        "and bound",
        world(BOUND, STRANGER, quiet=True, live=GONE | {at("web-1"): STRANGER}),
        Replace(bound("web-1", "u-8")),
    ),
    (
        "or gone, too",
        world(BOUND, STRANGER, quiet=True, live=GONE | {at("web-1"): None}),
        Delete(),
    ),
    (
        "what was declared is declared again, for whom it was",
        world(
            replace(BOUND, declared=True, reserved_for=FOR_WEB.reserved_for), quiet=True, live=GONE
        ),
        Replace(FOR_WEB),
    ),
)
def test_a_bound_address_is_released_when_its_owner_is_proved_gone(of: Facts, then: Action) -> None:
    assert decide(of) == then


SHARED = bound("web-0", "u-1", shared=True)


@rows(
    ("its owner is seen", world(SHARED, WEB, quiet=True), Nothing()),
    ("it waits like any other", world(SHARED), Wait()),
    ("gone, all are listed", world(SHARED, quiet=True, live=GONE), List()),
    (
        "gone, and another is listed: it stays shared",
        world(SHARED, quiet=True, live=GONE, everyone=(STRANGER,)),
        Replace(MOVED),
    ),
    ("gone, and nobody is", world(SHARED, quiet=True, live=GONE, everyone=()), Delete()),
)
def test_a_shared_address_goes_on_to_who_remains(of: Facts, then: Action) -> None:
    assert decide(of) == then


@rows(
    ("a new one is noted", world(BOUND, WEB, ALIEN), Note((conflict(ALIEN),))),
    ("a known one is not noted twice", world(stored(BOUND, ALIEN), WEB, ALIEN), Nothing()),
    ("one that is over is forgotten", world(stored(BOUND, ALIEN), WEB), Note(())),
    (
        "an older one keeps its date",
        world(
            replace(stored(BOUND), conflicts=(conflict(ALIEN, "2026-01-01T00:00:00Z"),)),
            WEB,
            ALIEN,
            STRANGER,
        ),
        Note((conflict(STRANGER), conflict(ALIEN, "2026-01-01T00:00:00Z"))),
    ),
    (
        "also where the owner does not show the address",
        world(BOUND, ALIEN, quiet=True, live={at("web-0"): bare("web-0", "u-1")}),
        Note((conflict(ALIEN),)),
    ),
)
def test_others_who_carry_it_are_conflicts(of: Facts, then: Action) -> None:
    assert decide(of) == then


STOCK = Allocation(mac=MAC, state=State.STOCK, source=Source.POOL, pool="default")
HANDED_OUT = replace(STOCK, state=State.BOUND, owner=owner("web-0", "u-1"))


@rows(
    ("nobody is seen to carry it, and a webhook may hand it out", world(STOCK), Wait()),
    ("who is seen to carry it is read first", world(STOCK, WEB), Get(WEB.root)),
    (
        "and has it, whoever that is",
        world(STOCK, WEB, live={at("web-0"): WEB}),
        Replace(HANDED_OUT),
    ),
    (
        "the one known longer, of two",
        world(STOCK, WEB, ALIEN, live={at("web-0"): WEB}),
        Replace(HANDED_OUT),
    ),
    (
        "one of any namespace",
        world(STOCK, ALIEN, live={ALIEN.root: ALIEN}),
        Replace(replace(HANDED_OUT, owner=ALIEN.as_owner(MAC))),
    ),
    (
        "not one who is gone by then: the next is read",
        world(STOCK, WEB, ALIEN, live=GONE),
        Get(ALIEN.root),
    ),
    (
        "nor one who does not carry it any more",
        world(STOCK, WEB, live={at("web-0"): bare("web-0", "u-1")}),
        Wait(),
    ),
    ("nor one who has ended", world(STOCK, WEB, live={at("web-0"): ended("web-0", "u-1")}), Wait()),
    ("when nobody can hand it out any more, all are listed", world(STOCK, quiet=True), List()),
    (
        "also where a hint was wrong",
        world(STOCK, WEB, quiet=True, live=GONE),
        List(),
    ),
    (
        "a list that was made too early is no proof",
        world(STOCK, everyone=()),
        Wait(),
    ),
    (
        "who is listed has it",
        world(STOCK, quiet=True, everyone=(WEB,)),
        Replace(HANDED_OUT),
    ),
    ("and without anybody it goes", world(STOCK, quiet=True, everyone=()), Delete()),
)
def test_stock_belongs_to_who_carries_it_or_goes_when_it_is_too_old(
    of: Facts, then: Action
) -> None:
    assert decide(of) == then
