"""Samples become figures."""

import pytest

from bench.cells import Cell, Lane
from bench.summary import interval, quantile, rows
from bench.tests.made import ONE, batch


def test_a_quantile_is_a_value_that_was_measured() -> None:
    thousand = range(1, 1001)

    shares = (0.025, 0.90, 0.975, 0.99)
    assert [quantile(thousand, share) for share in shares] == [25, 900, 975, 990]
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
            batch(1, Lane.STOCK, slow + 5),
            batch(1, Lane.NOT_OPTED_IN, slow + 2),
            batch(2, Lane.STOCK, quick + 5),
            batch(2, Lane.NOT_OPTED_IN, quick + 2),
        ]
    )

    assert found[Cell(ONE, Lane.STOCK)].added_ms.median == 3


def test_rates_and_cpu_time_are_those_of_all_batches_together() -> None:
    found = rows([batch(1, Lane.NOT_OPTED_IN, 4.0, 4.0), batch(2, Lane.NOT_OPTED_IN, 4.0, 8.0)])

    row = found[Cell(ONE, Lane.NOT_OPTED_IN)]
    assert (row.n, row.median_ms, row.p99_ms, row.rate) == (4, 4.0, 8.0, 4.0)
    assert row.cpu_s["etcd"] == pytest.approx(5.0)
