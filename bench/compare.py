"""Compares two revisions on this machine: `python -m bench compare BASE [HEAD]`.

Each is measured by its own bench, with its own programs, in blocks: a bed with a few turns. The
blocks alternate, A B B A, and everything is put in times of the same block's no-op webhook, so that
what the machine does meanwhile falls on both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.machine import describe
from bench.results import OtherSchema, read
from bench.tables import Table, times
from bench.versus import Pair, changes, order
from bench.worktrees import NotComparable, commit, worktrees
from testbed import external, processes
from testbed.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results import Results
    from bench.versus import Change

_CHECKOUT = Path(__file__).parents[1]
_PAIRS, _TURNS = 4, 3
_NOTE = """{head} in times of {base}, with 95 % intervals: below 1 it takes less. "whole" is of the
latency, "added" of what ours adds to a namespace that has not opted in; both were first put in
times of the no-op webhook's latency in the same block, so nothing is told of what the machine did.
{blocks} blocks, turns of each: {turns}."""


class BlockFailed(Exception):
    """A revision's own bench ended with an error."""


def main(argv: Sequence[str], checkout: Path = _CHECKOUT) -> int:
    """Measure both, print how they differ, and keep it in a folder."""
    arguments = _arguments(argv)
    if external.chosen():
        say("This measures on control planes of its own: unset KUBEVIRT_PROVIDER.")
        return 1
    machine = {name: value for name, value in describe().items() if name != "commit"}
    try:
        commits = [commit(checkout, one) for one in (arguments.base, arguments.head)]
        pairs = _measured(checkout, commits, arguments)
    except (NotComparable, OtherSchema, BlockFailed) as error:
        say(f"Nothing is compared: {error}")
        return 1
    base, head = (one[:12] for one in commits)
    found = changes(pairs, arguments.seed)
    turns = max(batch.turn for batch in pairs[0].base)
    note = _NOTE.format(base=base, head=head, blocks=2 * len(pairs), turns=turns)
    facts = "\n".join(f"{name}: {value}" for name, value in machine.items())
    report = f"{_table(found, note).text()}\n{facts}\nseed: {arguments.seed}\n"
    time_of_day = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = arguments.output or checkout / ".bench" / f"{time_of_day}-compared"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compared.txt").write_text(report)
    sys.stdout.write(report)
    say(f"This is in {folder}, too.")
    return 0


def _measured(checkout: Path, commits: list[str], arguments: argparse.Namespace) -> list[Pair]:
    """Run all blocks, and join those that stood side by side."""
    blocks = order(arguments.pairs)
    found: dict[tuple[int, bool], Results] = {}
    began_s = time.monotonic()
    with worktrees(checkout, commits) as folders, TemporaryDirectory() as results:
        for number, (pair, is_head) in enumerate(blocks):
            each_s = (time.monotonic() - began_s) / number if number else 0
            left = f", about {each_s * (len(blocks) - number):.0f} s left" if number else ""
            say(f"Block {number + 1} of {len(blocks)}, {commits[is_head][:12]}{left}")
            into = Path(results) / str(number)
            _run_block(folders[is_head], into, arguments, arguments.seed + pair)
            found[pair, is_head] = read(into)
    return [
        Pair(base=found[pair, False].batches, head=found[pair, True].batches)
        for pair in range(arguments.pairs)
    ]


def _run_block(revision: Path, into: Path, arguments: argparse.Namespace, seed: int) -> None:
    """Let a revision measure itself; what it says on stderr is for the same reader."""
    effort = ["--quick"] if arguments.quick else ["--turns", str(arguments.turns)]
    options = ["--without-sustained", "--seed", str(seed), "--output", str(into)]
    with subprocess.Popen(  # noqa: S603 - our own arguments
        processes.die_with_parent([sys.executable, "-m", "bench", *effort, *options]),
        cwd=revision,
        env=processes.environment(PYTHONPATH=str(revision)),
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # the terminal's Ctrl-C is for us
    ) as block:
        try:
            code = block.wait()
        except BaseException:
            block.terminate()  # it removes its bed
            block.wait()
            raise
    if code:
        raise BlockFailed(f"the bench in {revision} ended with {code}")


def _table(found: Sequence[Change], note: str) -> Table:
    return Table(
        "Compared",
        note,
        ["what", "clients", "interfaces", "lane", "whole", "95 %", "added", "95 %"],
        [[_row(one) for one in group] for _, group in groupby(found, lambda one: one.shape)],
    )


def _row(one: Change) -> list[str]:
    shape = one.shape
    load = [shape.work, str(shape.clients), str(shape.interfaces), one.lane]
    return [*load, *times(one.whole), *times(one.added)]


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench compare", description=__doc__)
    parser.add_argument("base", metavar="BASE", help="a revision, as git names it")
    parser.add_argument(
        "head",
        metavar="HEAD",
        nargs="?",
        default="HEAD",
        help="another one (default %(default)s: what is committed, not what is changed)",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say nothing")
    parser.add_argument(
        "--pairs", type=int, help=f"of blocks, 3 to 5 minutes each (default {_PAIRS}, quick 1)"
    )
    parser.add_argument(
        "--turns", type=int, default=_TURNS, help="of a block (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order (default %(default)s)")
    parser.add_argument("--output", type=Path, help="a folder (default .bench/TIME-compared)")
    arguments = parser.parse_args(argv)
    arguments.pairs = arguments.pairs or (1 if arguments.quick else _PAIRS)
    return arguments
