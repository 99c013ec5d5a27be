"""The report, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bench.cells import SHAPES, Cell, Effort, Lane, Shape
from bench.summary import Row, ratio, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.measure import Batch

_HEAD = """Requests to the API server, latency in ms.
"added" is the median over {turns} turns of the difference to "not opted in" in the same turn, with
its 95 % confidence interval; "per s" is the rate of these clients, one request under way each."""
_RATIO_HEAD = """How long a request takes behind ours, in times of what it takes behind the no-op
webhook in the same turn (of a VM that is stopped neither is asked)."""
_CPU_HEAD = "CPU seconds per 1,000 requests, binding included, releases not (nothing is deleted)."
_WHICH = ["what", "clients", "interfaces", "lane"]


class Report:
    """All that came out of a run."""

    def __init__(
        self, batches: Sequence[Batch], effort: Effort, seed: int, machine: dict[str, str]
    ) -> None:
        self.batches = batches
        self.effort = effort
        self.seed = seed
        self.machine = machine
        self.rows = rows(batches)

    def text(self) -> str:
        """Two tables, and where they come from."""
        latency = [*_WHICH, "n", "median", "p90", "p99", "added", "95 %", "per s"]
        cpu = [*_WHICH, *next(iter(self.rows.values())).cpu_s, "all"]
        return "\n".join(
            [
                _HEAD.format(turns=max(batch.turn for batch in self.batches)),
                "",
                *_table(latency, (self._latency(shape) for shape in SHAPES)),
                "",
                _RATIO_HEAD,
                "",
                *(self._ratio(shape) for shape in SHAPES),
                "",
                _CPU_HEAD,
                "",
                *_table(cpu, (self._cpu(shape) for shape in SHAPES)),
                "",
                *(f"{name}: {value}" for name, value in self.machine.items()),
                f"seed: {self.seed}",
                "",
            ]
        )

    def json(self) -> bytes:
        """The same with every single latency."""
        value: dict[str, Any] = {
            "machine": self.machine,
            "seed": self.seed,
            "effort": self.effort,
            "cells": list(self.rows.values()),
            "ours_to_noop": [
                {"shape": shape, "ratio": ratio(self.batches, shape)} for shape in SHAPES
            ],
            "batches": self.batches,
        }
        return msgspec.json.format(msgspec.json.encode(value), indent=1)

    def _of(self, shape: Shape) -> list[Row]:
        return [self.rows[Cell(shape, lane)] for lane in shape.lanes]

    def _latency(self, shape: Shape) -> list[list[str]]:
        return [
            [
                *_names(row),
                str(row.n),
                *(f"{ms:.2f}" for ms in (row.median_ms, row.p90_ms, row.p99_ms)),
                *(_added(row) if row.cell.lane is not Lane.NOT_OPTED_IN else ("", "")),
                f"{row.rate:.0f}",
            ]
            for row in self._of(shape)
        ]

    def _cpu(self, shape: Shape) -> list[list[str]]:
        return [
            [
                *_names(row),
                *(f"{seconds:.2f}" for seconds in row.cpu_s.values()),
                f"{sum(row.cpu_s.values()):.2f}",
            ]
            for row in self._of(shape)
        ]

    def _ratio(self, shape: Shape) -> str:
        times = ratio(self.batches, shape)
        return (
            f"{shape.work}, clients: {shape.clients}, interfaces: {shape.interfaces}: behind ours"
            f" {times.median:.2f} ({times.low:.2f} .. {times.high:.2f}) times"
        )


def _names(row: Row) -> list[str]:
    shape = row.cell.shape
    return [shape.work, str(shape.clients), str(shape.interfaces), row.cell.lane]


def _added(row: Row) -> tuple[str, str]:
    added = row.added_ms
    return f"{added.median:+.2f}", f"{added.low:+.2f} .. {added.high:+.2f}"


def _table(head: list[str], groups: Iterable[list[list[str]]]) -> list[str]:
    """Lay out in columns, with a blank line between groups; numbers stand to the right."""
    lines = [head]
    for group in groups:
        lines += [[""] * len(head), *group]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(map(_cell, line, widths, head)).rstrip() for line in lines]


def _cell(text: str, width: int, column: str) -> str:
    return text.ljust(width) if column in ("what", "lane") else text.rjust(width)
