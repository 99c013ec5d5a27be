"""API servers trust the pair that is served: in rotations, after crashes, after edits by people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.certificates.bundles import parse
from controller.certificates.intervals import Intervals
from controller.certificates.issuing import Pair, issue_authority, issue_serving
from controller.certificates.tests.cluster_of_certificates import (
    EVERY_S,
    GARBAGE,
    LAG_S,
    NOW,
    WEBHOOK_LAG_S,
    Cluster,
)
from crds.names import NAMESPACE

YEARS = Intervals()
FOREIGN = issue_authority(NOW, YEARS)
# The longest repair after a disturbance: one wait, and a few looks with their pauses.
_SETTLES_S = LAG_S + 15


def seconds(ca: int, ca_overlap: int, cert: int, cert_overlap: int) -> Intervals:
    return Intervals(
        ca_rotate=timedelta(seconds=ca),
        ca_overlap=timedelta(seconds=ca_overlap),
        cert_rotate=timedelta(seconds=cert),
        cert_overlap=timedelta(seconds=cert_overlap),
    )


Event = Callable[[Cluster], None]


def _lose_key(cluster: Cluster) -> None:
    certificate = cluster.found.authority.certificate if cluster.found.authority else b""
    cluster.write_authority(Pair(certificate, b"garbage"))


def _serve(
    cluster: Cluster, namespace: str = NAMESPACE, *, age: timedelta = timedelta(), by: Pair | None
) -> None:
    """Write a serving pair that is signed `by` a CA, None: by the current one if it can sign."""
    authority = cluster.found.authority
    signer = by or (authority if authority and authority.key != GARBAGE.key else FOREIGN)
    cluster.write_serving(issue_serving(signer, namespace, cluster.now - age, YEARS))


# Disturbances without effect: the served pair stays trusted.
QUIET: dict[str, Event] = {
    "nothing": lambda _: None,
    "crash": Cluster.crash,
    "delete authority": lambda cluster: cluster.write_authority(None),
    "lose key": _lose_key,
    "delete serving": lambda cluster: cluster.write_serving(None),
    "spoil serving": lambda cluster: cluster.write_serving(GARBAGE),
    "forget signer": Cluster.forget_signer,
    "add foreign": lambda cluster: cluster.write_bundle(cluster.known[-1][1] + FOREIGN.certificate),
}
# Disturbances that stop admission, and must be repaired.
LOUD: dict[str, Event] = {
    "empty bundle": lambda cluster: cluster.write_bundle(b""),
    "wrong names": lambda cluster: _serve(cluster, "elsewhere", by=None),
    "expired": lambda cluster: _serve(cluster, age=YEARS.cert_life, by=None),
    "strangers": lambda cluster: _serve(cluster, by=FOREIGN),
}
JUMPS: dict[str, Event] = {
    "jump ahead": lambda cluster: cluster.jump(timedelta(days=800)),
    "jump back": lambda cluster: cluster.jump(timedelta(days=-800)),
}
EVENTS = QUIET | LOUD | JUMPS


def disturb(cluster: Cluster, events: list[str], apart_s: int) -> None:
    """Apply the events, and wake the controller."""
    for event in events:
        EVENTS[event](cluster)
        if event in LOUD:
            cluster.checked_from_s = cluster.at_s + _SETTLES_S + WEBHOOK_LAG_S
        if event in JUMPS:  # no event, but the controller looks every EVERY_S
            cluster.checked_from_s = cluster.at_s + EVERY_S + _SETTLES_S + WEBHOOK_LAG_S
        elif event != "crash":
            cluster.wakes_s = min(cluster.wakes_s, cluster.at_s + cluster.pause_s)
        cluster.pass_time(apart_s)


_SPANS = st.integers(1, 90)
_INTERVALS = st.builds(seconds, _SPANS, _SPANS, _SPANS, _SPANS)
_PAUSES = st.integers(0, 2)


Story = list[tuple[int, list[str], int]]  # delay, events, time between them


def _stories(*events: str) -> st.SearchStrategy[Story]:
    """Up to six disturbances.

    The shortest intervals leave room for one disturbance at a time: each can be repaired.
    """
    some = st.lists(st.sampled_from(events), min_size=1, max_size=2)
    return st.lists(st.tuples(st.integers(45, 120), some, st.integers(0, 3)), max_size=6)


def _lived(intervals: Intervals, pause_s: int, story: Story) -> Cluster:
    """Return an installed cluster after all of `story`."""
    cluster = Cluster(intervals, pause_s)
    cluster.install()
    for after_s, events, apart_s in story:
        cluster.pass_time(after_s)
        disturb(cluster, events, apart_s)
    return cluster


@settings(max_examples=2 * settings().max_examples // 5)  # keys are generated
@given(_INTERVALS, _PAUSES, _stories(*QUIET))
def test_no_api_server_meets_a_pair_that_it_does_not_trust(
    intervals: Intervals, pause_s: int, story: Story
) -> None:
    _lived(intervals, pause_s, story).pass_time(100)


@settings(max_examples=2 * settings().max_examples // 5)
@given(_INTERVALS | st.just(YEARS), _PAUSES, _stories(*EVENTS))
def test_every_disturbance_that_stops_admission_is_repaired(
    intervals: Intervals, pause_s: int, story: Story
) -> None:
    cluster = _lived(intervals, pause_s, story)

    cluster.pass_time(EVERY_S + _SETTLES_S + WEBHOOK_LAG_S + 100)

    assert cluster.checked_from_s < cluster.at_s


@pytest.mark.parametrize("writes", [1, 2, 3])
@pytest.mark.parametrize(
    "events",
    [
        *([event] for event in (*QUIET, *LOUD)),
        ["delete authority", "delete serving"],
        ["delete authority", "empty bundle"],
    ],
    ids=", ".join,
)
def test_a_controller_can_crash_after_any_write(events: list[str], writes: int) -> None:
    cluster = Cluster(YEARS)
    cluster.install()
    cluster.dies_after = cluster.writes + writes

    disturb(cluster, events, 0)
    cluster.pass_time(3 * _SETTLES_S)

    assert cluster.checked_from_s < cluster.at_s
    assert cluster.found.serving
    assert cluster.found.authority


@pytest.mark.parametrize(
    ("intervals", "least"),
    [
        (seconds(1, 1, 1, 1), 10),
        (seconds(12, 12, 5, 1), 9),
        (seconds(30, 10, 300, 1), 3),
    ],
)
def test_seconds_are_followed_as_fast_as_is_safe(intervals: Intervals, least: int) -> None:
    cluster = Cluster(intervals)
    cluster.install()

    cluster.pass_time(120)

    assert cluster.authorities - 1 >= least
    most = -(-120 // max(LAG_S, intervals.ca_rotate.seconds))
    assert cluster.authorities - 1 <= most


def test_with_years_nothing_is_written_for_half_a_year() -> None:
    cluster = Cluster(YEARS)
    cluster.install()
    cluster.pass_time(1)
    writes = cluster.writes

    cluster.jump(YEARS.cert_rotate - timedelta(minutes=2))
    cluster.pass_time(110)
    assert cluster.writes == writes
    cluster.pass_time(20)

    assert cluster.writes == writes + 1


def test_the_caBundle_holds_both_for_the_overlap_and_then_one() -> None:  # noqa: N802
    intervals = seconds(1000, 200, 5000, 1)
    cluster = Cluster(intervals)
    cluster.install()
    first = cluster.known[-1][1]

    cluster.pass_time(1002)
    both = cluster.known[-1][1]
    cluster.pass_time(197)
    still = cluster.known[-1][1]
    cluster.pass_time(4)

    assert both == still
    assert parse(first)[0] < parse(both)[0]
    assert parse(cluster.known[-1][1])[0] == parse(both)[0] - parse(first)[0]
