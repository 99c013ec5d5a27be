"""KubeVirt's images of its Go modules and Debian's packages: where its own cannot be pulled."""

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path

from e2e.cluster import release
from e2e.cluster.files import link
from e2e.cluster.kind import bases
from e2e.cluster.kind.engine import docker, has
from e2e.cluster.locate import find_kubevirt, find_kubevirt_whole
from e2e.cluster.progress import CommandFailed

REGISTRY = "kubemacpool.test"
_FILES = Path(__file__).with_name("image")
_GUEST = Path(__file__).with_name("guest")
_SUITE = "trixie"  # libvirt 11.3 and QEMU 10.0
_TWO = ("virt-api", "virt-controller")
_PROGRAMS = (
    *("virt-operator", "virt-handler", "virt-launcher", "virt-launcher-monitor", "virt-chroot"),
    *("virt-probe", "virt-tail", "virt-freezer", "container-disk"),
)
_CONFIGURATION = "virt-launcher-files"
_AS_ROOT = ("virt-handler", "virt-launcher")
_AS_USER = ("virt-operator", *_TWO)
_USER = "FROM {image}\nUSER 1001\n"  # as in KubeVirt's own


def tag() -> str:
    """The tag of KubeVirt's images, which is its version, too; it changes with what they hold."""
    modules = release.cached_kubevirt().name, release.cached_kubevirt_whole().name
    return f"{release.KUBEVIRT}-{_digest(_FILES, *modules)}"


def names() -> list[str]:
    """KubeVirt's images."""
    return [_name(program) for program in (*_AS_ROOT, *_AS_USER)]


def guest() -> str:
    """The image of the guest, which is a disk and a kernel."""
    return f"{REGISTRY}/guest:{_digest(_GUEST)}"


def build() -> None:
    """Have KubeVirt's images in the engine: one with all programs, under each of their names."""
    if all(map(has, names())):
        return
    if release.ARCH != "amd64":
        raise CommandFailed("KubeVirt's images cannot be pulled, and are built for amd64 only.")
    two, parts = find_kubevirt(*_TWO), find_kubevirt_whole()
    base = bases.debian(_SUITE)
    with tempfile.TemporaryDirectory(dir=release.cache(), prefix=".kubevirt-") as folder:
        context = Path(folder)
        shutil.copytree(_FILES, context, dirs_exist_ok=True)
        shutil.copytree(parts[_CONFIGURATION], context / "virt-launcher")
        link(two | {name: parts[name] for name in _PROGRAMS}, context / "bin")
        first = _name(_AS_ROOT[0])
        work = "Building KubeVirt's image with QEMU (about 2 min)"
        bases.build(work, first, context, "Dockerfile", base)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(_USER.format(image=first))
        for program in _AS_USER:
            docker("build", "-t", _name(program), folder)
    for program in _AS_ROOT:
        docker("tag", first, _name(program))


def build_guest() -> None:
    """Have the guest's image in the engine."""
    if not has(guest()):
        base = bases.debian(_SUITE)
        bases.build("Building the guest", guest(), _GUEST, "Dockerfile", base)


def _name(program: str) -> str:
    return f"{REGISTRY}/{program}:{tag()}"


@functools.cache
def _digest(folder: Path, *more: str) -> str:
    """Eight digits that change with the files of a folder, and with `more`."""
    content = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    return hashlib.sha256(content + "".join(more).encode()).hexdigest()[:8]
