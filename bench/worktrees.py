"""Other revisions of this checkout, in a temporary folder, of which nothing remains."""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.results import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a revision needs so that its bench understands ours; both came with the same one.
_NEEDED = "bench/compare.py"
_DATED = "bench/results.py"


class NotComparable(Exception):
    """There is no such revision, or its results mean something else."""


def commit(checkout: Path, revision: str) -> str:
    """Return the full hash of a revision whose results can be compared, or raise NotComparable."""
    try:
        found = _git(checkout, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except subprocess.CalledProcessError:
        raise NotComparable(f"{revision}: there is no such revision") from None
    try:
        _git(checkout, "cat-file", "-e", f"{found}:{_NEEDED}")
        source = _git(checkout, "show", f"{found}:{_DATED}")
    except subprocess.CalledProcessError:
        raise NotComparable(
            f"{revision} is too old: its bench keeps no results that can be compared. The first"
            f" that can is named by: git log --diff-filter=A --oneline -- {_NEEDED}"
        ) from None
    schema = re.search(r"^SCHEMA = (\d+)$", source, re.MULTILINE)
    if schema is None or int(schema[1]) != SCHEMA:
        raise NotComparable(
            f"{revision} keeps results of schema {schema[1] if schema else 'unknown'}, and this"
            f" checkout reads {SCHEMA}: compare it from a checkout of its own time"
        )
    return found


@contextmanager
def worktrees(checkout: Path, commits: list[str]) -> Iterator[list[Path]]:
    """Give a folder with the files of each of `commits`, and remove it whatever happens."""
    with tempfile.TemporaryDirectory(prefix="kubemacpool-compare-") as root:
        folders = [Path(root) / str(number) for number in range(len(commits))]
        try:
            for folder, one in zip(folders, commits, strict=True):
                _git(checkout, "worktree", "add", "--quiet", "--detach", str(folder), one)
            yield folders
        finally:
            for folder in folders:
                if folder.exists():
                    _git(checkout, "worktree", "remove", "--force", str(folder))
            _git(checkout, "worktree", "prune")


def _git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["git", "-C", str(checkout), *arguments],  # noqa: S607 - whichever git the user has
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
