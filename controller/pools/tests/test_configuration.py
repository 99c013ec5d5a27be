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
from crds.mac import MacAddress, MacRange
from crds.pool import CollisionPolicy, Pool
from crds.resources import Condition, PoolSnapshot, PoolStatus

THEN, NOW = "2026-01-01T00:00:00Z", "2026-11-24T12:00:00Z"
BAD = Problem(INVALID, "RANGE_START is missing")
WORSE = Problem(INVALID_POLICY, "COLLISION_POLICY: 'Off' is no policy")
RANGE = {"RANGE_START": str(MAC), "RANGE_END": str(OTHER)}
REJECT, WARN = CollisionPolicy
ODD = MacRange(MacAddress.parse("02:ff:ff:ff:ff:ff"), MacAddress.parse("04:00:00:00:00:00"))
ZERO, GROUP = "00:00:00:00:00:00", "03:00:00:00:00:00"
SEEN = PoolSnapshot(Pool("default", (MacRange(OTHER, OTHER),)), PoolStatus(), WARN)


@pytest.mark.parametrize(
    ("start", "end", "read"),
    [
        (" 02-00-00-00-00-2A\n", "0200.0000.002b", MacRange(MAC, OTHER)),
        (str(MAC), str(MAC), MacRange(MAC, MAC)),
        (str(ODD.start), str(ODD.end), ODD),
    ],
    ids=["every spelling", "one address", "over an odd first octet"],
)
def test_a_range_is_read(start: str, end: str, read: MacRange) -> None:
    assert parse_range({"RANGE_START": start, "RANGE_END": end}) == read


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (None, None, "RANGE_START is missing"),
        (str(MAC), None, "RANGE_END is missing"),
        ("  ", str(MAC), "RANGE_START is missing"),
        (str(OTHER), str(MAC), "after its end"),
        ("02:00:00:00:00", str(MAC), "RANGE_START: '02:00:00:00:00' is not a MAC address"),
        (str(MAC), GROUP, f"RANGE_END: {GROUP} is a group address"),
        (ZERO, str(MAC), f"RANGE_START: {ZERO} is the zero address"),
    ],
    ids=["nothing", "no end", "blank", "backwards", "too short", "a group address", "from zero"],
)
def test_a_bad_range_says_what_is_wrong(start: str | None, end: str | None, said: str) -> None:
    texts = {"RANGE_START": start, "RANGE_END": end}

    bad = parse_range({name: text for name, text in texts.items() if text is not None})

    assert isinstance(bad, Problem)
    assert bad.reason == INVALID
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


@pytest.mark.parametrize(
    ("data", "seen", "then", "reasons"),
    [
        ({"COLLISION_POLICY": "Reject"}, SEEN, Wanted(SEEN.pool.ranges, REJECT), [INVALID]),
        (None, SEEN, Wanted(SEEN.pool.ranges, WARN), [MISSING]),
        (
            {"COLLISION_POLICY": "Off"},
            SEEN,
            Wanted(SEEN.pool.ranges, WARN),
            [INVALID, INVALID_POLICY],
        ),
        (None, None, Wanted((), REJECT), [MISSING]),
    ],
    ids=["a good policy comes into force", "no ConfigMap", "both are bad", "never was a pool"],
)
def test_values_that_are_invalid_stay_as_they_were(
    data: dict[str, str] | None, seen: PoolSnapshot | None, then: Wanted, reasons: list[str]
) -> None:
    found = wanted(data, seen)

    assert (found.ranges, found.policy) == (then.ranges, then.policy)
    assert [problem.reason for problem in found.problems] == reasons


def test_the_first_of_two_problems_gives_the_reason_and_both_are_in_the_message() -> None:
    ready, _ = conditions(PoolStatus(), (BAD, WORSE), adopted=True, now=NOW)

    assert (ready.status, ready.reason) == ("False", INVALID)
    assert ready.message == f"{BAD.message}; {WORSE.message}"


WAS_ADOPTED = Condition("Adopted", "True", ADOPTED, "", THEN)
WAS_MISSING = Condition("Ready", "False", MISSING, "missing", THEN)
UNDATED = Condition("Ready", "True", IN_FORCE, "", "")


@pytest.mark.parametrize(
    ("was", "problems", "status", "reason", "since"),
    [
        ((), (), "True", IN_FORCE, NOW),
        ((), (BAD,), "False", INVALID, NOW),
        ((WAS_MISSING,), (BAD,), "False", INVALID, THEN),
        ((WAS_MISSING,), (), "True", IN_FORCE, NOW),
        ((UNDATED,), (), "True", IN_FORCE, NOW),
    ],
    ids=["a good range", "a bad range", "another fault", "a remedy", "no time until now"],
)
def test_ready_has_the_reason_and_since_when_its_status_holds(
    was: tuple[Condition, ...], problems: tuple[Problem, ...], status: str, reason: str, since: str
) -> None:
    ready, _ = conditions(PoolStatus(conditions=was), problems, adopted=False, now=NOW)

    assert (ready.type, ready.status, ready.reason) == ("Ready", status, reason)
    assert ready.last_transition_time == since
    assert not problems or ready.message == BAD.message


@pytest.mark.parametrize(
    ("was", "verdict", "status", "reason", "since"),
    [
        ((), True, "True", ADOPTED, NOW),
        ((), False, "False", ADOPTING, NOW),
        ((WAS_ADOPTED,), None, "True", ADOPTED, THEN),
        ((WAS_ADOPTED,), False, "False", ADOPTING, NOW),
    ],
    ids=["all known", "not all known", "a new start does not know better", "some are lost"],
)
def test_adopted_follows_the_verdict_and_stays_until_there_is_one(
    was: tuple[Condition, ...], *, verdict: bool | None, status: str, reason: str, since: str
) -> None:
    _, adopted = conditions(PoolStatus(conditions=was), (), adopted=verdict, now=NOW)

    assert (adopted.type, adopted.status, adopted.reason) == ("Adopted", status, reason)
    assert adopted.last_transition_time == since


@pytest.mark.parametrize(("allocated", "free"), [(0, 2), (1, 1), (2, 0), (3, 0)])
def test_the_free_addresses_of_a_pool_that_shrank_are_never_negative(
    allocated: int, free: int
) -> None:
    pool = Pool("default", (MacRange(MAC, OTHER),))

    status = status_of(pool, allocated, ())

    assert (status.size, status.allocated, status.free) == (2, allocated, free)
