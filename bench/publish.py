"""Puts the table and the plot of a run into docs/: `python -m bench publish FOLDER`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bench import plot
from e2e.cluster.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT = "report.md"
BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"
_DOCS = Path(__file__).parents[1] / "docs"
_PICTURE = f"""\
![What each lane adds to a request, and how many pods per second it bears](performance/{plot.FILE})
"""


class NoMarkers(ValueError):
    """The page has no place for a report."""


def published(page: str, report: str) -> str:
    """Return the page with the plot and `report` in place of what stood between the markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"the page needs the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{_PICTURE}\n{report.strip()}\n{END}{after}"


def main(argv: Sequence[str], docs: Path = _DOCS) -> int:
    """Write docs/performance.md and docs/performance/."""
    parser = argparse.ArgumentParser(prog="bench publish", description=__doc__)
    parser.add_argument("folder", type=Path, help="of `make bench`, such as .bench/TIME")
    folder = parser.parse_args(argv).folder
    page, pictures = docs / "performance.md", docs / "performance"
    try:
        text = published(page.read_text(), (folder / REPORT).read_text())
        pictures.mkdir(exist_ok=True)
        shutil.copyfile(folder / plot.FILE, pictures / plot.FILE)
    except (OSError, NoMarkers) as error:
        say(f"Nothing is published: {error}")
        return 1
    page.write_text(text)
    say(f"{page} and {pictures / plot.FILE} are those of {folder}.")
    return 0
