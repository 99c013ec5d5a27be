"""What was asked for, beside what was found: pure. Nothing fails for it, a reader judges."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bench.cells import SHAPES, Cell, Lane, Shape, Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.ratios import Ratio
    from bench.summary import Interval, Row

# How many times as much as the no-op webhook the stock may add: by clients and interfaces of a pod.
_TIMES = {(1, 1): 1.4, (8, 1): 1.4, (1, 4): 1.6, (8, 4): 1.6}


class Met(StrEnum):
    """How a figure stands to its target: by its interval, not by its middle."""

    YES = "met"
    NO = "missed"
    OPEN = "undecided"
    # Of what should add nothing: no measurement shows that, but one can show the contrary.
    UNSEEN = "nothing seen"


@dataclass(frozen=True, slots=True)
class Target:
    """One figure, of ms added or of times another webhook's, and the most that it should be."""

    shape: Shape
    lane: Lane
    figure: Interval
    most: float
    unit: str

    @property
    def met(self) -> Met:
        """Whether the whole interval is within it, or beyond."""
        if not self.most:
            return Met.UNSEEN if self.figure.low <= 0 else Met.NO
        if self.figure.high <= self.most:
            return Met.YES
        return Met.NO if self.figure.low > self.most else Met.OPEN


def targets(rows: Mapping[Cell, Row], found: Iterable[Ratio]) -> list[Target]:
    """Return every target, in the order of the report."""
    stock = {(one.shape, one.to): one for one in found if one.lane is Lane.STOCK}
    pods = [shape for shape in SHAPES if shape.work is Work.POD]
    plain = [Cell(shape, Lane.NO_ANNOTATION) for shape in pods]
    return [
        *(
            Target(shape, Lane.STOCK, stock[shape, to].added, _TIMES[load], f"times the {to}")
            for to in (Lane.NO_OP, Lane.CONSTANT)
            for shape in pods
            if (load := (shape.clients, shape.interfaces)) in _TIMES
        ),
        *(Target(cell.shape, cell.lane, rows[cell].added_ms, 0.0, "ms") for cell in plain),
    ]
