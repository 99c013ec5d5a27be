"""Compares two revisions on this host: the programs of each, on clusters of this checkout's bench.

Blocks alternate: A B B A. Each block is a cluster with the programs and the manifest of one
revision, and a few turns of `bench.latency`. Latencies are first divided by those of the no-op
webhook in the same block, which is the same for both. So other work of the host changes nothing.
"""

import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

import uvloop

from bench.figures import Interval, bootstrap, medians, quotient, ratios
from bench.host import CHECKOUT, git
from bench.latency.measure import prepare, requests
from bench.latency.plan import BLOCK, QUICK, SHAPES, Shape
from bench.latency.requests import COLUMNS, Requests
from bench.report import Part, Table
from bench.testcluster import start_cluster
from bench.variants import OURS, Variant
from testbed.progress import say

PAIRS = 4
# The latencies of head and base in two blocks, by turn, relative to the no-op webhook.
Figures = tuple[list[float], list[float]]
_NOTE = """{head} relative to {base}, with 95 % intervals: below 1 it takes less. "whole" is the
latency, "added" what our webhook adds to "not opted in". Both are first divided by the latency of
the no-op webhook in the same block. {blocks} blocks."""


class NotComparable(Exception):
    """A revision does not exist."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two blocks, one after the other."""

    base: Requests
    head: Requests


@dataclass(frozen=True, slots=True)
class Change:
    """The head relative to the base."""

    shape: Shape
    variant: Variant
    whole: Interval
    added: Interval


@dataclass(frozen=True, slots=True)
class Comparison(Part):
    """All pairs of blocks of two revisions."""

    base: str
    head: str
    pairs: Sequence[Pair]
    seed: int
    draws: int

    def tables(self) -> list[Table]:
        """Return a row for each of our variants in every shape."""
        rows = [
            [*change.shape.row(change.variant), *change.whole.times(), *change.added.times()]
            for change in self.changes()
        ]
        note = _NOTE.format(base=self.base, head=self.head, blocks=2 * len(self.pairs))
        return [Table("Compared", note, [*COLUMNS, "whole", "95 %", "added", "95 %"], [rows])]

    def changes(self) -> list[Change]:
        """Compare the medians over all turns; resample the pairs, and the turns of each block."""
        return [
            Change(shape, variant, *(self._quotient(of, shape, variant) for of in (_whole, _added)))
            for shape in SHAPES
            for variant in OURS
        ]

    def _quotient(
        self, of: Callable[[Requests, Shape, Variant], list[float]], shape: Shape, variant: Variant
    ) -> Interval:
        pairs = [
            (of(pair.head, shape, variant), of(pair.base, shape, variant)) for pair in self.pairs
        ]

        def figure(drawn: Sequence[Figures]) -> float:
            heads, bases = zip(*drawn, strict=True)
            return quotient(median(chain.from_iterable(heads)), median(chain.from_iterable(bases)))

        def redraw(chance: random.Random, pair: Figures) -> Figures:
            head, base = (chance.choices(turns, k=len(turns)) for turns in pair)
            return head, base

        return bootstrap(pairs, figure, self.seed, self.draws, redraw)


def measure(
    revisions: Sequence[str], pairs: int, *, quick: bool, quiet_s: float, seed: int
) -> Iterator[Part]:
    """Measure both revisions, base and head, in alternating blocks."""
    effort = QUICK if quick else BLOCK
    commits = [commit(CHECKOUT, revision) for revision in revisions]
    found: dict[tuple[int, bool], Requests] = {}
    with worktrees(CHECKOUT, commits) as folders:
        for number, (pair, is_head) in enumerate(order(pairs), 1):
            say(f"Block {number} of {2 * pairs}: {commits[is_head][:12]}")
            with start_cluster(quiet_s, checkout=folders[is_head]) as cluster:
                prepare(cluster)
                found[pair, is_head] = uvloop.run(requests(cluster, effort, seed + pair))
    base, head = (full[:12] for full in commits)
    blocks = [Pair(base=found[pair, False], head=found[pair, True]) for pair in range(pairs)]
    yield Comparison(base, head, blocks, seed, effort.draws)


def order(pairs: int) -> list[tuple[int, bool]]:
    """Return the pair of each block, and whether it measures the head: A B B A A B ..."""
    return [(pair, bool(pair % 2) != second) for pair in range(pairs) for second in (False, True)]


def commit(checkout: Path, revision: str) -> str:
    """Return the full hash of a revision, or raise NotComparable."""
    try:
        return git(checkout, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except subprocess.CalledProcessError:
        raise NotComparable(f"there is no revision {revision}") from None


@contextmanager
def worktrees(checkout: Path, commits: Sequence[str]) -> Iterator[list[Path]]:
    """Give a folder with the files of each commit, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="kubemacpool-compare-") as root:
        folders = [Path(root) / str(number) for number in range(len(commits))]
        try:
            for folder, full in zip(folders, commits, strict=True):
                git(checkout, "worktree", "add", "--quiet", "--detach", str(folder), full)
            yield folders
        finally:
            for folder in folders:
                if folder.exists():
                    git(checkout, "worktree", "remove", "--force", str(folder))
            git(checkout, "worktree", "prune")


def _whole(block: Requests, shape: Shape, variant: Variant) -> list[float]:
    return ratios(block.turns(shape, variant), block.turns(shape, Variant.NO_OP))


def _added(block: Requests, shape: Shape, variant: Variant) -> list[float]:
    noop_ms = median(medians(block.turns(shape, Variant.NO_OP)).values())
    return [ms / noop_ms for ms in block.added_ms(shape, variant)]
