"""Reports progress on stderr, so that a long step does not look like a hang."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed import processes

PERIOD_S = 5.0


def say(message: str) -> None:
    """Print one line on stderr at once; stdout is left to what a shell may evaluate."""
    print(message, file=sys.stderr, flush=True)


class Progress:
    """One piece of work under way; `tick` may be called as often as it suits."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._began = self._said = time.monotonic()
        say(f"{work} ...")

    def tick(self, detail: str = "") -> None:
        """Say that the work goes on, unless that was said less than `PERIOD_S` ago."""
        now = time.monotonic()
        if now - self._said >= PERIOD_S:
            self._said = now
            say(f"{self._work}: {now - self._began:.0f} s {detail}".rstrip())

    def done(self) -> None:
        """Say how long it took."""
        say(f"{self._work}: done in {time.monotonic() - self._began:.0f} s")


class CommandFailed(Exception):
    """A command ended with an error; the message carries its last lines."""


def run(work: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
    """Run `argv` to its end, ticking; its output goes to `log`. It dies with us."""
    progress = Progress(work)
    with (
        log.open("wb") as output,
        subprocess.Popen(
            processes.die_with_parent(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        ) as child,
    ):
        try:
            while child.poll() is None:
                _wait(child)
                progress.tick()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)  # compilers, too
            raise
    if child.returncode:
        raise CommandFailed(f"{work} failed.\n{processes.tail(log)}")
    progress.done()


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(PERIOD_S)
    except subprocess.TimeoutExpired:
        return
