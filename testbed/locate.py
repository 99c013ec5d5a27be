"""Finds the binaries: KUBEBUILDER_ASSETS, our cache, a download, a build.

In that order, for each binary by itself: KUBEBUILDER_ASSETS usually has no controller manager.
The binaries of KubeVirt, cert-manager, kind and its nodes are in the cache, or are built.
"""

import fcntl
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed import versions
from testbed.download import Mirrors, Unreachable, download
from testbed.gobuild import build
from testbed.gomodules import CERT_MANAGER, KUBEVIRT, KUBEVIRT_WHOLE, NODE
from testbed.progress import Progress, say


def find(names: Iterable[str], *, quietly: bool = False) -> dict[str, Path]:
    """Return the paths of the control plane's `names`; download or build missing ones."""
    return _find(list(names), versions.cached_binaries(), _assets(), _fill, quietly=quietly)


@functools.cache  # asked often
def find_kubevirt(*names: str) -> dict[str, Path]:
    """Return the paths of KubeVirt's products, `names` or all; build missing ones."""
    return _find(names or KUBEVIRT.products, versions.cached_kubevirt(), [], _build)


@functools.cache
def find_kubevirt_whole(*names: str) -> dict[str, Path]:
    """Return the paths of KubeVirt's other products, `names` or all; build missing ones."""
    wanted = names or KUBEVIRT_WHOLE.products
    return _find(wanted, versions.cached_kubevirt_whole(), [], _build)


@functools.cache
def find_node(*names: str) -> dict[str, Path]:
    """Return the paths of kind and of the parts of its nodes; build missing ones."""
    return _find(names or NODE.products, versions.cached_node(), [], _build)


@functools.cache
def find_cert_manager() -> dict[str, Path]:
    """Return the path of cert-manager's CRDs; download them if our cache lacks them."""
    return _find(CERT_MANAGER.products, versions.cached_cert_manager(), [], _build)


def has_kubevirt(*names: str) -> bool:
    """Return True if our cache has them already."""
    return all(_path_of(name, [versions.cached_kubevirt()]) for name in names)


def has_kubevirt_whole() -> bool:
    """Return True if our cache has KubeVirt's other products."""
    cache = versions.cached_kubevirt_whole()
    return all(_path_of(name, [cache]) for name in KUBEVIRT_WHOLE.products)


def _find(
    wanted: Sequence[str],
    cache: Path,
    elsewhere: Sequence[Path],
    fill: Callable[[Path, Sequence[str]], None],
    *,
    quietly: bool = False,
) -> dict[str, Path]:
    folders = [*elsewhere, cache]
    if any(not _path_of(name, folders) for name in wanted):
        cache.mkdir(parents=True, exist_ok=True)
        with _sole_writer(cache):
            if missing := [name for name in wanted if not _path_of(name, folders)]:
                fill(cache, missing)
    found = {name: path for name in wanted if (path := _path_of(name, folders))}
    for folder in sorted({path.parent for path in found.values()}):
        used = [name for name, path in found.items() if path.parent == folder]
        if not quietly:
            _tell(", ".join(used), folder)
    return found


@functools.cache  # once is enough
def _tell(names: str, folder: Path) -> None:
    say(f"Using {names} from {folder}.")


def _assets() -> list[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return [Path(assets).absolute()] if assets else []


def _path_of(name: str, folders: Sequence[Path]) -> Path | None:
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    return None


def _build(cache: Path, missing: Sequence[str]) -> None:
    build(missing, cache)


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
            progress = Progress(f"Waiting for another process that fills {cache}")
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
