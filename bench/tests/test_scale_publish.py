"""Tables of a run get into a page."""

from pathlib import Path

import pytest

from bench.scale.publish import BEGIN, END, NoMarkers, published

DOCS = Path(__file__).parents[2] / "docs"


def test_tables_stand_between_the_markers_and_the_rest_stays() -> None:
    page = f"# Scale\n\n{BEGIN}\nold\n{END}\n\nMore.\n"

    assert published(page, "| new |\n") == f"# Scale\n\n{BEGIN}\n| new |\n{END}\n\nMore.\n"


def test_tables_published_again_change_nothing() -> None:
    once = published(f"{BEGIN}\n{END}\n", "| new |\n")

    assert published(once, "| new |\n") == once


@pytest.mark.parametrize("page", ["# Scale\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_page_without_both_markers_is_left_alone(page: str) -> None:
    with pytest.raises(NoMarkers):
        published(page, "| new |\n")


def test_the_page_of_the_docs_has_a_place_for_tables() -> None:
    page = (DOCS / "scale.md").read_text()

    assert "| new |" in published(page, "| new |")
