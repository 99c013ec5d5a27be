"""Measures what the webhook adds to requests for pods and VMs: `python -m bench --help`."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench import adoption, compare, plot, publish, report, scale
from bench.allocations import NotBound, NotReleased
from bench.bed import bed
from bench.cells import FULL, QUICK
from bench.machine import describe
from bench.measure import measure
from bench.results import write
from kube.errors import ApiError, Unreachable
from testbed import external
from testbed.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.results import Results

_OTHERS: dict[str, Callable[[Sequence[str]], int]] = {
    "adoption": adoption.main,
    "compare": compare.main,
    "publish": publish.main,
    "scale": scale.main,
}
_RESULTS = Path(__file__).parents[1] / ".bench"


def main() -> int:
    """Measure, print the report, and keep it in a folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if sys.argv[1:] and (other := _OTHERS.get(sys.argv[1])):
        return other(sys.argv[2:])
    arguments = _arguments()
    if external.chosen():
        say("make bench measures on a control plane of its own: unset KUBEVIRT_PROVIDER.")
        return 1
    effort = QUICK if arguments.quick else FULL
    if arguments.turns:
        effort = replace(effort, turns=arguments.turns, within_s=float("inf"))
    if arguments.without_sustained:
        effort = replace(effort, sustained_s=0.0)
    machine = describe()
    say(f"{effort.turns} turns in an order drawn with the seed {arguments.seed}.")
    results: Results | None = None
    try:
        with bed(effort.quiet_s) as place:
            results = uvloop.run(measure(place, effort, arguments.seed, machine))
    except* (ApiError, Unreachable, NotBound, NotReleased) as failed:
        say(f"The run failed: {failed.exceptions[0]}")
    if results is None:
        return 1
    folder = arguments.output or _RESULTS / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    write(results, folder)
    (folder / "report.txt").write_text(report.text(results))
    (folder / publish.REPORT).write_text(report.markdown(results))
    (folder / plot.FILE).write_bytes(plot.svg(results))
    sys.stdout.write(report.text(results))
    say(f"This and every single latency are in {folder}.")
    return 0


def _arguments() -> argparse.Namespace:
    also = f"Others, each with a --help of its own: bench {', bench '.join(_OTHERS)}."
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, epilog=also)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say nothing")
    parser.add_argument(
        "--turns", type=int, help="how often (default 20, or what fits in 12 minutes)"
    )
    parser.add_argument(
        "--without-sustained", action="store_true", help="leave out the sustained load (7 minutes)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order (default %(default)s)")
    parser.add_argument("--output", type=Path, help="a folder (default .bench/TIME)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
