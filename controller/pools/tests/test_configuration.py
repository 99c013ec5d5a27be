"""From the ConfigMap to a range, or to its fault; and the times of the conditions."""

from __future__ import annotations

import pytest

from controller.pools.configuration import (
    ADOPTED,
    ADOPTING,
    IN_FORCE,
    INVALID,
    INVALID_POLICY,
    MISSING,
    Problem,
    Wanted,
    conditions,
    parse_range,
    status_of,
    wanted,
)
from controller.tests.worlds import MAC, OTHER
from crds.mac import MacRange
from crds.pool import CollisionPolicy, Pool
from crds.resources import Condition, PoolSnapshot, PoolStatus

THEN, NOW = "2026-01-01T00:00:00Z", "2026-11-24T12:00:00Z"
BAD = Problem(INVALID, "RANGE_START is missing")
WORSE = Problem(INVALID_POLICY, "COLLISION_POLICY: 'Off' is no policy")
RANGE = {"RANGE_START": str(MAC), "RANGE_END": str(OTHER)}
REJECT, WARN = CollisionPolicy
SEEN = PoolSnapshot(Pool("default", (MacRange(OTHER, OTHER),)), PoolStatus(), WARN)


def test_a_range_is_read_in_every_spelling() -> None:
    data = {"RANGE_START": " 02-00-00-00-00-2A\n", "RANGE_END": "0200.0000.002b"}

    assert parse_range(data) == MacRange(MAC, OTHER)


def test_a_range_of_one_address_is_a_range() -> None:
    assert parse_range({"RANGE_START": str(MAC), "RANGE_END": str(MAC)}) == MacRange(MAC, MAC)


def test_a_range_over_an_odd_first_octet_is_a_range() -> None:
    data = {"RANGE_START": "02:ff:ff:ff:ff:ff", "RANGE_END": "04:00:00:00:00:00"}

    assert isinstance(parse_range(data), MacRange)


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        pytest.param({}, INVALID, "RANGE_START is missing", id="nothing in it"),
        pytest.param(
            {"RANGE_START": str(MAC)}, INVALID, "RANGE_END is missing", id="without an end"
        ),
        pytest.param(
            {"RANGE_START": "  ", "RANGE_END": str(MAC)},
            INVALID,
            "RANGE_START is missing",
            id="a blank start",
        ),
        pytest.param(
            {"RANGE_START": str(OTHER), "RANGE_END": str(MAC)},
            INVALID,
            "after its end",
            id="backwards",
        ),
        pytest.param(
            {"RANGE_START": "02:00:00:00:00", "RANGE_END": str(MAC)},
            INVALID,
            "RANGE_START: '02:00:00:00:00' is not a MAC address",
            id="too short",
        ),
        pytest.param(
            {"RANGE_START": str(MAC), "RANGE_END": "03:00:00:00:00:00"},
            INVALID,
            "RANGE_END: 03:00:00:00:00:00 is a group address",
            id="an end that is a group address",
        ),
        pytest.param(
            {"RANGE_START": "00:00:00:00:00:00", "RANGE_END": str(MAC)},
            INVALID,
            "RANGE_START: 00:00:00:00:00:00 is the zero address",
            id="from zero",
        ),
    ],
)
def test_a_bad_range_says_what_is_wrong(data: dict[str, str], reason: str, said: str) -> None:
    bad = parse_range(data)

    assert isinstance(bad, Problem)
    assert bad.reason == reason
    assert said in bad.message


@pytest.mark.parametrize(
    ("text", "policy"),
    [(None, REJECT), ("", REJECT), (" \n", REJECT), ("Reject", REJECT), (" Warn\n", WARN)],
)
def test_range_and_policy_are_followed_and_without_one_the_policy_is_reject(
    text: str | None, policy: CollisionPolicy
) -> None:
    data = RANGE if text is None else {**RANGE, "COLLISION_POLICY": text}

    assert wanted(data, SEEN) == Wanted((MacRange(MAC, OTHER),), policy)


@pytest.mark.parametrize("text", ["warn", "WARN", "Off", "Reject, Warn", "x" * 5000])
def test_a_bad_policy_names_itself_and_the_choices_and_the_last_good_one_stays(text: str) -> None:
    found = wanted({**RANGE, "COLLISION_POLICY": text}, SEEN)

    [problem] = found.problems
    assert (found.ranges, found.policy) == ((MacRange(MAC, OTHER),), WARN)
    assert problem.reason == INVALID_POLICY
    assert f"COLLISION_POLICY: '{text[:64]}' is no policy: write Reject or Warn" in problem.message
    assert len(problem.message) < 1024  # what an event's note holds


def test_a_bad_range_does_not_keep_a_good_policy_from_coming_into_force() -> None:
    found = wanted({"COLLISION_POLICY": "Reject"}, SEEN)

    assert (found.ranges, found.policy) == (SEEN.pool.ranges, REJECT)
    assert [problem.reason for problem in found.problems] == [INVALID]


@pytest.mark.parametrize("data", [None, {"COLLISION_POLICY": "Off"}])
def test_values_that_are_invalid_stay_as_they_were(data: dict[str, str] | None) -> None:
    found = wanted(data, SEEN)

    assert (found.ranges, found.policy) == (SEEN.pool.ranges, WARN)
    assert [problem.reason for problem in found.problems] == (
        [MISSING] if data is None else [INVALID, INVALID_POLICY]
    )


def test_a_pool_that_never_was_begins_empty_and_with_reject() -> None:
    found = wanted(None, None)

    assert (found.ranges, found.policy) == ((), REJECT)


def test_the_first_of_two_problems_gives_the_reason_and_both_are_in_the_message() -> None:
    ready, _ = conditions(PoolStatus(), (BAD, WORSE), adopted=True, now=NOW)

    assert (ready.status, ready.reason) == ("False", INVALID)
    assert ready.message == f"{BAD.message}; {WORSE.message}"


def test_a_good_range_is_in_force() -> None:
    ready, adopted = conditions(PoolStatus(), (), adopted=True, now=NOW)

    assert (ready.type, ready.status, ready.reason) == ("Ready", "True", IN_FORCE)
    assert (adopted.type, adopted.status, adopted.reason) == ("Adopted", "True", ADOPTED)
    assert ready.last_transition_time == adopted.last_transition_time == NOW


def test_a_bad_range_is_not_in_force_and_the_condition_has_the_reason() -> None:
    ready, adopted = conditions(PoolStatus(), (BAD,), adopted=False, now=NOW)

    assert (ready.status, ready.reason, ready.message) == ("False", BAD.reason, BAD.message)
    assert (adopted.status, adopted.reason) == ("False", ADOPTING)


def test_adopted_stays_true_while_a_new_start_does_not_know_better() -> None:
    status = PoolStatus(conditions=(Condition("Adopted", "True", ADOPTED, "", THEN),))

    _, adopted = conditions(status, (), adopted=None, now=NOW)

    assert (adopted.status, adopted.last_transition_time) == ("True", THEN)


def test_adopted_becomes_false_when_allocations_are_lost() -> None:
    status = PoolStatus(conditions=(Condition("Adopted", "True", ADOPTED, "", THEN),))

    _, adopted = conditions(status, (), adopted=False, now=NOW)

    assert (adopted.status, adopted.last_transition_time) == ("False", NOW)


def test_a_transition_time_changes_only_with_the_status() -> None:
    was = PoolStatus(conditions=(Condition("Ready", "False", MISSING, "missing", THEN),))

    still, _ = conditions(was, (BAD,), adopted=False, now=NOW)
    better, _ = conditions(was, (), adopted=False, now=NOW)

    assert (still.reason, still.last_transition_time) == (INVALID, THEN)
    assert better.last_transition_time == NOW


def test_a_condition_without_a_time_gets_one() -> None:
    was = PoolStatus(conditions=(Condition("Ready", "True", IN_FORCE, "", ""),))

    ready, _ = conditions(was, (), adopted=False, now=NOW)

    assert ready.last_transition_time == NOW


@pytest.mark.parametrize(("allocated", "free"), [(0, 2), (1, 1), (2, 0), (3, 0)])
def test_the_free_addresses_of_a_pool_that_shrank_are_never_negative(
    allocated: int, free: int
) -> None:
    pool = Pool("default", (MacRange(MAC, OTHER),))

    status = status_of(pool, allocated, ())

    assert (status.size, status.allocated, status.free) == (2, allocated, free)
