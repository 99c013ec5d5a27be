"""Ours, in times of a webhook that does nothing."""

from dataclasses import astuple
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cells import SHAPES, Lane, Work
from bench.ratios import Ratio, bootstrap, of_medians, ratios, times
from bench.results import Results
from bench.summary import Interval
from bench.tests.made import ONE, results

TURNS = st.integers(min_value=2, max_value=12)
MS = st.floats(min_value=0.01, max_value=1000, allow_nan=False)
# The bootstrap draws 2,000 times for each example.
FEW = 25


@st.composite
def by_turn(draw: st.DrawFn) -> dict[int, float]:
    return {turn: draw(MS) for turn in range(1, draw(TURNS) + 1)}


def to_the_noop(run: Results) -> dict[Lane, Ratio]:
    found = [one for one in ratios(run.batches, run.seed) if one.shape == ONE]
    return {one.lane: one for one in found if one.to is Lane.NO_OP}


def test_one_turn_says_nothing_of_how_sure_it_is() -> None:
    assert of_medians({1: 3.0}, {1: 2.0}, seed=1) == Interval(1.5, -inf, inf)


def test_the_whole_latency_is_compared_within_each_turn() -> None:
    run = results(turns=6, machine=lambda turn: 10.0 if turn % 2 else 1000.0)

    found = to_the_noop(run)

    whole = found[Lane.SYNCHRONOUS].whole
    assert whole.low == pytest.approx(1012 / 1002)
    assert whole.high == pytest.approx(22 / 12)


def test_what_is_added_is_compared_by_the_medians_over_the_run() -> None:
    run = results(turns=6, machine=float)

    found = to_the_noop(run)

    assert astuple(found[Lane.STOCK].added) == pytest.approx((1.25, 1.25, 1.25))
    assert astuple(found[Lane.SYNCHRONOUS].added) == pytest.approx((6, 6, 6))


def test_every_shape_in_which_a_webhook_is_asked_has_a_ratio_for_either_of_ours() -> None:
    found = [(one.shape, one.lane, one.to) for one in ratios(results().batches, 1)]

    asked = [shape for shape in SHAPES if shape.work is not Work.EDIT]
    lanes = (Lane.SYNCHRONOUS, Lane.STOCK)
    others = (Lane.NO_OP, Lane.CONSTANT)
    assert found == [(shape, lane, to) for shape in asked for lane in lanes for to in others]


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [(3, 2, 1.5), (0, 2, 0), (-1, 2, 0), (-1, -1, 0), (3, 0, inf), (3, -1, inf)],
)
def test_what_adds_nothing_is_nothing_and_divides_nothing(
    above: float, below: float, expected: float
) -> None:
    assert times(above, below) == expected


@given(by_turn(), st.floats(min_value=0.1, max_value=50))
def test_what_is_so_many_times_the_other_in_every_turn_is_so_surely(
    below: dict[int, float], factor: float
) -> None:
    above = {turn: ms * factor for turn, ms in below.items()}

    found = of_medians(above, below, seed=1, draws=FEW)

    assert astuple(found) == pytest.approx((factor, factor, factor))


@given(by_turn(), by_turn(), st.floats(min_value=0.1, max_value=50))
def test_the_unit_of_time_does_not_matter(
    first: dict[int, float], second: dict[int, float], unit: float
) -> None:
    turns = first.keys() & second.keys()
    above, below = ({turn: one[turn] for turn in turns} for one in (first, second))

    here = of_medians(above, below, seed=1, draws=FEW)
    there = of_medians(
        {turn: ms * unit for turn, ms in above.items()},
        {turn: ms * unit for turn, ms in below.items()},
        seed=1,
        draws=FEW,
    )

    assert astuple(there) == pytest.approx(astuple(here))


@given(st.lists(MS, min_size=2, max_size=12), st.integers())
def test_an_interval_is_ordered_lies_within_the_units_and_a_seed_repeats_it(
    units: list[float], seed: int
) -> None:
    found = bootstrap(units, max, seed, draws=FEW)

    assert found == bootstrap(units, max, seed, draws=FEW)
    assert min(units) <= found.low <= found.high <= max(units) == found.median


def test_an_interval_is_narrower_the_more_turns_there_are() -> None:
    def width(turns: int) -> float:
        above = {turn: 10.0 + turn % 7 for turn in range(turns)}
        found = of_medians(above, dict.fromkeys(above, 1.0), seed=1)
        return found.high - found.low

    assert width(70) < width(7)
