"""Writes small files that others may read at any moment."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file at once and whole, readable by us alone."""
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
