"""Figures beside what was asked for."""

import pytest

from bench.cells import Lane
from bench.ratios import ratios
from bench.summary import Interval, rows
from bench.targets import Met, Target, targets
from bench.tests.made import ONE, results


@pytest.mark.parametrize(
    ("low", "high", "met"),
    [(1.0, 1.3, Met.YES), (1.0, 1.4, Met.YES), (1.0, 1.5, Met.OPEN), (1.5, 2.0, Met.NO)],
)
def test_a_target_is_met_or_missed_by_the_whole_interval(low: float, high: float, met: Met) -> None:
    figure = Interval(1.2, low, high)

    assert Target(ONE, Lane.STOCK, figure, 1.4, "times").met is met


@pytest.mark.parametrize(
    ("low", "high", "met"), [(-1.0, 2.0, Met.UNSEEN), (-2.0, -1.0, Met.UNSEEN), (0.5, 2.0, Met.NO)]
)
def test_what_should_add_nothing_fails_where_the_whole_interval_is_above_nothing(
    low: float, high: float, met: Met
) -> None:
    figure = Interval(0.0, low, high)

    assert Target(ONE, Lane.NO_ANNOTATION, figure, 0.0, "ms").met is met


def test_the_stock_has_targets_at_1_and_8_clients_and_pods_without_the_annotation_at_all() -> None:
    run = results()

    found = targets(rows(run.batches), ratios(run.batches, run.seed))

    load = [(one.lane, one.shape.clients, one.shape.interfaces, one.most) for one in found]
    stock, plain = Lane.STOCK, Lane.NO_ANNOTATION
    of_stock = [(stock, 1, 1, 1.4), (stock, 1, 4, 1.6), (stock, 8, 1, 1.4), (stock, 8, 4, 1.6)]
    assert load[:8] == of_stock * 2
    assert [one.unit for one in found[:8:4]] == [
        "times the no-op webhook",
        "times the constant patch",
    ]
    assert load[8:] == [(plain, clients, n, 0) for clients in (1, 8, 16) for n in (1, 4)]
    assert [one.met for one in found] == [Met.YES] * 8 + [Met.UNSEEN] * 6
