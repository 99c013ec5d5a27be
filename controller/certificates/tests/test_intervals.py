"""Go durations and the four variables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.certificates.intervals import LEAST_OVERLAP, BadInterval, Intervals, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8760h0m0s", timedelta(hours=8760)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(hours=1, minutes=30)),
        (".5s", timedelta(milliseconds=500)),
        ("5.s", timedelta(seconds=5)),
        ("0", timedelta()),
        ("-1m", timedelta(minutes=-1)),
        ("+1m", timedelta(minutes=1)),
        ("1m1h", timedelta(hours=1, minutes=1)),
        ("10ms10us", timedelta(microseconds=10010)),
        ("10µs", timedelta(microseconds=10)),
        ("10μs", timedelta(microseconds=10)),
        ("1999ns", timedelta(microseconds=2)),
    ],
)
def test_every_duration_that_go_parses_is_parsed(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " 1h", "1h ", "1", "1.h.", ".h", "h", "1d", "1h,30m", "1H", "--1h", "1e3s", "٣h", "1h\n"],
)
def test_every_duration_that_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Go duration"):
        parse_duration(text)


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_longest_duration_is_that_of_go(sign: str) -> None:
    assert parse_duration(f"{sign}2562047h47m16s")  # 2**63 ns are 0.85 s longer

    for longer in ("2562047h47m17s", "2562048h", "9" * 400 + "h", "9" * 17 + "h"):
        with pytest.raises(ValueError, match="longer than 292 years"):
            parse_duration(sign + longer)


@given(st.integers(0, 876_000), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_of_a_century_are_read_exactly(h: int, m: int, s: int) -> None:
    assert parse_duration(f"{h}h{m}m{s}s") == timedelta(hours=h, minutes=m, seconds=s)


DEFAULTS = Intervals(
    ca_rotate=timedelta(days=365),
    ca_overlap=timedelta(days=365),
    cert_rotate=timedelta(hours=4380),
    cert_overlap=timedelta(days=1),
)
TEN_HOURS, TWO_SECONDS = timedelta(hours=10), timedelta(seconds=2)


@pytest.mark.parametrize(
    ("environ", "read"),
    [
        ({}, DEFAULTS),
        (
            {"CA_ROTATE_INTERVAL": "10h"},
            replace(DEFAULTS, ca_rotate=TEN_HOURS, ca_overlap=TEN_HOURS),
        ),
        ({"CA_OVERLAP_INTERVAL": "10h"}, replace(DEFAULTS, ca_overlap=TEN_HOURS)),
        ({"CERT_ROTATE_INTERVAL": "1001ms"}, replace(DEFAULTS, cert_rotate=TWO_SECONDS)),
        ({"CERT_OVERLAP_INTERVAL": "0"}, replace(DEFAULTS, cert_overlap=timedelta())),
        (
            {
                "CA_ROTATE_INTERVAL": "4s",
                "CA_OVERLAP_INTERVAL": "3s",
                "CERT_ROTATE_INTERVAL": "2s",
                "CERT_OVERLAP_INTERVAL": "0",
            },
            Intervals(
                ca_rotate=timedelta(seconds=4),
                ca_overlap=timedelta(seconds=3),
                cert_rotate=TWO_SECONDS,
                cert_overlap=timedelta(),
            ),
        ),
    ],
    ids=[
        *("the defaults", "an overlap as long as the life of the CA", "another overlap of the CA"),
        *("a fraction is rounded up", "no overlap", "all four"),
    ],
)
def test_each_variable_is_read_or_has_its_documented_default(
    environ: dict[str, str], read: Intervals
) -> None:
    assert Intervals.read(environ) == read


def test_a_short_overlap_is_raised_to_the_minimum_that_leaves_no_gap() -> None:
    short = Intervals.read({"CA_OVERLAP_INTERVAL": "1s", "CERT_OVERLAP_INTERVAL": "0"})

    assert short.ca_life == short.ca_rotate + LEAST_OVERLAP
    assert short.cert_life == short.cert_rotate + LEAST_OVERLAP
    assert Intervals().ca_life == timedelta(days=730)
    assert Intervals().cert_life == timedelta(hours=4404)


@pytest.mark.parametrize(
    ("name", "value", "why", "example"),
    [
        ("CA_ROTATE_INTERVAL", "1y", "not a Go duration", "8760h0m0s"),
        ("CA_ROTATE_INTERVAL", "0", "it must be at least 1s", "8760h0m0s"),
        ("CA_OVERLAP_INTERVAL", "-1s", "it must be at least 0s", "8760h0m0s"),
        ("CERT_ROTATE_INTERVAL", "999ms", "it must be at least 1s", "4380h0m0s"),
        ("CERT_ROTATE_INTERVAL", "-4380h", "it must be at least 1s", "4380h0m0s"),
        ("CERT_OVERLAP_INTERVAL", "", "not a Go duration", "24h0m0s"),
    ],
)
def test_a_bad_value_is_named_with_an_example(
    name: str, value: str, why: str, example: str
) -> None:
    with pytest.raises(BadInterval) as caught:
        Intervals.read({name: value})

    assert str(caught.value) == f'{name}="{value}": {why}; write, for example, {name}={example}'
