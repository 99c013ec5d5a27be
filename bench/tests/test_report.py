"""Tables, reports, and the pages that show them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report import (
    PAGES,
    NoMarkers,
    Part,
    Report,
    Table,
    Target,
    at_most,
    latency_cells,
    none_refused,
    publish,
    published,
)

WORDS = st.text("abc123.+-", min_size=1, max_size=12)
ROWS = st.lists(st.lists(WORDS, min_size=2, max_size=2), min_size=1, max_size=5)
BEGIN, END = "<!-- x: begin -->", "<!-- x: end -->"
PAGE = f"before\n{BEGIN}\nold\n{END}\nafter\n"
DOCS = Path(__file__).parents[2] / "docs"


def table(rows: list[list[str]], note: str = "A note.") -> Table:
    return Table("Title", note, ["what", "n"], [rows])


@dataclass(frozen=True)
class Growth(Part):
    values: list[int]

    def targets(self) -> list[Target]:
        return [at_most("height", 2.0, 1.5, "m")]

    def tables(self) -> list[Table]:
        return [table([["width", "7"]])]


REPORT = Report([Growth([1, 2])], {"commit": "c0ffee"})


@given(ROWS)
def test_numbers_are_right_aligned_and_words_left(rows: list[list[str]]) -> None:
    head, _, *body = table(rows).text().splitlines()[4:]

    assert {len(line) for line in body} == {len(head)}
    for (word, number), line in zip(rows, body, strict=True):
        assert line.startswith(word)
        assert line.endswith(f" {number}")


@given(ROWS)
def test_every_row_of_markdown_has_every_column(rows: list[list[str]]) -> None:
    lines = [line for line in table(rows).markdown().splitlines() if line.startswith("|")]

    assert len(lines) == 2 + len(rows)
    assert {line.count("|") for line in lines} == {3}


def test_only_the_terminal_wraps_a_note() -> None:
    long = table([], note="word " * 50)

    assert max(map(len, long.text().splitlines())) <= 100
    assert "word " * 50 in long.markdown()


@pytest.mark.parametrize(
    ("target", "measured", "verdict"),
    [
        (at_most("x", 1.5, 1.5, "s"), "1.50 s", "met"),
        (at_most("x", 1.6, 1.5, "s"), "1.60 s", "missed"),
        (none_refused("x", []), "0", "met"),
        (none_refused("x", ["full", "full"]), "2: full", "missed"),
    ],
)
def test_a_target_is_met_or_missed(target: Target, measured: str, verdict: str) -> None:
    assert (target.measured, target.verdict) == (measured, verdict)


def test_quantiles_are_measured_latencies() -> None:
    assert latency_cells([float(ms) for ms in range(200, 0, -1)]) == [
        "200", "100.50", "180.00", "198.00",
    ]  # fmt: skip


def test_a_report_has_targets_tables_facts_and_values(tmp_path: Path) -> None:
    REPORT.write(tmp_path)

    for name in ("report.txt", "report.md"):
        text = (tmp_path / name).read_text()
        for word in ("height", "<= 1.5 m", "missed", "width", "commit", "c0ffee"):
            assert word in text
    assert json.loads((tmp_path / "results.json").read_text())["growth"] == {"values": [1, 2]}


def test_only_the_text_between_the_markers_changes() -> None:
    once = published(PAGE, "x", "new\n")

    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert published(once, "x", "new\n") == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}\n", PAGE.replace("x:", "y:")])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(NoMarkers):
        published(page, "x", "new\n")


@pytest.mark.parametrize(("page", "mark"), PAGES.values())
def test_the_pages_of_the_docs_have_markers(page: str, mark: str) -> None:
    assert "| new |" in published((DOCS / page).read_text(), mark, "| new |")


def test_a_run_is_published_on_the_page_of_its_experiment(tmp_path: Path) -> None:
    page = tmp_path / "scale.md"
    page.write_text(PAGE.replace("x:", "bench scale:"))
    REPORT.write(tmp_path)

    assert publish(tmp_path, tmp_path) == page
    assert "| width | 7 |" in page.read_text()
