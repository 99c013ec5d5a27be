"""The image of kind's nodes: kindest/node where it can be pulled, else built of its parts."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from testbed import versions
from testbed.files import link
from testbed.kind import bases
from testbed.kind.engine import docker, has, pulled
from testbed.locate import find, find_node
from testbed.progress import Progress, say

_FILES = Path(__file__).with_name("node")
_KUBERNETES = ("kubelet", "kubeadm", "kubectl")
_RUNTIME = ("containerd", "containerd-shim-runc-v2", "ctr")
# The control plane's images by the last part of their name, but CoreDNS (see `bring_up`).
_STATIC = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
_PAUSE, _PROXY = "pause", "kube-proxy"
_LOCAL = ("import-images.service", "default-storage.yaml", "Dockerfile")


def node_image() -> str:
    """Return the image, which the engine has then."""
    released = _released()
    if pulled(released):
        return released
    ours = f"kubemacpool.test/node:{versions.KUBERNETES}-{_recipe()}"
    if not has(ours):
        say(f"{released} cannot be pulled: a node image is built of its parts, once.")
        _build(ours)
    return ours


def _released() -> str:
    """The node image that belongs to this release of kind, with its digest."""
    source = find_node("default-image.go")["default-image.go"].read_text()
    found = re.search(r'"(kindest/node:[^"]+)"', source)
    assert found, "kind names no node image"
    return found[1]


def _recipe() -> str:
    """Eight digits that change with whatever goes into an image of ours."""
    parts = [*sorted(_FILES.iterdir()), Path(__file__)]
    content = b"".join(part.read_bytes() for part in parts) + versions.cached_node().name.encode()
    return hashlib.sha256(content).hexdigest()[:8]


def _build(image: str) -> None:
    kubernetes = find([*_KUBERNETES, *_STATIC, _PROXY])
    parts = find_node()
    packages = bases.packages()
    # Beside the binaries, so that they can be linked instead of copied.
    with tempfile.TemporaryDirectory(dir=versions.cache(), prefix=".node-") as folder:
        context = Path(folder)
        for name in _LOCAL:
            shutil.copyfile(_FILES / name, context / name)
        link({name: kubernetes[name] for name in _KUBERNETES}, context / "usr/bin")
        link({name: parts[name] for name in _RUNTIME}, context / "usr/local/bin")
        shutil.copytree(parts["node-files"], context / "files")
        (context / "version").write_text(versions.KUBERNETES)
        wanted = _wanted_images(kubernetes["kubeadm"])
        config = (_FILES / "config.toml").read_text().replace("SANDBOX_IMAGE", wanted[_PAUSE])
        (context / "config.toml").write_text(config)
        _save_images(wanted, {**kubernetes, **parts}, packages, context / "images")
        argument = f"PACKAGES={packages}"
        progress = Progress("Building the node image")
        docker("build", "-t", image, "--build-arg", argument, str(context))
        progress.done()


def _wanted_images(kubeadm: Path) -> dict[str, str]:
    """The images that kubeadm will ask for, by the last part of their name."""
    version = f"--kubernetes-version={versions.KUBERNETES}"
    asked = subprocess.run(
        [str(kubeadm), "config", "images", "list", version],
        capture_output=True,
        text=True,
        check=True,
    )
    return {image.rpartition("/")[2].partition(":")[0]: image for image in asked.stdout.split()}


def _save_images(
    wanted: Mapping[str, str], binaries: Mapping[str, Path], packages: str, into: Path
) -> None:
    """Make them, save them as one archive, and leave none in the engine."""
    progress = Progress("Building the control plane's images")
    made = []
    for name in (*_STATIC, _PROXY, _PAUSE):
        base = packages if name == _PROXY else "scratch"
        lines = [f"FROM {base}", f"COPY {name} /usr/local/bin/{name}"]
        lines += [f'ENTRYPOINT ["/usr/local/bin/{name}"]'] if name == _PAUSE else []
        with tempfile.TemporaryDirectory(dir=versions.cache(), prefix=".node-") as folder:
            context = Path(folder)
            (context / "Dockerfile").write_text("\n".join(lines))
            link({name: binaries[name]}, context)
            docker("build", "-t", wanted[name], str(context))
        made.append(wanted[name])
        progress.tick(name)
    into.mkdir()
    docker("save", "-o", str(into / "control-plane.tar"), *made)
    docker("rmi", *made)
    progress.done()
