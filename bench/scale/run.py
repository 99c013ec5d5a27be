"""Measures what grows: `python -m bench scale --help`.

With nothing, 10,000 and 100,000 allocations in use: starts and memory of both programs, latency
and writes. With a pool of 4,096 up to 99.9 % full: latency and refusals. With 1,000 pods created
and 5,000 deleted at once: how long until all is Bound, and released.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import describe
from bench.page import published
from bench.scale import bursts, filling, growth
from bench.scale.figures import Results
from bench.scale.ledger import NeverCame
from bench.scale.report import markdown, text
from crds.allocation import QUIET_S
from crds.store import StoreUnavailable
from kube.errors import ApiError, Unreachable
from testbed import external
from testbed.progress import say
from testbed.readiness import NotReady

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHECKOUT = Path(__file__).parents[2]
_RESULTS = _CHECKOUT / ".bench"
_PAGE = _CHECKOUT / "docs" / "scale.md"
_MARK = "bench scale"
_PARTS = ("growth", "filling", "bursts")
_TEXT, _JSON, _MARKDOWN = "scale.txt", "scale.json", "scale.md"
# A smoke run does not wait a minute for each release.
_QUICK_QUIET_S = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the report, and keep it in a folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = _arguments(argv)
    if arguments.publish:
        return _publish(arguments.publish)
    if external.chosen():
        say("This measures on control planes of its own: unset KUBEVIRT_PROVIDER.")
        return 1
    machine = describe()
    quiet_s = _QUICK_QUIET_S if arguments.quick else QUIET_S
    results = Results(quiet_s, sizes=[], levels=[], bursts=[], farewells=[])
    code = 0
    try:
        _measure(arguments, results)
    except* (
        NeverCame,
        NotReady,
        AssertionError,
        ApiError,
        Unreachable,
        StoreUnavailable,
    ) as failed:
        say(f"The run failed: {failed.exceptions[0]}")
        code = 1  # and the parts before are kept: they took minutes
    if results.sizes or results.levels or results.bursts:
        _keep(arguments, results, machine)
    return code


def _measure(arguments: argparse.Namespace, found: Results) -> None:
    """Fill `found`, part by part."""
    quick, parts, quiet_s = arguments.quick, arguments.only, found.quiet_s
    if "growth" in parts:
        effort = growth.QUICK if quick else growth.FULL
        found.sizes.extend(growth.measure(effort, quiet_s, arguments.seed))
    if "filling" in parts:
        levels = filling.measure(filling.QUICK if quick else filling.FULL, quiet_s, arguments.seed)
        found.levels.extend(levels)
    if "bursts" in parts:
        coming, going = bursts.measure(bursts.QUICK if quick else bursts.FULL, quiet_s)
        found.bursts.extend(coming)
        found.farewells.extend(going)


def _keep(arguments: argparse.Namespace, results: Results, machine: dict[str, str]) -> None:
    folder = arguments.output or _RESULTS / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    written = text(results, machine)
    (folder / _TEXT).write_text(written)
    (folder / _MARKDOWN).write_text(markdown(results, machine))
    everything = {"machine": machine, "seed": arguments.seed, **asdict(results)}
    (folder / _JSON).write_text(json.dumps(everything, indent=1))
    sys.stdout.write(written)
    say(f"This and every single latency are in {folder}.")


def _publish(folder: Path) -> int:
    _PAGE.write_text(published(_PAGE.read_text(), _MARK, (folder / _MARKDOWN).read_text()))
    say(f"The tables of {folder} are in {_PAGE}.")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say nothing")
    parser.add_argument(
        "--only", choices=_PARTS, nargs="+", default=_PARTS, help="these parts (default: all)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order (default %(default)s)")
    parser.add_argument("--output", type=Path, help="a folder (default .bench/TIME)")
    parser.add_argument(
        "--publish",
        type=Path,
        metavar="FOLDER",
        help="measure nothing: put the tables of that run into docs/scale.md",
    )
    return parser.parse_args(argv)
