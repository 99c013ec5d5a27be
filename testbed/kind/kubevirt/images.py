"""KubeVirt's images: pulled, or built from Go modules and Debian's packages."""

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path

from testbed import versions
from testbed.download import Unreachable
from testbed.files import link
from testbed.kind import bases
from testbed.kind.engine import docker, has, pulled
from testbed.kubevirt import whole
from testbed.locate import find_kubevirt, find_kubevirt_whole, has_kubevirt, has_kubevirt_whole
from testbed.progress import CommandFailed, Progress, say

REGISTRY = "kubemacpool.test"
_FILES = Path(__file__).with_name("image")
_GUEST = f"{REGISTRY}/guest:3"  # raise the number with each change in its folder
_GUEST_ARCH = "amd64"
_GUEST_FILES = Path(__file__).with_name("guest")
_SUITE = "trixie"  # libvirt 11.3 and QEMU 10.0
_CONTROL = ("virt-api", "virt-controller")  # they run beside a control plane, too
_PROGRAMS = (
    *("virt-operator", "virt-handler", "virt-launcher", "virt-launcher-monitor", "virt-chroot"),
    *("virt-probe", "virt-tail", "virt-freezer", "container-disk"),
)
_CONFIGURATION = "virt-launcher-files"
_AS_ROOT = ("virt-handler", "virt-launcher")
_AS_USER = ("virt-operator", *_CONTROL)
_USER = "FROM {image}\nUSER 1001\n"  # as in KubeVirt's own images


@functools.cache
def tag() -> str:
    """Return the tag of KubeVirt's images: a version that changes with their content."""
    modules = versions.cached_kubevirt().name, versions.cached_kubevirt_whole().name
    parts = [*sorted(_FILES.iterdir()), Path(__file__)]
    files = b"".join(part.read_bytes() for part in parts)
    digest = hashlib.sha256(files + "".join(modules).encode()).hexdigest()
    return f"{versions.KUBEVIRT}-{digest[:8]}"


def at_hand() -> bool:
    """Return True if VMs can boot without a build of half an hour (images alone take 4 min)."""
    built = has_kubevirt(*_CONTROL) and has_kubevirt_whole()
    return versions.ARCH == _GUEST_ARCH and (built or bool(released()))


def fetch() -> None:
    """Build the images that cannot be pulled."""
    if not released():
        build()
    build_guest()


def released() -> str:
    """Return the manifest of KubeVirt's release if its images can be pulled, else an empty text."""
    try:
        manifest = whole.released()
    except Unreachable as reason:
        say(f"KubeVirt's release cannot be downloaded: {reason}.")
        return ""
    image = whole.image_of(manifest)
    progress = Progress(f"Pulling {image}")
    if pulled(image):
        progress.done()
        return manifest
    say("KubeVirt's own images cannot be pulled.")
    return ""


def build() -> list[str]:
    """Build KubeVirt's images in the engine; return their names: one image for all programs."""
    names = [_name(program) for program in (*_AS_ROOT, *_AS_USER)]
    if not all(map(has, names)):
        _build()
    return names


def build_guest() -> str:
    """Build the guest's image, a disk and a kernel, in the engine; return its name."""
    if not has(_GUEST):
        _need_amd64()
        bases.build("Building the guest", _GUEST, _GUEST_FILES, "Dockerfile", bases.debian(_SUITE))
    return _GUEST


def _build() -> None:
    _need_amd64()
    # These fail first if the machine lacks debootstrap or a C compiler.
    base = bases.debian(_SUITE)
    parts = find_kubevirt_whole()
    control = find_kubevirt(*_CONTROL)
    with tempfile.TemporaryDirectory(dir=versions.cache(), prefix=".kubevirt-") as folder:
        context = Path(folder)
        shutil.copytree(_FILES, context, dirs_exist_ok=True)
        shutil.copytree(parts[_CONFIGURATION], context / "virt-launcher")
        link(control | {name: parts[name] for name in _PROGRAMS}, context / "bin")
        first = _name(_AS_ROOT[0])
        work = "Building KubeVirt's image with QEMU (about 2 min)"
        bases.build(work, first, context, "Dockerfile", base)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(_USER.format(image=first))
        for program in _AS_USER:
            docker("build", "-t", _name(program), folder)
    for program in _AS_ROOT:
        docker("tag", first, _name(program))


def _need_amd64() -> None:
    if versions.ARCH != _GUEST_ARCH:
        raise CommandFailed("The guest, and KubeVirt's images, are built for amd64 only.")


def _name(program: str) -> str:
    return f"{REGISTRY}/{program}:{tag()}"
