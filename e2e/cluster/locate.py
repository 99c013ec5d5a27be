"""Finds the control plane's binaries: KUBEBUILDER_ASSETS, our cache, a download, a build.

In that order, for each binary by itself: KUBEBUILDER_ASSETS usually has no controller manager.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import release
from e2e.cluster.download import Mirrors, Unreachable, download
from e2e.cluster.gobuild import build
from e2e.cluster.progress import Progress, say


def find(names: Iterable[str]) -> dict[str, Path]:
    """The path of each of the binaries `names`; fetches or builds what is missing."""
    wanted = list(names)
    cache = release.cached_binaries()
    missing = [name for name in wanted if not _at_hand(name)]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        with _sole_writer(cache):
            _fill(cache, [name for name in missing if not _at_hand(name)])
    found = {name: path for name in wanted if (path := _at_hand(name))}
    for folder in sorted({path.parent for path in found.values()}):
        used = [name for name, path in found.items() if path.parent == folder]
        say(f"Using {', '.join(used)} from {folder}.")
    return found


def _at_hand(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folders = [Path(assets).absolute()] if assets else []
    for folder in [*folders, release.cached_binaries()]:
        if os.access(folder / name, os.X_OK):
            return folder / name
    return None


def _fill(cache: Path, missing: Sequence[str]) -> None:
    mirrors = Mirrors.chosen()
    to_build = []
    closed: set[str] = set()
    for name in missing:
        mirror = mirrors.etcd if name == "etcd" else mirrors.kubernetes
        if mirror in closed:
            to_build.append(name)
            continue
        try:
            download(name, cache, mirrors)
        except Unreachable as reason:
            say(f"No download: {reason}")
            closed.add(mirror)
            to_build.append(name)
    if to_build:
        build(to_build, cache)


@contextmanager
def _sole_writer(cache: Path) -> Iterator[None]:
    """Let one process at a time fill the cache; the kernel drops the lock of one that ended."""
    with (cache / ".lock").open("w") as lock:
        if not _locked(lock.fileno()):
            progress = Progress("Waiting for another process that fetches the control plane")
            while not _locked(lock.fileno()):
                time.sleep(0.5)
                progress.tick()
        yield


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
