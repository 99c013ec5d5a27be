"""Which releases the test bed runs, and where their binaries are cached.

The versions stand once, in binaries/go.mod: raising them there raises them for downloads, too.
"""

import os
import platform
import re
from pathlib import Path

GO_MODULE = Path(__file__).with_name("binaries")
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
SCHEDULER = "kube-scheduler"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _required(module: str) -> str:
    pattern = rf"^\s*{re.escape(module)} (v\S+)"
    found = re.search(pattern, (GO_MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{GO_MODULE}/go.mod does not require {module}"
    return found[1]


KUBERNETES = _required("k8s.io/kubernetes")
ETCD = _required("go.etcd.io/etcd/server/v3")
OS = platform.system().lower()
ARCH = _ARCHITECTURES.get(platform.machine(), platform.machine())


def cache() -> Path:
    """The folder that outlives checkouts: `KUBEMACPOOL_CACHE`, else the user's cache."""
    if chosen := os.environ.get("KUBEMACPOOL_CACHE"):
        return Path(chosen).absolute()
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "kubemacpool"


def cached_binaries() -> Path:
    """The folder of this release's binaries in the cache; it may not exist yet."""
    return cache() / "bin" / f"{KUBERNETES}-{OS}-{ARCH}"
