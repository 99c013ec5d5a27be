"""Which entries may be handed out, rule by rule. Traces with failures are in simulation/tests."""

from __future__ import annotations

import pytest

from webhook.stock.tests.stocks import STOCK_USABLE_S, EntriesScene, made, shown
from webhook.tests.reviews import mac, pool


@pytest.fixture
def scene() -> EntriesScene:
    return EntriesScene()


def test_the_oldest_is_handed_out_first_and_once(scene: EntriesScene) -> None:
    scene.keep(3, 1, 2)

    assert [scene.pop() for _ in range(4)] == [(mac(3),), (mac(1),), (mac(2),), ()]


def test_a_request_for_more_than_there_is_takes_none(scene: EntriesScene) -> None:
    scene.keep(1, 2)

    assert scene.pop(3) == ()
    assert scene.pop(2) == (mac(1), mac(2))


def test_an_address_is_handed_out_when_it_is_created_and_shown(scene: EntriesScene) -> None:
    scene.entries.begin(mac(1))
    scene.entries.begin(mac(2))
    scene.entries.put(shown(1))
    scene.entries.add(made(2))

    assert mac(1) in scene.entries
    assert scene.pop() == ()
    scene.entries.put(shown(2))
    assert scene.pop() == (mac(2),)


@pytest.mark.parametrize("clock", ["boottime", "wall"])
def test_it_is_handed_out_until_its_lifetime_is_over_by_either_clock(clock: str) -> None:
    scene = EntriesScene()
    scene.keep(1, 2)

    def age(by_s: float) -> None:
        scene.pass_time(*((by_s, 0.0) if clock == "boottime" else (0.0, by_s)))

    age(STOCK_USABLE_S - 0.5)
    assert scene.pop() == (mac(1),)
    age(0.5)
    assert scene.pop() == ()


@pytest.mark.parametrize(("boottime_s", "wall_s"), [(-0.5, 0.0), (0.0, -0.5)])
def test_nothing_is_handed_out_by_a_clock_that_went_back_behind_its_create(
    boottime_s: float, wall_s: float
) -> None:
    scene = EntriesScene()
    scene.keep(1)

    scene.pass_time(boottime_s, wall_s)

    assert scene.pop() == ()


def test_its_age_counts_from_before_the_create(scene: EntriesScene) -> None:
    scene.entries.begin(mac(1))
    scene.pass_time(STOCK_USABLE_S)

    scene.entries.add(made(1))
    scene.entries.put(shown(1))

    assert scene.pop() == ()


@pytest.mark.parametrize("connection", [0, 2])
def test_only_the_connection_that_has_shown_it_vouches_for_it(connection: int) -> None:
    scene = EntriesScene()
    scene.keep(1)

    scene.connection = connection

    assert scene.pop() == ()
    scene.entries.put(shown(1))
    assert scene.pop() == ()


def test_a_later_connection_does_not_vouch_for_an_address_created_before_it() -> None:
    scene = EntriesScene()
    scene.entries.begin(mac(1))
    scene.entries.add(made(1))
    scene.connection = 2

    scene.entries.put(shown(1))  # after a restore it may be another's, of the same version

    assert scene.pop() == ()
    assert scene.surplus() == [mac(1)]


def test_while_no_watch_is_open_nothing_can_be_created_to_be_handed_out() -> None:
    scene = EntriesScene()
    assert scene.entries.is_open

    scene.connection = 0

    assert not scene.entries.is_open
    scene.keep(1)
    assert scene.pop() == ()


def test_an_address_that_has_changed_or_is_gone_is_forgotten(scene: EntriesScene) -> None:
    scene.keep(1, 2)

    scene.entries.put(shown(1, version=8))
    scene.entries.drop(shown(2, version=8))

    assert len(scene.entries) == 0


def test_an_address_shown_in_another_version_than_was_created_is_not_handed_out() -> None:
    scene = EntriesScene()
    scene.entries.begin(mac(1))
    scene.entries.put(shown(1, version=6))  # of one that had the address before

    scene.entries.add(made(1))

    assert scene.pop() == ()


def test_an_event_of_what_had_the_address_before_does_no_harm(scene: EntriesScene) -> None:
    scene.entries.begin(mac(1))
    scene.entries.add(made(1))
    scene.entries.put(shown(1, version=6))
    assert scene.pop() == ()

    scene.entries.put(shown(1))

    assert scene.pop() == (mac(1),)


def test_the_same_event_twice_changes_nothing(scene: EntriesScene) -> None:
    scene.keep(1)

    scene.entries.put(shown(1))

    assert scene.pop() == (mac(1),)


def test_an_address_that_another_client_created_is_not_kept(scene: EntriesScene) -> None:
    scene.entries.put(shown(1))
    scene.entries.add(made(1))

    assert len(scene.entries) == 0


def test_an_address_outside_the_pool_stays_and_is_not_handed_out(scene: EntriesScene) -> None:
    scene.keep(200, 1)

    assert scene.pop() == (mac(1),)
    assert scene.pop(of=pool(256)) == (mac(200),)


def test_an_address_taken_by_name_is_taken_out_whatever_its_age(scene: EntriesScene) -> None:
    scene.keep(1)
    scene.pass_time(2 * STOCK_USABLE_S)
    scene.connection = 0

    assert scene.entries.take_out(made(1))
    assert mac(1) not in scene.entries
    assert not scene.entries.take_out(made(1))


def test_another_replicas_of_the_same_address_is_not_taken_by_name(scene: EntriesScene) -> None:
    scene.keep(1)

    assert not scene.entries.take_out(made(1, version=9, uid="another"))
    assert scene.pop() == (mac(1),)


def test_an_address_that_is_being_created_is_not_taken_by_name(scene: EntriesScene) -> None:
    scene.entries.begin(mac(1))

    assert not scene.entries.take_out(made(1))
    scene.entries.add(made(1))
    scene.entries.put(shown(1))
    assert scene.pop() == (mac(1),)


def test_to_look_whether_one_is_here_takes_nothing_out(scene: EntriesScene) -> None:
    scene.keep(1)

    assert scene.entries.holds(made(1))
    assert not scene.entries.holds(made(2))

    assert scene.pop() == (mac(1),)


@pytest.mark.parametrize("why", ["too old", "cut off", "outside the pool"])
def test_an_address_that_can_no_longer_be_handed_out_is_surplus(
    scene: EntriesScene, why: str
) -> None:
    last = 200 if why == "outside the pool" else 1
    scene.keep(last)
    if why == "too old":
        scene.pass_time(STOCK_USABLE_S)
    if why == "cut off":
        scene.connection = 2

    assert scene.surplus() == [mac(last)]
    assert len(scene.entries) == 0


def test_without_a_pool_everything_is_surplus(scene: EntriesScene) -> None:
    scene.keep(1)

    assert [stored.mac for stored in scene.entries.surplus(9, None)] == [mac(1)]


def test_of_more_than_is_wanted_the_newest_are_surplus(scene: EntriesScene) -> None:
    scene.keep(1, 2, 3)

    assert scene.surplus(2) == [mac(3)]
    assert scene.pop(2) == (mac(1), mac(2))


def test_an_address_not_shown_yet_is_no_surplus_until_it_is_too_old() -> None:
    scene = EntriesScene()
    scene.entries.begin(mac(1))
    scene.entries.add(made(1))

    assert scene.surplus() == []
    scene.pass_time(STOCK_USABLE_S)
    assert scene.surplus() == [mac(1)]


def test_an_address_that_is_being_created_counts_and_is_never_surplus(scene: EntriesScene) -> None:
    scene.entries.begin(mac(1))
    scene.keep(2)

    assert scene.surplus(1) == [mac(2)]
    assert scene.surplus(0) == []
    assert mac(1) in scene.entries
