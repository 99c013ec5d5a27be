"""The host of a measurement, and the resources of a process as the kernel counts them (proc(5))."""

import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from testbed.processes import Process
from testbed.versions import ETCD, KUBERNETES

CHECKOUT = Path(__file__).parents[1]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process in MB (10^6 bytes): now, and the highest value of its life."""

    now_mb: float
    peak_mb: float


def memory(pid: int) -> Memory:
    """Return the memory of a process (proc_pid_status(5), VmRSS and VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = dict(line.split(":", 1) for line in lines)
    return Memory(*(int(kib[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM")))


def cpu_s(pid: int) -> float:
    """Return user and system time of all its threads (proc_pid_stat(5), fields 14 and 15)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_S


def age_s(process: Process) -> float:
    """Return the seconds since the process started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.born_ticks / _TICKS_PER_S


def describe() -> dict[str, str]:
    """Return the facts that a reader needs to compare the figures with others."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "msgspec"))
    return {
        "commit": _commit(),
        "cores": f"{len(os.sched_getaffinity(0))} ({cpu[1] if cpu else platform.machine()})",
        "memory": f"{memory_kib / 2**20:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.2f} (the mean of a minute)",
        "Kubernetes": f"{KUBERNETES}, etcd {ETCD} without fsync",
        "Python": f"{platform.python_version()}, {packages}",
    }


def git(checkout: Path, *arguments: str) -> str:
    """Run git in a checkout; return what it prints."""
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout.strip()


def _commit() -> str:
    try:
        commit = git(CHECKOUT, "rev-parse", "--short=12", "HEAD")
        changed = git(CHECKOUT, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit} with {len(changed.splitlines())} changed files" if changed else commit
