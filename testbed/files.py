"""Writes small files that others may read at any moment, and gathers large ones."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; only our user can read it."""
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def link(files: Mapping[str, Path], into: Path) -> None:
    """Link or copy files of other folders into this one, under these names, executable."""
    into.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        try:
            os.link(path, into / name)
        except OSError:  # on another file system
            shutil.copy2(path, into / name)
        (into / name).chmod(0o755)
