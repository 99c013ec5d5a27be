"""Starts, records, signals and ends processes that run longer than a call.

Every process has a record in `<state>/processes/<name>.json` with its start time. So a later
command can end it, and never ends another process that has got the same id.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from testbed.files import write_private

STOP_GRACE_S = 20.0
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_TAIL_LINES = 25


@dataclass(frozen=True, slots=True)
class Process:
    """One process on this machine, identified by its id and its start time."""

    name: str
    state: Path
    pid: int
    boot: str
    born_ticks: int  # since boot, proc_pid_stat(5) field 22

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.state / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """Return True if the process still runs (or is paused)."""
        try:
            condition, *birth = _stat(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        if birth != [self.boot, self.born_ticks]:
            return False
        return condition != "Z" or not _has_ended(self.pid)

    def stop(self) -> None:
        """Ask it to end (SIGTERM), kill it after STOP_GRACE_S, and remove its record."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        if not self._ended_within(STOP_GRACE_S):
            self._signal(signal.SIGKILL)
            self._ended_within(STOP_GRACE_S)
        _record(self.state, self.name).unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill it (SIGKILL), as a crash would."""
        self._signal(signal.SIGKILL)
        self._ended_within(STOP_GRACE_S)
        _record(self.state, self.name).unlink(missing_ok=True)

    def pause(self) -> None:
        """Pause it (SIGSTOP); the kernel keeps its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue a paused process."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if (
                self.alive
            ):  # checked after the handle was opened: a handle never changes its process
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def _ended_within(self, seconds: float) -> bool:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if self.alive:
                watch = select.poll()
                watch.register(handle, select.POLLIN)
                watch.poll(seconds * 1000)
            return not self.alive
        finally:
            os.close(handle)


def start(
    name: str, argv: Sequence[str], *, state: Path, env: Mapping[str, str], lasting: bool
) -> Process:
    """Start `argv` in a new session, and append its output to `<state>/<name>.log`.

    Unless `lasting`, the kernel kills it when the *thread* that called this ends (prctl(2),
    PR_SET_PDEATHSIG): call it from a thread that lives on, such as the main one.
    """
    if any(process.name == name and process.alive for process in recorded(state)):
        raise RuntimeError(f"{name} already runs in {state}")
    command = list(argv) if lasting else die_with_parent(argv)
    log = state / f"{name}.log"
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        command[0],
        command,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,  # Ctrl-C goes to us only; we end the processes in order
    )
    _, boot, born_ticks = _stat(pid)
    record = _record(state, name)
    record.parent.mkdir(exist_ok=True)
    write_private(record, json.dumps({"pid": pid, "boot": boot, "born_ticks": born_ticks}))
    return Process(name, state, pid, boot, born_ticks)


def recorded(state: Path) -> list[Process]:
    """Return every process that was started in `state` and not ended by us, the newest first."""
    found = []
    for record in (state / "processes").glob("*.json"):
        with suppress(FileNotFoundError):  # ended at this moment
            found.append(Process(record.stem, state, **json.loads(record.read_text())))
    return sorted(found, key=lambda process: (process.born_ticks, process.pid), reverse=True)


def die_with_parent(argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` until it ends, or we do."""
    program = str(Path(__file__).with_name("die_with_parent.py"))
    return [sys.executable, "-I", "-S", program, str(os.getpid()), *argv]


def environment(**more: str) -> dict[str, str]:
    """Return our environment without proxies, for children that talk on loopback, with `more`."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    return kept | more


def tail(log: Path) -> str:
    """Return the last lines of `log`, with its name."""
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join([f"--- the end of {log}:", *lines])


def _record(state: Path, name: str) -> Path:
    return state / "processes" / f"{name}.json"


def _stat(pid: int) -> tuple[str, str, int]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return after_name[0], boot, int(after_name[19])


def _has_ended(pid: int) -> bool:
    """Return True if all threads of a zombie have ended, which frees its ports (pidfd_open(2)).

    An ended child's exit code is taken, so that it does not stay as a zombie.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        watch = select.poll()
        watch.register(handle, select.POLLIN)
        if not watch.poll(0):
            return False
    finally:
        os.close(handle)
    with suppress(ChildProcessError):  # not ours: its parent does that
        os.waitpid(pid, os.WNOHANG)
    return True
