"""The report of a run: which tables there are, and what stands above each."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from bench.cells import SHAPES, Cell, Lane
from bench.ratios import ratios
from bench.summary import rows
from bench.sustained_report import sustained_tables
from bench.tables import Table, signed, times
from bench.targets import targets

if TYPE_CHECKING:
    from bench.cells import Shape
    from bench.results import Results
    from bench.summary import Row as Figures

_LATENCY = """Latencies in ms, as the client sees them, over {turns} turns. "added" is the median
over the turns of the difference to "not opted in" in the same turn, with its 95 % confidence
interval; "per s" is the rate of these clients, one request under way each."""
_RATIOS = """Ours in times of other webhooks, with 95 % confidence intervals: the whole latency,
turn by turn, and the medians of what is added, from drawing the turns again. What adds nothing that
can be measured divides nothing: "inf". (Of a VM that is stopped no webhook is asked.)"""
_TARGETS = """What the stock adds to a pod should be at most so many times what the no-op webhook
adds. (Whoever writes anything pays for the API server's work on the patch, too: "constant patch"
shows how much that is, so the same is asked of that lane.) And a pod without the annotation should
wait for nothing. A target is met or missed where the whole interval is on one side, else undecided;
of the pod without the annotation nothing is seen where the interval reaches down to 0."""
_CPU = """CPU seconds per 1,000 requests, binding and refilling the stock included; releases are
not (nothing is deleted)."""
_WHICH = ["what", "clients", "interfaces", "lane"]


def tables(results: Results) -> list[Table]:
    """Sum up the run."""
    found = rows(results.batches)
    compared = ratios(results.batches, results.seed)
    return [
        Table(
            "Requests",
            _LATENCY.format(turns=results.turns),
            [*_WHICH, "n", "median", "p90", "p99", "added", "95 %", "per s"],
            [[_latency(row) for row in _of(found, shape)] for shape in SHAPES],
        ),
        Table(
            "Ours and other webhooks",
            _RATIOS,
            [*_WHICH, "to", "whole", "95 %", "added", "95 %"],
            [
                [
                    [*_which(shape, one.lane), one.to, *times(one.whole), *times(one.added)]
                    for one in group
                ]
                for shape, group in groupby(compared, lambda one: one.shape)
            ],
        ),
        Table(
            "Targets",
            _TARGETS,
            [*_WHICH, "added", "95 %", "target", "is"],
            [
                [
                    [
                        *_which(one.shape, one.lane),
                        *(signed(one.figure) if one.unit == "ms" else times(one.figure)),
                        f"at most {one.most:g} {one.unit}",
                        one.met,
                    ]
                    for one in group
                ]
                for _, group in groupby(targets(found, compared), lambda one: one.lane)
            ],
        ),
        Table(
            "CPU time",
            _CPU,
            [*_WHICH, *results.batches[0].cpu_s, "all"],
            [[_cpu(row) for row in _of(found, shape)] for shape in SHAPES],
        ),
        *sustained_tables(results),
    ]


def text(results: Results) -> str:
    """Return it for a terminal."""
    facts = "\n".join(f"{name}: {value}" for name, value in _facts(results).items())
    return "\n".join([*(table.text() for table in tables(results)), facts, ""])


def markdown(results: Results) -> str:
    """Return it for a page, from headings of the third level on."""
    facts = "\n".join(f"| {name} | {value} |" for name, value in _facts(results).items())
    parts = [table.markdown() for table in tables(results)]
    return "\n".join([*parts, f"### Where\n\n| | |\n|---|---|\n{facts}\n"])


def _facts(results: Results) -> dict[str, str]:
    return {**results.machine, "turns": str(results.turns), "seed": str(results.seed)}


def _of(found: dict[Cell, Figures], shape: Shape) -> list[Figures]:
    return [found[Cell(shape, lane)] for lane in shape.lanes]


def _which(shape: Shape, lane: Lane) -> list[str]:
    return [shape.work, str(shape.clients), str(shape.interfaces), lane]


def _latency(row: Figures) -> list[str]:
    return [
        *_which(row.cell.shape, row.cell.lane),
        str(row.n),
        *(f"{ms:.2f}" for ms in (row.median_ms, row.p90_ms, row.p99_ms)),
        *(signed(row.added_ms) if row.cell.lane is not Lane.NOT_OPTED_IN else ("", "")),
        f"{row.rate:.0f}",
    ]


def _cpu(row: Figures) -> list[str]:
    return [
        *_which(row.cell.shape, row.cell.lane),
        *(f"{seconds:.2f}" for seconds in row.cpu_s.values()),
        f"{sum(row.cpu_s.values()):.2f}",
    ]
