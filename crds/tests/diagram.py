"""The state diagram in the docstring of crds/lifecycle.py, as data."""

from __future__ import annotations

import re
from typing import NamedTuple

from crds import lifecycle

ABSENT = "absent"
_ARROW = re.compile(r"^ +(\w+) +--(\w+?)-+> (\w+) +(a person|webhook|controller)\b", re.MULTILINE)


class Arrow(NamedTuple):
    """One line of the diagram."""

    source: str
    name: str
    target: str
    writer: str

    @property
    def without_writer(self) -> tuple[str, str, str]:
        """Return what the arrow itself says."""
        return self.source, self.name, self.target


ARROWS = tuple(Arrow(*found) for found in _ARROW.findall(lifecycle.__doc__ or ""))
