"""The order of a run."""

import random
from itertools import groupby

from bench.cells import CELLS, SHAPES, Cell, Lane, Work, turn
from bench.machines import machine
from bench.pods import pod


def order(seed: int) -> list[Cell]:
    return list(turn(random.Random(seed)))  # noqa: S311 - an order, no secret


def test_a_turn_has_every_cell_once_and_the_lanes_of_a_shape_side_by_side() -> None:
    cells = order(7)

    assert len(cells) == len(set(cells))
    assert set(cells) == set(CELLS)
    assert [shape for shape, _ in groupby(cells, lambda cell: cell.shape)] == list(
        dict.fromkeys(cell.shape for cell in cells)
    )


def test_only_pods_have_a_lane_without_the_annotation() -> None:
    lanes = {shape.work: set(shape.lanes) for shape in SHAPES}

    assert lanes.pop(Work.POD) == set(Lane)
    assert all(own == set(Lane) - {Lane.NO_ANNOTATION} for own in lanes.values())


def test_a_seed_is_an_order() -> None:
    assert order(7) == order(7)
    assert order(7) != order(8)


def test_pods_are_of_a_few_kilobytes_and_as_large_in_every_lane() -> None:
    sizes = [len(pod(lane, 1)) for lane in Lane]

    assert min(sizes) > 3000
    assert max(sizes) < 6000
    assert max(sizes) - min(sizes) < 10


def test_vms_are_of_a_few_kilobytes() -> None:
    assert 1500 < len(machine(2)) < 4000
