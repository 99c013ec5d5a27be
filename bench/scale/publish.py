"""Puts the tables of a run into the docs, between two markers: pure."""

from __future__ import annotations

BEGIN = "<!-- bench scale: begin -->"
END = "<!-- bench scale: end -->"


class NoMarkers(ValueError):
    """The page has no place for tables."""


def published(page: str, tables: str) -> str:
    """Return the page with `tables` in place of what stood between the markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"the page needs the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{tables.strip()}\n{END}{after}"
