"""One revision in times of another: pure.

Law: nothing is compared across blocks but what was first divided by the same block's no-op lane, so
that a machine that is slower for a while is slower for both. How sure that is comes from drawing
again the pairs of blocks, one of each revision side by side, and the turns of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.cells import OURS, SHAPES, Cell, Lane, Shape, Work
from bench.ratios import DRAWS, bootstrap, times
from bench.summary import added_ms, medians

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

    from bench.results import Batch
    from bench.summary import Interval

    Block = Sequence[Batch]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two blocks side by side, one of each revision."""

    base: Block
    head: Block


@dataclass(frozen=True, slots=True)
class Change:
    """The head in times of the base: below 1 it takes less.

    `whole` is of the latency, and `added` of what one of ours adds to a namespace that has not
    opted in; both are first put in times of the no-op webhook's latency in the same block.
    """

    shape: Shape
    lane: Lane
    whole: Interval
    added: Interval


def order(pairs: int) -> list[tuple[int, bool]]:
    """Return which pair each block belongs to, and whether it is the head's: A B B A A B ..."""
    return [(pair, bool(pair % 2) != second) for pair in range(pairs) for second in (False, True)]


def changes(pairs: Sequence[Pair], seed: int, draws: int = DRAWS) -> list[Change]:
    """Compare each of ours in every shape in which it is asked at all."""
    cells = [Cell(shape, lane) for shape in SHAPES if shape.work is not Work.EDIT for lane in OURS]
    return [
        Change(
            cell.shape,
            cell.lane,
            whole=_quotient([_each(pair, cell, _whole) for pair in pairs], seed, draws),
            added=_quotient([_each(pair, cell, _added) for pair in pairs], seed, draws),
        )
        for cell in cells
    ]


def _each(
    pair: Pair, ours: Cell, figures: Callable[[Block, Cell], list[float]]
) -> tuple[list[float], list[float]]:
    return figures(pair.head, ours), figures(pair.base, ours)


def _quotient(pairs: Sequence[tuple[list[float], list[float]]], seed: int, draws: int) -> Interval:
    """Divide the head's median over all turns by the base's."""

    def quotient(drawn: Sequence[tuple[list[float], list[float]]]) -> float:
        heads, bases = zip(*drawn, strict=True)
        return times(_median(heads), _median(bases))

    def again(
        chance: random.Random, pair: tuple[list[float], list[float]]
    ) -> tuple[list[float], list[float]]:
        head, base = (chance.choices(turns, k=len(turns)) for turns in pair)
        return head, base

    return bootstrap(pairs, quotient, seed, draws, again)


def _whole(block: Block, ours: Cell) -> list[float]:
    noop = medians(block, Cell(ours.shape, Lane.NO_OP))
    return [ms / noop[turn] for turn, ms in medians(block, ours).items()]


def _added(block: Block, ours: Cell) -> list[float]:
    noop = median(medians(block, Cell(ours.shape, Lane.NO_OP)).values())
    return [ms / noop for ms in added_ms(block, ours).values()]


def _median(lists: Iterable[list[float]]) -> float:
    return median(figure for one in lists for figure in one)
