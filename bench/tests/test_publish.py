"""A run goes into the docs."""

from pathlib import Path

import pytest

from bench.publish import BEGIN, END, NoMarkers, main, published

PAGE = f"before\n{BEGIN}\nold\n{END}\nafter\n"


def folder_of_a_run(root: Path) -> Path:
    (root / "report.md").write_text("### Requests\n")
    (root / "plot.svg").write_text("<svg/>")
    return root


def test_what_stands_between_the_markers_is_replaced_and_nothing_else() -> None:
    page = published(PAGE, "### Requests\n")

    assert page.startswith(f"before\n{BEGIN}\n![")
    assert page.endswith(f"### Requests\n{END}\nafter\n")
    assert "old" not in page


def test_to_publish_twice_is_to_publish_once() -> None:
    once = published(PAGE, "### Requests\n")

    assert published(once, "### Requests\n") == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}\n"])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(NoMarkers):
        published(page, "### Requests\n")


def test_the_page_shows_the_picture_beside_it(tmp_path: Path) -> None:
    docs, run = tmp_path / "docs", tmp_path / "run"
    docs.mkdir()
    run.mkdir()
    (docs / "performance.md").write_text(PAGE)

    code = main([str(folder_of_a_run(run))], docs)

    assert code == 0
    assert "(performance/plot.svg)" in (docs / "performance.md").read_text()
    assert (docs / "performance" / "plot.svg").read_text() == "<svg/>"


def test_without_a_run_the_page_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text(PAGE)

    code = main([str(tmp_path / "none")], tmp_path)

    assert code == 1
    assert (tmp_path / "performance.md").read_text() == PAGE
