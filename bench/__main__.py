"""Runs an experiment, prints its report, and writes it to a folder."""

import argparse
import signal
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

from bench import adoption, compare, latency, scale
from bench.host import CHECKOUT, describe
from bench.ledger import NeverCame
from bench.load import Refused
from bench.report import Part, Report, publish
from crds.allocation import QUIET_S
from kube.errors import CallFailed
from testbed import external
from testbed.progress import say
from testbed.readiness import NotReady

_EXPERIMENTS = {"latency": latency, "scale": scale, "adoption": adoption}
_QUICK_QUIET_S = 2.0
_FAILURES = (AssertionError, CallFailed, NeverCame, NotReady, Refused, compare.NotComparable)


def main() -> int:
    """Run what the command line says; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = _arguments()
    if arguments.command == "publish":
        say(f"{publish(arguments.folder, CHECKOUT / 'docs')} shows the report.")
        return 0
    if external.chosen():
        say("The experiments start control planes of their own: unset KUBEVIRT_PROVIDER.")
        return 1
    quick, seed = arguments.quick, arguments.seed
    quiet_s = _QUICK_QUIET_S if quick else QUIET_S
    measure = (
        partial(compare.measure, [arguments.base, arguments.head], arguments.pairs)
        if arguments.command == "compare"
        else _EXPERIMENTS[arguments.command].measure
    )
    facts = {**describe(), "Q": f"{quiet_s:g} s", "seed": str(seed)}
    parts: list[Part] = []
    code = 0
    try:
        for part in measure(quick=quick, quiet_s=quiet_s, seed=seed):
            parts.append(part)  # noqa: PERF402 - a failure must not lose the parts before it
    except* _FAILURES as failed:
        say(f"The run failed: {failed.exceptions[0]}")
        code = 1
    if parts:
        time_of_day = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        folder = arguments.output or CHECKOUT / ".bench" / time_of_day
        report = Report(parts, facts)
        report.write(folder)
        sys.stdout.write(report.text())
        say(f"This report and all values are in {folder}.")
    return code


def _arguments() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--quick", action="store_true", help="a smoke run; its figures mean nothing"
    )
    common.add_argument("--seed", type=int, default=1, help="of the order (default %(default)s)")
    common.add_argument("--output", type=Path, help="a folder (default .bench/TIME)")
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in {**_EXPERIMENTS, "compare": compare}.items():
        commands.add_parser(
            name, help=_first_line(module), parents=[common], description=module.__doc__
        )
    comparing = commands.choices["compare"]
    comparing.add_argument("base", metavar="BASE", help="a revision, as git names it")
    comparing.add_argument(
        "head",
        metavar="HEAD",
        nargs="?",
        default="HEAD",
        help="another one (default: the last commit)",
    )
    comparing.add_argument(
        "--pairs",
        type=int,
        default=compare.PAIRS,
        help="of blocks, 3 to 5 minutes each (default %(default)s)",
    )
    publishing = commands.add_parser("publish", help="Puts the report of a run into docs/.")
    publishing.add_argument("folder", type=Path, help="the folder of the run: .bench/TIME")
    return parser.parse_args()


def _first_line(module: object) -> str:
    return (module.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
