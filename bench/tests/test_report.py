"""What a reader gets to see."""

import re
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cells import CELLS, SUSTAINED
from bench.report import markdown, tables, text
from bench.tables import Table
from bench.tests.made import results

WORDS = st.text("abc123.+-", min_size=1, max_size=12)


def table(rows: list[list[str]]) -> Table:
    return Table("Title", "A note.", ["what", "n"], [rows])


@settings(deadline=None)
@given(st.lists(st.lists(WORDS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_number_ends_where_its_head_ends(rows: list[list[str]]) -> None:
    head, _, *body = table(rows).text().splitlines()[4:]

    assert {len(line) for line in body} == {len(head)}
    for (word, number), line in zip(rows, body, strict=True):
        assert line.startswith(word)
        assert line.endswith(f" {number}")


@settings(deadline=None)
@given(st.lists(st.lists(WORDS, min_size=2, max_size=2), max_size=5))
def test_every_row_of_markdown_has_every_column(rows: list[list[str]]) -> None:
    lines = [line for line in table(rows).markdown().splitlines() if line.startswith("|")]

    assert len(lines) == 2 + len(rows)
    assert {line.count("|") for line in lines} == {3}


def test_both_reports_have_every_cell_and_where_it_was_measured() -> None:
    run = results()

    for report in (text(run), markdown(run)):
        for cell in CELLS:
            shape = cell.shape
            row = rf"{shape.work}[ |]+{shape.clients}[ |]+{shape.interfaces}[ |]+{cell.lane}[ |]"
            assert re.search(row, report)
        for lane in SUSTAINED.values():
            assert re.search(rf"^(\| )?{lane}[ |]+100[ |]+10\.0[ |]", report, re.MULTILINE)
        for fact in ("commit", "c0ffee", "seed", "turns"):
            assert fact in report


def test_what_is_not_measured_has_no_table() -> None:
    run = results()

    without = tables(msgspec.structs.replace(run, sustained=()))

    assert [one.title for one in tables(run)][: len(without)] == [one.title for one in without]
    assert "Sustained load" not in [one.title for one in without]


def test_a_note_is_wrapped_for_a_terminal_and_left_alone_in_markdown() -> None:
    long = replace(table([]), note="word " * 50)

    assert max(map(len, long.text().splitlines())) <= 100
    assert "word " * 50 in long.markdown()
