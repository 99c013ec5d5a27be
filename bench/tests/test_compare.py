"""Two revisions."""

import subprocess
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.compare import Comparison, NotComparable, Pair, commit, order, worktrees
from bench.tests.made import ONE, requests
from bench.variants import Variant


def compared(*pairs: Pair) -> Comparison:
    return Comparison("base", "head", pairs, seed=1, draws=5)


def git(repository: Path, *arguments: str) -> str:
    name = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")
    command = ["git", "-C", str(repository), *name, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    for name in ("base", "head"):
        (tmp_path / "revision").write_text(name)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", name)
        git(tmp_path, "tag", name)
    return tmp_path


def test_blocks_alternate_so_that_no_revision_is_always_first() -> None:
    assert "".join("AB"[is_head] for _, is_head in order(4)) == "ABBAABBA"
    assert [pair for pair, _ in order(2)] == [0, 0, 1, 1]


@settings(max_examples=settings().max_examples // 5)
@given(st.lists(st.floats(min_value=0.1, max_value=50), min_size=3, max_size=4))
def test_a_host_that_becomes_slower_makes_no_difference(slowness: list[float]) -> None:
    runs = [requests(turns=2, slowness=factor) for factor in slowness]

    for change in compared(*(Pair(*pair) for pair in pairwise(runs))).changes():
        assert astuple(change.whole) == pytest.approx((1, 1, 1))
        assert astuple(change.added) == pytest.approx((1, 1, 1))


def test_half_of_the_added_latency_is_half() -> None:
    pair = Pair(base=requests(turns=2), head=requests(turns=2, slowness=3, ours=0.5))
    [found] = [
        change
        for change in compared(pair, pair).changes()
        if (change.shape, change.variant) == (ONE, Variant.SYNCHRONOUS)
    ]

    assert found.added.median == pytest.approx(0.5)
    assert found.whole.median == pytest.approx(16 / 22)


@pytest.mark.parametrize("fails", [False, True])
def test_worktrees_have_the_files_of_each_revision_and_are_removed(
    repository: Path, *, fails: bool
) -> None:
    commits = [commit(repository, name) for name in ("base", "head")]
    found: list[str] = []

    def measure() -> None:
        with worktrees(repository, commits) as folders:
            found.extend((folder / "revision").read_text() for folder in folders)
            if fails:
                raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            measure()
    else:
        measure()

    assert found == ["base", "head"]
    assert git(repository, "worktree", "list").count("\n") == 0


def test_an_unknown_revision_is_refused(repository: Path) -> None:
    with pytest.raises(NotComparable, match="there is no revision nowhere"):
        commit(repository, "nowhere")
