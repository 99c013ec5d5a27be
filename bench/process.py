"""What a process has used, as the kernel counts it (proc(5)): CPU time, age and memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.processes import Process

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """User and system time of all its threads, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_S


def all_used_s(pids: Mapping[str, int]) -> dict[str, float]:
    """The same for several, by the name of each."""
    return {name: used_s(pid) for name, pid in pids.items()}


def age_s(process: Process) -> float:
    """Seconds since its birth."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.born_ticks / _TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Resident:
    """Resident set in bytes: now, and at its highest since its birth."""

    now: int
    peak: int


def resident(pid: int) -> Resident:
    """Return its memory (proc_pid_status(5), VmRSS and VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = dict(line.split(":", 1) for line in lines)
    now, peak = (int(kib[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return Resident(now, peak)
