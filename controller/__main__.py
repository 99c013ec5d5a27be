"""Runs the controller: `python -m controller --help`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import uvloop

from controller import watched
from controller.certificates.intervals import BadInterval
from controller.options import read_options
from controller.program import CannotStart, Program
from kube.leases import LeaseLost, identity
from kube.listen import start_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.options import Options

_log = logging.getLogger("controller")
# kopf ends early on an ERROR event of a watch that is not a 410, and on a 404 for a watch, for
# example when its CRD is deleted. It is started again after a growing delay. A run that is longer
# than _LONGEST_WAIT_S resets the delay. /healthz does not answer in the delay: 10 s are one failed
# probe of the three that end the container.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, or until the Lease is lost."""
    start_log()
    try:
        options = read_options(argv, os.environ)
    except BadInterval as bad:
        sys.exit(f"controller: {bad}")
    return uvloop.run(run(options))


async def run(options: Options, kubeconfig: str | None = None) -> int:
    """Run until SIGTERM, and again from the start when kopf ends early; return the exit code."""
    loop, wait_s = asyncio.get_running_loop(), _FIRST_WAIT_S
    loop.set_exception_handler(_report)
    while True:
        began_s = loop.time()
        try:
            program = Program(options, identity(os.environ), kubeconfig)
            early_end = await _run_once(program)
        except LeaseLost as lost:
            _log.error("ending, to start again as a standby: %s", lost)  # expected: no traceback
            return 1
        except CannotStart as error:
            _log.error("cannot start: %s", error)
            return 1
        if early_end is None or program.signalled.is_set():
            break
        if loop.time() - began_s > _LONGEST_WAIT_S:
            wait_s = _FIRST_WAIT_S
        _log.warning("kopf ended early: %r; starting again in %g s", early_end, wait_s)
        if await _is_set_within(program.signalled, wait_s):
            break
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    _log.info("stopped")
    return 0


async def _run_once(program: Program) -> Exception | None:
    """Return None after SIGTERM, else why kopf ended early. Raises why the program failed."""
    early_end: Exception | None = None
    program.catch_signals()  # until kopf does
    try:
        await program.serve()
        try:
            await watched.operate(program)
        except Exception as error:  # noqa: BLE001 # the caller decides, whatever kopf raises
            early_end = error
    finally:
        program.catch_signals()  # kopf ignores them when it has ended
        await program.stop()  # kopf calls no cleanup handler if it could not log in
    if program.failure is not None:
        raise program.failure
    return early_end


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log errors that no task handles, except that kopf may leave a watch open when it stops."""
    if "asyncgen" in context:
        _log.debug("%s", context["message"])
    else:
        loop.default_exception_handler(context)


async def _is_set_within(event: asyncio.Event, wait_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await event.wait()
    return event.is_set()


if __name__ == "__main__":
    sys.exit(main())
