"""The container engine: the docker command of an engine that already runs."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbed import versions
from testbed.progress import CommandFailed, run

# An unreachable registry fails within two seconds; a registry that hangs must not take longer.
_PULL_S = 600.0


def runs() -> bool:
    """Return True if a Docker Engine answers."""
    return bool(shutil.which("docker")) and not _docker("info").returncode


def docker(*arguments: str) -> str:
    """Return what `docker ARGUMENTS` prints; raise CommandFailed with what it says."""
    done = _docker(*arguments)
    if done.returncode:
        raise CommandFailed(f"docker {' '.join(arguments[:3])}: {done.stderr.strip()}")
    return done.stdout.strip()


def has(image: str) -> bool:
    """Return True if the engine has the image."""
    return not _docker("image", "inspect", image).returncode


def pulled(image: str) -> bool:
    """Return True if the engine has the image, or could pull it now."""
    return has(image) or not _docker("pull", "--quiet", image, timeout_s=_PULL_S).returncode


def follow(work: str, argv: Sequence[str], cwd: Path, log: str) -> None:
    """Run a command that takes long, with progress; what it prints goes to the cache's `log`."""
    logs = versions.cache() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    run(work, argv, os.environ, cwd, logs / log)


def _docker(*arguments: str, timeout_s: float | None = None) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 1, "", f"no answer within {timeout_s} s")
