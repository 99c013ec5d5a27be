"""How ours compares with a webhook that does nothing, or writes a constant: pure.

Two questions, of each shape and of each of ours. How many times as long does a whole request take?
That is asked turn by turn: the two lanes stand next to each other in each. And how many times as
much is *added*? What the no-op webhook adds is small, and in a single turn often less than chance,
so nothing can be divided by that: divided are the medians over all turns, and how sure the quotient
is comes from drawing the turns again (bootstrap: Efron 1979, percentiles).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from bench.cells import OURS, SHAPES, Cell, Lane, Shape, Work
from bench.summary import Interval, added_ms, interval, medians, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.results import Batch

T = TypeVar("T")

# Percentiles of 2,000 are steady to a few hundredths.
DRAWS = 2000
_ENOUGH = 2
_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True, slots=True)
class Ratio:
    """One of ours to the webhook `to`: the whole latency, and what is added.

    An added part that cannot be measured (zero or less) makes the quotient 0 above and infinite
    below.
    """

    shape: Shape
    lane: Lane
    to: Lane
    whole: Interval
    added: Interval


def ratios(batches: Sequence[Batch], seed: int) -> list[Ratio]:
    """Compare each of ours in every shape in which it is asked at all."""
    return [
        _ratio(batches, Cell(shape, lane), to, seed)
        for shape in SHAPES
        if shape.work is not Work.EDIT
        for lane in OURS
        for to in (Lane.NO_OP, Lane.CONSTANT)
    ]


def times(above: float, below: float) -> float:
    """Divide what is added by what is added: 0 where nothing is above, infinite where below."""
    if above <= 0:
        return 0.0
    return above / below if below > 0 else inf


def of_medians(
    above: Mapping[int, float], below: Mapping[int, float], seed: int, draws: int = DRAWS
) -> Interval:
    """Divide the medians over all turns, with an interval from drawing the turns again."""

    def quotient(turns: Sequence[int]) -> float:
        return times(median([above[one] for one in turns]), median([below[one] for one in turns]))

    return bootstrap(sorted(above), quotient, seed, draws)


def bootstrap(
    units: Sequence[T],
    figure: Callable[[Sequence[T]], float],
    seed: int,
    draws: int = DRAWS,
    again: Callable[[random.Random, T], T] = lambda _, unit: unit,
) -> Interval:
    """Return the figure of all units, and between what it lies when they are drawn with return.

    `again` draws anew what a unit itself consists of. One unit says nothing of how sure it is.
    """
    if len(units) < _ENOUGH:
        return Interval(figure(units), -inf, inf)
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    drawn = [
        figure([again(chance, unit) for unit in chance.choices(units, k=len(units))])
        for _ in range(draws)
    ]
    return Interval(figure(units), quantile(drawn, _LOW), quantile(drawn, _HIGH))


def _ratio(batches: Sequence[Batch], ours: Cell, to: Lane, seed: int) -> Ratio:
    shape, other = ours.shape, Cell(ours.shape, to)
    whole, base = medians(batches, ours), medians(batches, other)
    return Ratio(
        shape=shape,
        lane=ours.lane,
        to=to,
        whole=interval([whole[turn] / base[turn] for turn in whole]),
        added=of_medians(added_ms(batches, ours), added_ms(batches, other), seed),
    )
