"""What is measured, and in which order: pure.

Law: the four lanes of one shape stand next to each other in every turn, in an order drawn by
chance, so whatever else the machine does is shared by all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

CLIENTS = (1, 8)
INTERFACES = (1, 4)


class Lane(StrEnum):
    """What stands between a pod and its creation; each lane has a namespace of its own."""

    # The baseline: its pods carry the annotation, no webhook selects the namespace.
    NOT_OPTED_IN = "not opted in"
    # Ours selects the namespace; its pods carry the annotation's text under another key.
    NO_ANNOTATION = "no annotation"
    # A webhook on the same server stack that allows everything and changes nothing.
    NO_OP = "no-op webhook"
    # The webhook, synchronous: each address is created inside the request.
    OURS = "ours"

    @property
    def namespace(self) -> str:
        """Where its pods are created."""
        return "bench-" + self.replace(" ", "-")


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """How the load looks: clients at the same time, elements in the annotation."""

    clients: int
    interfaces: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the report."""

    shape: Shape
    lane: Lane


@dataclass(frozen=True, slots=True)
class Effort:
    """How often: `turns` times, `pods` of each cell in a row per turn, by number of clients.

    No further turn begins that would end after `within_s`, but ENOUGH_TURNS are made in any case.
    """

    turns: int
    pods: dict[int, int]
    within_s: float = 240.0


# The fewest from which order statistics give a 95 % interval: 2 x (1/2)^6 < 5 %.
ENOUGH_TURNS = 6


# 20 turns: a 95 % interval from order statistics; 20 x 24 = 480 pods for a p99 at one client. More
# at 8 clients, so that starting and ending together is a small part. About 3 minutes on 2 idle
# cores; on a busy machine the time ends it earlier.
FULL = Effort(turns=20, pods={1: 24, 8: 64})
# A smoke run: every cell is there, no figure means anything.
QUICK = Effort(turns=2, pods={1: 2, 8: 8})

SHAPES = tuple(Shape(*sides) for sides in product(CLIENTS, INTERFACES))


def turn(chance: random.Random) -> Iterator[Cell]:
    """Every cell once."""
    for shape in chance.sample(SHAPES, len(SHAPES)):
        for lane in chance.sample(tuple(Lane), len(Lane)):
            yield Cell(shape, lane)
