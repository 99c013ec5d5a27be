"""The releases that the test bed runs, and the folders where their binaries are cached.

The versions are written once, in the go.mod of binaries/ and of its folders; downloads use them,
too.
"""

import hashlib
import os
import platform
import re
from pathlib import Path

GO_MODULE = Path(__file__).with_name("binaries")
KUBEVIRT_MODULE = GO_MODULE / "kubevirt"
KUBEVIRT_WHOLE_MODULE = GO_MODULE / "kubevirtwhole"
NODE_MODULE = GO_MODULE / "node"
CERT_MANAGER_MODULE = GO_MODULE / "certmanager"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _required(module: str, by: Path) -> str:
    pattern = rf"^\s*(?:require )?{re.escape(module)} (v\S+)"
    found = re.search(pattern, (by / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{by}/go.mod does not require {module}"
    return found[1]


KUBERNETES = _required("k8s.io/kubernetes", GO_MODULE)
ETCD = _required("go.etcd.io/etcd/server/v3", GO_MODULE)
KUBEVIRT = _required("kubevirt.io/kubevirt", KUBEVIRT_MODULE)
KIND = _required("sigs.k8s.io/kind", NODE_MODULE)
CERT_MANAGER = _required("github.com/cert-manager/cert-manager", CERT_MANAGER_MODULE)
OS = platform.system().lower()
ARCH = _ARCHITECTURES.get(platform.machine(), platform.machine())


def cache() -> Path:
    """Return the folder that outlives checkouts: `KUBEMACPOOL_CACHE`, else the user's cache."""
    if chosen := os.environ.get("KUBEMACPOOL_CACHE"):
        return Path(chosen).absolute()
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "kubemacpool"


def cached_binaries() -> Path:
    """Return the folder of this release's binaries in the cache; it may not exist yet."""
    return cache() / "bin" / f"{KUBERNETES}-{OS}-{ARCH}"


def cached_kubevirt() -> Path:
    """Return the same for KubeVirt; our additions to its module are part of the name."""
    return _cached_module(f"kubevirt-{KUBEVIRT}", KUBEVIRT_MODULE)


def cached_kubevirt_whole() -> Path:
    """Return the same for KubeVirt's other products."""
    return _cached_module(f"kubevirtwhole-{KUBEVIRT}", KUBEVIRT_WHOLE_MODULE)


def cached_node() -> Path:
    """Return the same for kind and the parts of its nodes."""
    return _cached_module(f"kind-{KIND}", NODE_MODULE)


def cached_cert_manager() -> Path:
    """Return the same for cert-manager's CRDs."""
    return _cached_module(f"cert-manager-{CERT_MANAGER}", CERT_MANAGER_MODULE)


def _cached_module(name: str, module: Path) -> Path:
    sources = [module / "go.mod", *sorted(module.rglob("*.go"))]
    ours = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]
    return cache() / "bin" / f"{name}-{OS}-{ARCH}-{ours}"
