"""The order of a run."""

import random
from itertools import groupby

from bench.cells import CELLS, SHAPES, SUSTAINED, Cell, Lane, Work, turn
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
    pods = {shape.lanes for shape in SHAPES if shape.work is Work.POD}
    others = {shape.lanes for shape in SHAPES if shape.work is not Work.POD}

    assert pods == {tuple(Lane)}
    assert others == {tuple(one for one in Lane if one is not Lane.NO_ANNOTATION)}


def test_pods_and_vms_are_created_by_1_8_and_16_clients() -> None:
    for work in (Work.POD, Work.VM):
        assert {shape.clients for shape in SHAPES if shape.work is work} == {1, 8, 16}


def test_no_two_lanes_share_a_namespace() -> None:
    namespaces = {(cell.namespace, cell.lane) for cell in CELLS} | set(SUSTAINED.items())

    assert len({name for name, _ in namespaces}) == len(namespaces)


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
