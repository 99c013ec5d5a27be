"""The report of each experiment: tables for a terminal and in Markdown, and all values in JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from textwrap import fill

import msgspec

from bench.figures import quantile

Row = list[str]
# The head of the cells that `latency_cells` returns.
LATENCY = ("n", "median", "p90", "p99")

MARKDOWN, TEXT, JSON = "report.md", "report.txt", "results.json"
# A page and its marker, by a part that only this experiment has.
PAGES = {"requests": ("performance.md", "bench"), "growth": ("scale.md", "bench scale")}
_WIDTH = 100  # of a terminal
_WORDS = frozenset({"what", "variant", "target", "program", "call", "pods are"})
_TARGETS = """Targets are goals for a full run. The report shows them beside the measured values. A
missed target is no error. A figure with an interval meets or misses its target only if the whole
interval does; otherwise it is undecided."""


class NoMarkers(ValueError):
    """The page has no place for the tables."""


@dataclass(frozen=True, slots=True)
class Table:
    """Groups of rows with one head, and a note for the reader. Words are left-aligned."""

    title: str
    note: str
    head: Row
    groups: Sequence[Sequence[Row]]

    def text(self) -> str:
        """Return columns for a terminal, with a blank line between groups."""
        lines = [self.head]
        for group in self.groups:
            lines += [[""] * len(self.head), *group]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        rows = ("  ".join(map(_cell, line, widths, self.head)).rstrip() for line in lines)
        note = fill(self.note, _WIDTH, break_on_hyphens=False)
        return "\n".join([self.title.upper(), "", note, "", *rows, ""])

    def markdown(self) -> str:
        """Return a table of GitHub's Markdown."""
        rule = [":---" if column in _WORDS else "---:" for column in self.head]
        rows = [row for group in self.groups for row in group]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in (self.head, rule, *rows))
        return f"### {self.title}\n\n{self.note}\n\n{lines}\n"


@dataclass(frozen=True, slots=True)
class Target:
    """One goal, as a row of the report."""

    what: str
    wanted: str
    measured: str
    verdict: str  # "met", "missed", "undecided" or "nothing seen"


class Part:
    """The results of a part of an experiment: a dataclass, all of it written to results.json."""

    __slots__ = ()

    def tables(self) -> list[Table]:
        """Return the tables of this part."""
        raise NotImplementedError

    def targets(self) -> list[Target]:
        """Return the goals that this part has values for."""
        return []


@dataclass(frozen=True, slots=True)
class Report:
    """All parts of a run; `facts` say where and how it was measured."""

    parts: Sequence[Part]
    facts: Mapping[str, str]

    def text(self) -> str:
        """Return it for a terminal."""
        facts = (f"{name}: {value}" for name, value in self.facts.items())
        return "\n".join([*(table.text() for table in self._tables()), *facts, ""])

    def markdown(self) -> str:
        """Return it for a page, with headings of the third level."""
        facts = "\n".join(f"| {name} | {value} |" for name, value in self.facts.items())
        tables = (table.markdown() for table in self._tables())
        return "\n".join([*tables, f"### Where\n\n| | |\n|---|---|\n{facts}\n"])

    def write(self, folder: Path) -> None:
        """Write the report and every single value into `folder`."""
        found = {type(part).__name__.lower(): part for part in self.parts}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TEXT).write_text(self.text())
        (folder / MARKDOWN).write_text(self.markdown())
        (folder / JSON).write_bytes(msgspec.json.encode({"facts": self.facts, **found}))

    def _tables(self) -> list[Table]:
        tables = [table for part in self.parts for table in part.tables()]
        goals = [target for part in self.parts for target in part.targets()]
        rows = [[goal.what, goal.wanted, goal.measured, goal.verdict] for goal in goals]
        if rows:
            head = ["what", "target", "measured", "is"]
            tables.insert(0, Table("Targets", _TARGETS, head, [rows]))
        return tables


def latency_cells(latencies_ms: Sequence[float]) -> Row:
    """Return the number of latencies, and their quantiles in ms."""
    figures = (median(latencies_ms), *(quantile(latencies_ms, share) for share in (0.90, 0.99)))
    return [f"{len(latencies_ms)}", *(f"{ms:.2f}" for ms in figures)]


def at_most(what: str, measured: float, most: float, unit: str) -> Target:
    """Compare one value with its target."""
    verdict = "met" if measured <= most else "missed"
    return Target(what, f"<= {most:g} {unit}", f"{measured:.2f} {unit}", verdict)


def none_refused(what: str, refusals: Sequence[str]) -> Target:
    """Expect that no request was refused."""
    said = f"{len(refusals)}: {refusals[0]}" if refusals else "0"
    return Target(what, "none", said, "missed" if refusals else "met")


def published(page: str, mark: str, text: str) -> str:
    """Return the page with `text` between the two markers of that name."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise NoMarkers(f"the page needs the lines {begin} and {end}, in this order")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def publish(folder: Path, docs: Path) -> Path:
    """Replace the tables of the page that shows this experiment; return the page."""
    found = json.loads((folder / JSON).read_text())
    name, mark = next(PAGES[part] for part in PAGES if part in found)
    page = docs / name
    page.write_text(published(page.read_text(), mark, (folder / MARKDOWN).read_text()))
    return page


def _cell(text: str, width: int, column: str) -> str:
    return text.ljust(width) if column in _WORDS else text.rjust(width)
