"""Where and with what it was measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from testbed.versions import ETCD, KUBERNETES

_CHECKOUT = Path(__file__).parents[1]


def describe() -> dict[str, str]:
    """Say what a reader needs to compare the figures with others."""
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


def _commit() -> str:
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit} with {len(changed.splitlines())} changed files" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["git", "-C", str(_CHECKOUT), *arguments],  # noqa: S607 - whichever git the user has
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
