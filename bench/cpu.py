"""CPU time that a process has used, as the kernel counts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """User and system time of all its threads, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_S


def all_used_s(pids: Mapping[str, int]) -> dict[str, float]:
    """The same for several, by the name of each."""
    return {name: used_s(pid) for name, pid in pids.items()}
