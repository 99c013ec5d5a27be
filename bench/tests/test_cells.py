"""The order of a run."""

import random

from bench.cells import SHAPES, Cell, Lane, turn
from bench.pods import pod


def order(seed: int) -> list[Cell]:
    return list(turn(random.Random(seed)))  # noqa: S311 - an order, no secret


def test_a_turn_has_every_cell_once_and_the_lanes_of_a_shape_side_by_side() -> None:
    cells = order(7)

    assert set(cells) == {Cell(shape, lane) for shape in SHAPES for lane in Lane}
    assert len(cells) == len(SHAPES) * len(Lane)
    for first in range(0, len(cells), len(Lane)):
        assert len({cell.shape for cell in cells[first : first + len(Lane)]}) == 1


def test_a_seed_is_an_order() -> None:
    assert order(7) == order(7)
    assert order(7) != order(8)


def test_pods_are_of_a_few_kilobytes_and_as_large_in_every_lane() -> None:
    sizes = [len(pod(lane, 1)) for lane in Lane]

    assert min(sizes) > 3000
    assert max(sizes) < 6000
    assert max(sizes) - min(sizes) < 10
