"""Statistics: from latencies to medians, intervals and quotients. Pure."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb, inf
from statistics import median
from typing import TypeVar

T = TypeVar("T")
# The latencies of one variant, in ms, by the number of the turn.
ByTurn = Mapping[int, Sequence[float]]

# The percentiles of 2,000 draws vary by a few hundredths.
DRAWS = 2000
_OUTSIDE = 0.05  # a 95 % interval
_ENOUGH_UNITS = 2


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and its 95 % confidence interval."""

    median: float
    low: float
    high: float

    def times(self) -> tuple[str, str]:
        """Write a quotient and its interval."""
        return f"{self.median:.2f}", f"{self.low:.2f} .. {self.high:.2f}"

    def signed(self) -> tuple[str, str]:
        """Write a difference and its interval."""
        return f"{self.median:+.2f}", f"{self.low:+.2f} .. {self.high:+.2f}"


def merged(turns: ByTurn) -> list[float]:
    """Return the latencies of all turns."""
    return [ms for latencies_ms in turns.values() for ms in latencies_ms]


def medians(turns: ByTurn) -> dict[int, float]:
    """Return the median of each turn."""
    return {turn: median(latencies_ms) for turn, latencies_ms in turns.items()}


def ratios(turns: ByTurn, base: ByTurn) -> list[float]:
    """Divide the median of each turn by that of the same turn in `base`.

    The host does the same other work in both, so it does not change the ratio.
    """
    below = medians(base)
    return [ms / below[turn] for turn, ms in medians(turns).items() if turn in below]


def added_ms(turns: ByTurn, base: ByTurn) -> list[float]:
    """Subtract from the median of each turn that of the same turn in `base`."""
    plain = medians(base)
    return [ms - plain[turn] for turn, ms in medians(turns).items() if turn in plain]


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least `share` of all values do not exceed."""
    ranked = sorted(values)
    rank = -(-len(ranked) * round(share * 1000) // 1000)
    return ranked[max(rank, 1) - 1]


def interval(values: Sequence[float]) -> Interval:
    """Return the median and its confidence interval from order statistics.

    The number of values below the true median is binomial(n, 1/2). With fewer than 6 values the
    interval contains all of them, and is less certain than 95 %.
    """
    ranked = sorted(values)
    n = len(ranked)
    below = accumulate(comb(n, k) / 2**n for k in range(n))
    cut = max(sum(share <= _OUTSIDE / 2 for share in below) - 1, 0)
    return Interval(median(ranked), ranked[cut], ranked[n - 1 - cut])


def quotient(above: float, below: float) -> float:
    """Divide two added latencies: 0 if nothing is added above, infinite if nothing is below."""
    if above <= 0:
        return 0.0
    return above / below if below > 0 else inf


def bootstrap(
    units: Sequence[T],
    figure: Callable[[Sequence[T]], float],
    seed: int,
    draws: int = DRAWS,
    redraw: Callable[[random.Random, T], T] = lambda _, unit: unit,
) -> Interval:
    """Return the figure of all units, with the percentiles of `draws` resamples (Efron 1979).

    `redraw` resamples the parts of one unit. One unit alone says nothing about its uncertainty.
    """
    if len(units) < _ENOUGH_UNITS:
        return Interval(figure(units), -inf, inf)
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    drawn = [
        figure([redraw(chance, unit) for unit in chance.choices(units, k=len(units))])
        for _ in range(draws)
    ]
    return Interval(figure(units), quantile(drawn, _OUTSIDE / 2), quantile(drawn, 1 - _OUTSIDE / 2))
