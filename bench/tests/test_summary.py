"""Samples become figures."""

import pytest

from bench.cells import Cell, Lane, Shape, Work
from bench.measure import Batch
from bench.summary import interval, quantile, ratio, rows

ONE = Shape(Work.POD, clients=1, interfaces=1)


def batch(turn: int, lane: Lane, *latencies_ms: float) -> Batch:
    return Batch(turn, Cell(ONE, lane), latencies_ms, seconds=0.5, cpu_s={"etcd": 0.01})


def test_a_quantile_is_a_value_that_was_measured() -> None:
    hundred = range(1, 101)

    assert [quantile(hundred, share) for share in (0.90, 0.99)] == [90, 99]
    assert quantile([7.0], 0.99) == 7.0


def test_an_interval_of_20_differences_goes_from_the_6th_to_the_15th() -> None:
    found = interval(range(1, 21))

    assert (found.median, found.low, found.high) == (10.5, 6, 15)


def test_an_interval_of_few_differences_is_all_of_them() -> None:
    found = interval([3.0, 1.0])

    assert (found.low, found.high) == (1.0, 3.0)


def test_what_is_added_is_the_difference_within_a_turn_whatever_the_turns_have_in_common() -> None:
    slow, quick = 100.0, 0.0

    found = rows(
        [
            batch(1, Lane.OURS, slow + 5),
            batch(1, Lane.NOT_OPTED_IN, slow + 2),
            batch(2, Lane.OURS, quick + 5),
            batch(2, Lane.NOT_OPTED_IN, quick + 2),
        ]
    )

    assert found[Cell(ONE, Lane.OURS)].added_ms.median == 3


def test_ours_is_compared_with_the_no_op_webhook_of_the_same_turn() -> None:
    found = ratio(
        [
            batch(1, Lane.OURS, 30.0),
            batch(1, Lane.NO_OP, 10.0),
            batch(2, Lane.NO_OP, 100.0),
            batch(2, Lane.OURS, 200.0),
            batch(3, Lane.OURS, 40.0),
            batch(3, Lane.NO_OP, 10.0),
        ],
        ONE,
    )

    assert (found.median, found.low, found.high) == (3.0, 2.0, 4.0)


def test_rates_and_cpu_time_are_those_of_all_batches_together() -> None:
    found = rows([batch(1, Lane.NOT_OPTED_IN, 4.0, 4.0), batch(2, Lane.NOT_OPTED_IN, 4.0, 8.0)])

    row = found[Cell(ONE, Lane.NOT_OPTED_IN)]
    assert (row.n, row.median_ms, row.p99_ms, row.rate) == (4, 4.0, 8.0, 4.0)
    assert row.cpu_s["etcd"] == pytest.approx(5.0)
