"""The plan of the latency experiment, and its ratios and targets."""

import random
from dataclasses import astuple
from itertools import groupby

import pytest

from bench import objects
from bench.figures import Interval
from bench.latency.plan import SHAPES, SUSTAINED, Cell, turn
from bench.latency.requests import Ratio, Requests, nothing_target, times_target
from bench.latency.sustained import Run, Sustained
from bench.ledger import Writes
from bench.report import Report
from bench.tests.made import ONE, requests
from bench.variants import OURS, Variant


def order(seed: int) -> list[Cell]:
    return list(turn(random.Random(seed)))  # noqa: S311 - an order, not a secret


def to_noop(run: Requests) -> dict[Variant, Ratio]:
    return {
        ratio.variant: ratio
        for ratio in run.ratios()
        if (ratio.shape, ratio.to) == (ONE, Variant.NO_OP)
    }


def test_a_turn_has_every_cell_once_and_the_variants_of_a_shape_follow_each_other() -> None:
    cells = order(7)

    assert len(cells) == len(set(cells)) == sum(len(shape.variants) for shape in SHAPES)
    assert len([*groupby(cells, lambda cell: cell.shape)]) == len(SHAPES)
    assert cells == order(7) != order(8)


def test_each_variant_has_its_own_namespaces_and_only_a_plain_one_has_no_label() -> None:
    assert len({variant.namespace("pods") for variant in Variant}) == len(Variant)
    assert [variant for variant in Variant if not variant.labels] == [Variant.NOT_OPTED_IN]


def test_pods_and_vms_have_the_usual_size_with_and_without_the_annotation() -> None:
    sizes = [len(objects.pod(1, annotated=annotated)) for annotated in (True, False)]

    assert 3000 < min(sizes) <= max(sizes) < 6000
    assert max(sizes) - min(sizes) < 10
    assert 1500 < len(objects.vm(2)) < 4000


def test_whole_latencies_are_compared_in_each_turn_and_added_ones_by_their_medians() -> None:
    whole = to_noop(requests(host=lambda turn: 10.0 if turn % 2 else 1000.0))
    added = to_noop(requests(host=float))

    assert whole[Variant.SYNCHRONOUS].whole.low == pytest.approx(1012 / 1002)
    assert whole[Variant.SYNCHRONOUS].whole.high == pytest.approx(22 / 12)
    assert astuple(added[Variant.STOCK].added) == pytest.approx((1.25, 1.25, 1.25))
    assert astuple(added[Variant.SYNCHRONOUS].added) == pytest.approx((6, 6, 6))


def test_both_of_our_variants_have_a_ratio_in_every_shape() -> None:
    others = (Variant.NO_OP, Variant.CONSTANT)
    expected = [(shape, ours, to) for shape in SHAPES for ours in OURS for to in others]

    assert [(ratio.shape, ratio.variant, ratio.to) for ratio in requests().ratios()] == expected


@pytest.mark.parametrize(
    ("low", "high", "times", "nothing"),
    [
        (1.0, 1.4, "met", "missed"),
        (1.0, 1.5, "undecided", "missed"),
        (1.5, 2.0, "missed", "missed"),
        (-1.0, 2.0, "undecided", "nothing seen"),
        (-2.0, -1.0, "met", "nothing seen"),
    ],
)
def test_the_whole_interval_decides_about_a_target(
    low: float, high: float, times: str, nothing: str
) -> None:
    figure = Interval(1.2, low, high)

    assert times_target("x", figure, 1.4).verdict == times
    assert nothing_target("x", figure).verdict == nothing


def test_the_stock_has_targets_and_so_have_pods_without_the_annotation() -> None:
    found = requests().targets()

    assert [(goal.wanted, goal.verdict) for goal in found] == [
        *[("<= 1.4 x", "met"), ("<= 1.4 x", "met"), ("<= 1.6 x", "met"), ("<= 1.6 x", "met")] * 2,
        *[("0 ms", "nothing seen")] * 4,
    ]


def test_a_report_has_a_row_for_every_cell() -> None:
    writes = Writes(pods=100, created=100, updated=100, deleted=100, spare=50)
    runs = [Run(variant, 10.0, [12.0] * 100, 61.0, {"etcd": 1.0}, writes) for variant in SUSTAINED]
    text = Report([requests(), Sustained(runs, {"etcd": 0.3})], {}).markdown()

    for shape in SHAPES:
        for variant in shape.variants:
            assert f"| {' | '.join(shape.row(variant))} | 24 | " in text
    for variant in SUSTAINED:
        assert f"| {variant} | 100 | 10.0 | 12.00 | 12.00 | 61 |" in text
    assert "| stock | 10.00 | 10.00 | 1.00 | 1.00 | 1.00 | 0.50 |" in text
