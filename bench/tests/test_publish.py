"""A run goes into the docs."""

from pathlib import Path

import pytest

from bench.page import NoMarkers, published
from bench.publish import main

BEGIN, END = "<!-- x: begin -->", "<!-- x: end -->"
PAGE = f"before\n{BEGIN}\nold\n{END}\nafter\n"
DOCS = Path(__file__).parents[2] / "docs"


def folder_of_a_run(root: Path) -> Path:
    (root / "report.md").write_text("### Requests\n")
    (root / "plot.svg").write_text("<svg/>")
    return root


def test_what_stands_between_the_markers_is_replaced_and_nothing_else() -> None:
    assert published(PAGE, "x", "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_to_publish_twice_is_to_publish_once() -> None:
    once = published(PAGE, "x", "new\n")

    assert published(once, "x", "new\n") == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}\n", PAGE.replace("x:", "y:")])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(NoMarkers):
        published(page, "x", "new\n")


@pytest.mark.parametrize(
    ("page", "mark"), [("performance.md", "bench"), ("scale.md", "bench scale")]
)
def test_the_pages_of_the_docs_have_a_place_for_tables(page: str, mark: str) -> None:
    assert "| new |" in published((DOCS / page).read_text(), mark, "| new |")


def test_the_page_shows_the_picture_beside_it(tmp_path: Path) -> None:
    docs, run = tmp_path / "docs", tmp_path / "run"
    docs.mkdir()
    run.mkdir()
    (docs / "performance.md").write_text(PAGE.replace("x:", "bench:"))

    code = main([str(folder_of_a_run(run))], docs)

    assert code == 0
    assert "(performance/plot.svg)" in (docs / "performance.md").read_text()
    assert (docs / "performance" / "plot.svg").read_text() == "<svg/>"


def test_without_a_run_the_page_stays_as_it_is(tmp_path: Path) -> None:
    page = PAGE.replace("x:", "bench:")
    (tmp_path / "performance.md").write_text(page)

    code = main([str(tmp_path / "none")], tmp_path)

    assert code == 1
    assert (tmp_path / "performance.md").read_text() == page
