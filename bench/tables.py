"""Tables, laid out for a terminal or in Markdown: pure."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.summary import Interval

Row = list[str]

_WIDTH = 100  # of a terminal


@dataclass(frozen=True, slots=True)
class Table:
    """Groups of rows below one head, with a note for the reader above.

    Columns named in `words` stand to the left, numbers to the right.
    """

    title: str
    note: str
    head: Row
    groups: list[list[Row]]
    words: frozenset[str] = frozenset({"what", "lane", "target"})

    def text(self) -> str:
        """Lay it out in columns, with a blank line between groups."""
        lines = [self.head]
        for group in self.groups:
            lines += [[""] * len(self.head), *group]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        rows = ("  ".join(map(self._cell, line, widths, self.head)).rstrip() for line in lines)
        return "\n".join(
            [self.title.upper(), "", fill(self.note, _WIDTH, break_on_hyphens=False), "", *rows, ""]
        )

    def markdown(self) -> str:
        """Write it in Markdown, as GitHub has it."""
        rule = [":---" if column in self.words else "---:" for column in self.head]
        rows = [row for group in self.groups for row in group]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in (self.head, rule, *rows))
        return f"### {self.title}\n\n{self.note}\n\n{lines}\n"

    def _cell(self, text: str, width: int, column: str) -> str:
        return text.ljust(width) if column in self.words else text.rjust(width)


def times(figure: Interval) -> tuple[str, str]:
    """Return a quotient and its interval."""
    return f"{figure.median:.2f}", f"{figure.low:.2f} .. {figure.high:.2f}"


def signed(figure: Interval) -> tuple[str, str]:
    """Return a difference and its interval."""
    return f"{figure.median:+.2f}", f"{figure.low:+.2f} .. {figure.high:+.2f}"
