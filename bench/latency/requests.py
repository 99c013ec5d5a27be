"""The results of the batches: ratios, targets and tables. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from bench.figures import ByTurn, Interval, added_ms, bootstrap, interval, merged, quotient, ratios
from bench.latency.plan import SHAPES, Shape, Work
from bench.report import LATENCY, Part, Row, Table, Target, latency_cells
from bench.variants import OURS, Variant

COLUMNS = ["what", "clients", "interfaces", "variant"]
_LATENCY = """Latencies in ms, as the client sees them, over {turns} turns. "added" is the median
over the turns of the difference to "not opted in" in the same turn, with its 95 % confidence
interval. "per s" is the rate of these clients."""
_RATIOS = """Our webhook relative to other webhooks, with 95 % confidence intervals: the whole
latency (turn by turn), and the added latency (medians over the turns, resampled). "inf": the other
webhook adds nothing that can be measured."""
# The stock may add this many times what the other webhook adds, by the interfaces of a pod.
_TIMES = {1: 1.4, 4: 1.6}


@dataclass(frozen=True, slots=True)
class Batch:
    """The requests of one cell in one turn."""

    turn: int
    shape: Shape
    variant: Variant
    latencies_ms: Sequence[float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our webhook relative to `to`: the whole latency, and the added latency."""

    shape: Shape
    variant: Variant
    to: Variant
    whole: Interval
    added: Interval


@dataclass(frozen=True, slots=True)
class Requests(Part):
    """All batches that count; `draws` is the number of resamples of each interval."""

    batches: Sequence[Batch]
    seed: int
    draws: int

    def turns(self, shape: Shape, variant: Variant) -> ByTurn:
        """Return the latencies of a cell, by turn."""
        cell = shape, variant
        return {
            batch.turn: batch.latencies_ms
            for batch in self.batches
            if cell == (batch.shape, batch.variant)
        }

    def added_ms(self, shape: Shape, variant: Variant) -> list[float]:
        """Return the latency that a variant adds in each turn."""
        return added_ms(self.turns(shape, variant), self.turns(shape, Variant.NOT_OPTED_IN))

    def ratios(self) -> list[Ratio]:
        """Compare both of our variants with both other webhooks, in every shape."""
        return [
            Ratio(
                shape,
                variant,
                to,
                interval(ratios(self.turns(shape, variant), self.turns(shape, to))),
                self._added_ratio(shape, variant, to),
            )
            for shape in SHAPES
            for variant in OURS
            for to in (Variant.NO_OP, Variant.CONSTANT)
        ]

    def targets(self) -> list[Target]:
        """Compare the stock with other webhooks, and pods without the annotation with none."""
        return [
            *(
                times_target(
                    _named(ratio.shape, f"the stock adds, relative to {ratio.to}"),
                    ratio.added,
                    most,
                )
                for ratio in self.ratios()
                if ratio.variant is Variant.STOCK and ratio.shape.work is Work.POD
                for most in [_TIMES[ratio.shape.interfaces]]
            ),
            *(
                nothing_target(_named(shape, "a pod without the annotation waits"), added)
                for shape in SHAPES
                if shape.work is Work.POD
                for added in [interval(self.added_ms(shape, Variant.NO_ANNOTATION))]
            ),
        ]

    def tables(self) -> list[Table]:
        """Return latencies and ratios."""
        turns = max(batch.turn for batch in self.batches)
        columns = [*COLUMNS, *LATENCY, "added", "95 %", "per s"]
        rows = [[self._row(shape, variant) for variant in shape.variants] for shape in SHAPES]
        compared = [*COLUMNS, "to", "whole", "95 %", "added", "95 %"]
        ratio_rows = [
            [
                [*shape.row(ratio.variant), ratio.to, *ratio.whole.times(), *ratio.added.times()]
                for ratio in group
            ]
            for shape, group in groupby(self.ratios(), lambda ratio: ratio.shape)
        ]
        return [
            Table("Requests", _LATENCY.format(turns=turns), columns, rows),
            Table("Ours and other webhooks", _RATIOS, compared, ratio_rows),
        ]

    def _added_ratio(self, shape: Shape, variant: Variant, to: Variant) -> Interval:
        def figure(drawn: Sequence[tuple[float, float]]) -> float:
            above, below = zip(*drawn, strict=True)
            return quotient(median(above), median(below))

        turns = zip(self.added_ms(shape, variant), self.added_ms(shape, to), strict=True)
        return bootstrap([*turns], figure, self.seed, self.draws)

    def _row(self, shape: Shape, variant: Variant) -> Row:
        all_ms = merged(self.turns(shape, variant))
        cell = shape, variant
        seconds = sum(
            batch.seconds for batch in self.batches if cell == (batch.shape, batch.variant)
        )
        added = interval(self.added_ms(shape, variant)).signed()
        return [
            *shape.row(variant),
            *latency_cells(all_ms),
            *(("", "") if variant is Variant.NOT_OPTED_IN else added),
            f"{len(all_ms) / seconds:.0f}",
        ]


def times_target(what: str, figure: Interval, most: float) -> Target:
    """Compare the whole interval with the target."""
    beyond = "missed" if figure.low > most else "undecided"
    verdict = "met" if figure.high <= most else beyond
    middle, limits = figure.times()
    return Target(what, f"<= {most:g} x", f"{middle} ({limits})", verdict)


def nothing_target(what: str, added: Interval) -> Target:
    """No measurement shows that nothing is added, but one can show that something is."""
    middle, limits = added.signed()
    verdict = "nothing seen" if added.low <= 0 else "missed"
    return Target(what, "0 ms", f"{middle} ({limits})", verdict)


def _named(shape: Shape, what: str) -> str:
    return f"{shape.clients} client(s), {shape.interfaces} interface(s): {what}"
