"""From batches to the rows of the report: pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import comb
from statistics import median
from typing import TYPE_CHECKING

from bench.cells import CELLS, Cell, Lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.results import Batch

_OUTSIDE = 0.05  # a 95 % interval


@dataclass(frozen=True, slots=True)
class Interval:
    """A median, and where it lies with 95 % confidence."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One cell: latencies in ms, requests per second, CPU seconds per 1,000 of them by process.

    `added_ms` is against the namespace that has not opted in, turn by turn.
    """

    cell: Cell
    n: int
    median_ms: float
    p90_ms: float
    p99_ms: float
    added_ms: Interval
    rate: float
    cpu_s: dict[str, float]


def rows(batches: Sequence[Batch]) -> dict[Cell, Row]:
    """Sum up every cell, in the order of the report."""
    by_cell: dict[Cell, list[Batch]] = {}
    for batch in batches:
        by_cell.setdefault(batch.cell, []).append(batch)
    return {
        cell: _row(cell, by_cell[cell], by_cell[Cell(cell.shape, Lane.NOT_OPTED_IN)])
        for cell in CELLS
        if cell in by_cell
    }


def medians(batches: Iterable[Batch], cell: Cell) -> dict[int, float]:
    """Return the cell's median latency in ms, by turn."""
    return {one.turn: median(one.latencies_ms) for one in batches if one.cell == cell}


def added_ms(batches: Iterable[Batch], cell: Cell) -> dict[int, float]:
    """Return what the lane adds to the median of the namespace that has not opted in, by turn."""
    batches = tuple(batches)
    plain = medians(batches, Cell(cell.shape, Lane.NOT_OPTED_IN))
    return {turn: ms - plain[turn] for turn, ms in medians(batches, cell).items()}


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed (nearest rank)."""
    ranked = sorted(values)
    rank = -(-len(ranked) * round(share * 1000) // 1000)
    return ranked[max(rank, 1) - 1]


def interval(differences: Sequence[float]) -> Interval:
    """The median and its confidence interval from order statistics, whatever the distribution.

    The number of values below the true median is binomial(n, 1/2); with fewer than 6 values the
    interval is all of them, and covers less.
    """
    ranked = sorted(differences)
    n = len(ranked)
    below = accumulate(comb(n, k) / 2**n for k in range(n))
    cut = max(sum(share <= _OUTSIDE / 2 for share in below) - 1, 0)
    return Interval(median(ranked), ranked[cut], ranked[n - 1 - cut])


def _row(cell: Cell, own: list[Batch], baseline: list[Batch]) -> Row:
    latencies = [one for batch in own for one in batch.latencies_ms]
    n = len(latencies)
    return Row(
        cell=cell,
        n=n,
        median_ms=median(latencies),
        p90_ms=quantile(latencies, 0.90),
        p99_ms=quantile(latencies, 0.99),
        added_ms=interval([*added_ms([*own, *baseline], cell).values()]),
        rate=n / sum(batch.seconds for batch in own),
        cpu_s={name: sum(batch.cpu_s[name] for batch in own) / n * 1000 for name in own[0].cpu_s},
    )
