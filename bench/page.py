"""Puts what a run found into a page of the docs, between two markers: pure."""

from __future__ import annotations


class NoMarkers(ValueError):
    """The page has no place for it."""


def published(page: str, mark: str, text: str) -> str:
    """Return the page with `text` in place of what stood between the markers of that name."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise NoMarkers(f"the page needs the lines {begin} and {end}, in this order")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"
