"""What we want of these figures: printed beside them, never asserted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from bench.scale.figures import Lane, merged, ratio, spread

if TYPE_CHECKING:
    from bench.scale.figures import Level, Results, Size

# Of the largest size that is measured: 100,000 allocations in a full run.
_READY_S = 5.0
_WEBHOOK_MB = 150.0
# How many times as long as with none a create may take there, and at 99.9 % as with an empty pool.
_GROWN, _FULL = 1.2, 3.0


@dataclass(frozen=True, slots=True)
class Target:
    """One of them."""

    what: str
    wanted: str
    measured: str
    met: bool


def targets(results: Results) -> list[Target]:
    """Return those about which something was measured."""
    found = []
    if results.sizes:
        found += _of_growth(results.sizes[0], results.sizes[-1])
    if results.levels:
        found.append(_of_filling(results.levels[0], results.levels[-1]))
    refusals = [
        *chain.from_iterable(size.refusals for size in results.sizes),
        *chain.from_iterable(level.refusals for level in results.levels),
        *chain.from_iterable(burst.refusals for burst in results.bursts),
    ]
    said = f": {refusals[0]}" if refusals else ""
    found.append(
        Target("pods refused while addresses were free", "none", f"{len(refusals)}{said}", not said)
    )
    return found


def _of_growth(none: Size, most: Size) -> list[Target]:
    with_most = f"with {most.allocations:,} in use"
    seconds = most.starts["webhook"].seconds
    peak_mb = most.afterwards["webhook"].peak_mb
    ours, before = (spread(merged(one.turns[Lane.OURS])).median_ms for one in (most, none))
    times, times_before = (
        ratio(one.turns[Lane.OURS], one.turns[Lane.NO_OP]) for one in (most, none)
    )
    return [
        _at_most(f"webhook ready {with_most}", seconds, _READY_S, "s"),
        _at_most(f"webhook's peak memory {with_most}", peak_mb, _WEBHOOK_MB, "MB"),
        _at_most(f"median latency {with_most}, to that with none", ours / before, _GROWN, "x"),
        _at_most("the same, each to the no-op webhook's", times / times_before, _GROWN, "x"),
    ]


def _of_filling(empty: Level, full: Level) -> Target:
    times = ratio(full.turns, empty.turns)
    return _at_most(f"{full.percent:g} % full, to an empty pool", times, _FULL, "x")


def _at_most(what: str, measured: float, most: float, unit: str) -> Target:
    return Target(what, f"<= {most:g} {unit}", f"{measured:.2f} {unit}", measured <= most)
