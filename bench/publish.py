"""Puts the table and the plot of a run into docs/: `python -m bench publish FOLDER`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bench import plot
from bench.page import NoMarkers, published
from testbed.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT = "report.md"
_MARK = "bench"
_DOCS = Path(__file__).parents[1] / "docs"
_PICTURE = f"""\
![What each lane adds to a request, and how many pods per second it bears](performance/{plot.FILE})
"""


def main(argv: Sequence[str], docs: Path = _DOCS) -> int:
    """Write docs/performance.md and docs/performance/."""
    parser = argparse.ArgumentParser(prog="bench publish", description=__doc__)
    parser.add_argument("folder", type=Path, help="of `make bench`, such as .bench/TIME")
    folder = parser.parse_args(argv).folder
    page, pictures = docs / "performance.md", docs / "performance"
    try:
        report = f"{_PICTURE}\n{(folder / REPORT).read_text()}"
        text = published(page.read_text(), _MARK, report)
        pictures.mkdir(exist_ok=True)
        shutil.copyfile(folder / plot.FILE, pictures / plot.FILE)
    except (OSError, NoMarkers) as error:
        say(f"Nothing is published: {error}")
        return 1
    page.write_text(text)
    say(f"{page} and {pictures / plot.FILE} are those of {folder}.")
    return 0
