"""Statistics."""

from dataclasses import astuple
from math import inf
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import (
    Interval,
    added_ms,
    bootstrap,
    interval,
    merged,
    quantile,
    quotient,
    ratios,
)

MS = st.floats(min_value=0.01, max_value=1000, allow_nan=False)
FEW = 25  # draws

OURS = {1: [12.0, 12.0], 2: [120.0], 3: [24.0]}
PLAIN = {3: [20.0], 2: [100.0], 1: [10.0, 10.0]}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (range(1, 1001), 0.025, 25),
        (range(1, 1001), 0.9, 900),
        (range(1, 1001), 0.99, 990),
        ([7.0], 0.99, 7.0),
    ],
)
def test_a_quantile_is_a_measured_value(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(1, 21), Interval(10.5, 6, 15)),
        (range(1, 13), Interval(6.5, 3, 10)),
        ([3.0, 1.0], Interval(2.0, 1.0, 3.0)),
    ],
)
def test_an_interval_comes_from_order_statistics(values: list[float], expected: Interval) -> None:
    assert interval(values) == expected


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [(3, 2, 1.5), (0, 2, 0), (-1, 2, 0), (-1, -1, 0), (3, 0, inf), (3, -1, inf)],
)
def test_a_quotient_of_nothing_is_zero_or_infinite(
    above: float, below: float, expected: float
) -> None:
    assert quotient(above, below) == expected


def test_turns_of_the_same_number_are_compared() -> None:
    assert ratios(OURS, PLAIN) == pytest.approx([1.2] * 3)
    assert added_ms(OURS, PLAIN) == pytest.approx([2.0, 20.0, 4.0])
    assert ratios(OURS, {1: [10.0]}) == [1.2]
    assert merged(OURS) == [12.0, 12.0, 120.0, 24.0]


@given(st.lists(MS, min_size=2, max_size=12), st.integers())
def test_a_bootstrap_interval_is_ordered_and_the_seed_repeats_it(
    units: list[float], seed: int
) -> None:
    found = bootstrap(units, max, seed, FEW)

    assert found == bootstrap(units, max, seed, FEW)
    assert min(units) <= found.low <= found.high <= max(units) == found.median


@given(st.lists(MS, min_size=2, max_size=12), st.floats(min_value=0.1, max_value=50))
def test_the_unit_of_time_does_not_change_the_quotient(ms: list[float], unit: float) -> None:
    def times(units: list[float]) -> Interval:
        return bootstrap(units, lambda drawn: median(drawn) / median(units), 1, FEW)

    assert astuple(times([value * unit for value in ms])) == pytest.approx(astuple(times(ms)))


def test_more_units_give_a_smaller_interval_and_one_unit_gives_none() -> None:
    def width(units: int) -> float:
        found = bootstrap([10.0 + unit % 7 for unit in range(units)], median, 1, 200)
        return found.high - found.low

    assert width(70) < width(7)
    assert bootstrap([1.5], median, 1) == Interval(1.5, -inf, inf)
