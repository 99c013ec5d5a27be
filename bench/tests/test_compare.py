"""Two revisions are measured, and nothing of them remains."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import compare
from bench.results import SCHEMA
from bench.worktrees import NotComparable, commit, worktrees

# The bench of a made revision: it notes what it was asked, and finds what a made run finds.
BENCH = """
import sys
from pathlib import Path

sys.path.insert(0, {checkout!r})
sys.modules.pop("bench")
from bench.results import write
from bench.tests.made import results

into = Path(sys.argv[sys.argv.index("--output") + 1])
into.mkdir()
write(results(turns=2), into)
with Path({notes!r}).open("a") as notes:
    print({revision!r}, *sys.argv[1:-2], file=notes)
"""
# One that interrupts who started it, and then waits to be asked to end.
INTERRUPTING = """
import os
import signal
import sys
from pathlib import Path

def end(*_):
    Path({notes!r}).write_text("ended in order")
    sys.exit()

signal.signal(signal.SIGTERM, end)
os.kill(os.getppid(), signal.SIGINT)
while True:
    signal.pause()
"""


def git(repository: Path, *arguments: str) -> str:
    name = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["git", "-C", str(repository), *name, *arguments],  # noqa: S607 - whichever git there is
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One with three revisions: `old` knows no comparison, `base` and `head` do."""
    root = tmp_path / "repository"
    bench = root / "bench"
    bench.mkdir(parents=True)
    git(root, "init", "--quiet")
    for name in ("old", "base", "head"):
        if name != "old":
            (bench / "compare.py").touch()
            (bench / "results.py").write_text(f"SCHEMA = {SCHEMA}\n")
        (bench / "__init__.py").touch()
        checkout, notes = str(Path(__file__).parents[2]), str(tmp_path / "notes")
        source = BENCH.format(checkout=checkout, notes=notes, revision=name)
        (bench / "__main__.py").write_text(source)
        git(root, "add", ".")
        git(root, "commit", "--quiet", "-m", name)
        git(root, "tag", name)
    return root


def test_blocks_of_both_revisions_alternate_and_leave_no_worktree(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["base", "head", "--pairs", "2", "--output", str(tmp_path / "compared")]

    code = compare.main(arguments, repository)

    assert code == 0
    asked = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
    assert [words[0] for words in asked] == ["base", "head", "head", "base"]
    assert [words[words.index("--seed") + 1] for words in asked] == ["1", "1", "2", "2"]
    assert git(repository, "worktree", "list").count("\n") == 0
    assert "1.00 .. 1.00" in (tmp_path / "compared" / "compared.txt").read_text()
    assert git(repository, "rev-parse", "base")[:12] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("revision", "why"), [("old", "is too old"), ("nowhere", "there is no such revision")]
)
def test_a_revision_that_cannot_be_compared_is_refused_before_anything_runs(
    repository: Path, tmp_path: Path, revision: str, why: str
) -> None:
    with pytest.raises(NotComparable, match=why):
        commit(repository, revision)

    assert compare.main([revision, "head"], repository) == 1
    assert not (tmp_path / "notes").exists()


def test_results_of_another_schema_are_refused(repository: Path) -> None:
    (repository / "bench" / "results.py").write_text("SCHEMA = 999\n")
    git(repository, "commit", "--quiet", "-am", "other")

    with pytest.raises(NotComparable, match="schema 999"):
        commit(repository, "HEAD")


def test_a_worktree_is_removed_though_measuring_in_it_fails(repository: Path) -> None:
    def fails() -> None:
        with worktrees(repository, [commit(repository, "base")]) as folders:
            assert (folders[0] / "bench").is_dir()
            raise KeyError

    with pytest.raises(KeyError):
        fails()

    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.fixture
def _hears_interrupts() -> Iterator[None]:
    """A job in the background ignores them, and so does what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears_interrupts")
def test_who_is_interrupted_lets_the_block_end_in_order_and_leaves_no_worktree(
    repository: Path, tmp_path: Path
) -> None:
    source = INTERRUPTING.format(notes=str(tmp_path / "notes"))
    (repository / "bench" / "__main__.py").write_text(source)
    git(repository, "commit", "--quiet", "-am", "interrupting")

    with pytest.raises(KeyboardInterrupt):
        compare.main(["HEAD"], repository)

    assert (tmp_path / "notes").read_text() == "ended in order"
    assert git(repository, "worktree", "list").count("\n") == 0
