"""Tables that are written twice: for a terminal, and as Markdown for the docs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Groups of rows as long as the head, of which the first column is words, and a note."""

    title: str
    about: str
    head: Row
    groups: Sequence[Sequence[Row]]

    def text(self) -> str:
        """Lay it out in columns, with a blank line between groups."""
        lines = [self.head]
        for group in self.groups:
            lines += [[""] * len(self.head), *group]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        laid = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        ]
        return "\n".join([self.title.upper(), "", self.about, "", *laid, ""])

    def markdown(self) -> str:
        """Write it in Markdown, as GitHub has it."""
        rule = [":---", *["---:"] * (len(self.head) - 1)]
        rows = [row for group in self.groups for row in group]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in (self.head, rule, *rows))
        return f"### {self.title}\n\n{self.about}\n\n{lines}\n"
