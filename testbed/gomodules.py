"""Our Go modules: what is built from each of them, how, and about how long that takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testbed import versions


@dataclass(frozen=True, slots=True)
class GoModule:
    """One folder with a go.mod, and what comes out of it; see `gobuild` for how."""

    folder: Path
    packages: Mapping[str, str]  # binary: the package it is built from
    version_packages: Mapping[str, Mapping[str, str]]  # package: the variables stamped there
    seconds: Mapping[str, int]  # on two cores, when all they share is built already
    shared_s: int  # for what they share
    remedy: str  # for those who will not wait
    loners: Collection[str] = ()  # these share nothing
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # name: module, path in it
    c_files: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # the same, to compile
    linked: Collection[str] = ()  # with C libraries of the machine that builds
    libraries: str = ""  # which, for pkg-config

    @property
    def products(self) -> list[str]:
        """Return all its products, in the order in which they are built."""
        return [*self.packages, *self.c_files, *self.files]

    def about_minutes(self, names: Collection[str]) -> int:
        """How long `names` take with an empty build cache."""
        shared = self.shared_s if set(names) - set(self.loners) else 0
        return round((shared + sum(self.seconds.get(name, 0) for name in names)) / 60)


def _stamp(version: str) -> dict[str, str]:
    major, minor, _ = version.removeprefix("v").split(".")
    return {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }


# Without a version the server calls itself v0.0.0 and clients misbehave.
CONTROL_PLANE = GoModule(
    folder=versions.GO_MODULE,
    packages={
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        "kubelet": "k8s.io/kubernetes/cmd/kubelet",
        "kubeadm": "k8s.io/kubernetes/cmd/kubeadm",
        "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    },
    version_packages={
        "k8s.io/component-base/version": _stamp(versions.KUBERNETES),
        "k8s.io/client-go/pkg/version": _stamp(versions.KUBERNETES),
    },
    seconds={
        "etcd": 45,
        "kube-apiserver": 110,
        "kube-controller-manager": 105,
        "kube-scheduler": 10,
        "kubectl": 25,
        "kubelet": 60,
        "kubeadm": 15,
        "kube-proxy": 15,
    },
    shared_s=180,
    remedy="If you have them already, stop this and set KUBEBUILDER_ASSETS to their folder.",
    loners=("etcd",),
)

KUBEVIRT = GoModule(
    folder=versions.KUBEVIRT_MODULE,
    packages={
        "virt-controller": "kubevirt.io/kubevirt/cmd/virt-controller",
        "virt-api": "kubevirt.io/kubevirt/cmd/virt-api",
        "kubevirt-manifests": "./manifests",
    },
    version_packages={
        "kubevirt.io/client-go/version": {
            "gitVersion": versions.KUBEVIRT,
            "gitTreeState": "clean",
        }
    },
    seconds={"virt-controller": 40, "virt-api": 25, "kubevirt-manifests": 10},
    shared_s=110,
    remedy="There are no binaries of it to download.",
    # The CRD that Multus deploys, from those who specify it, in the release that KubeVirt uses.
    files={
        "networks-crd.yaml": (
            "github.com/k8snetworkplumbingwg/network-attachment-definition-client",
            "artifacts/networks-crd.yaml",
        )
    },
)

_PROGRAMS = "kubevirt.io/kubevirt/cmd"
# What KubeVirt has besides those two, to boot a VM.
KUBEVIRT_WHOLE = GoModule(
    folder=versions.KUBEVIRT_WHOLE_MODULE,
    packages={
        "virt-operator": f"{_PROGRAMS}/virt-operator",
        "virt-handler": f"{_PROGRAMS}/virt-handler",
        "virt-launcher": f"{_PROGRAMS}/virt-launcher",
        "virt-launcher-monitor": f"{_PROGRAMS}/virt-launcher-monitor",
        "virt-chroot": f"{_PROGRAMS}/virt-chroot",
        "virt-probe": f"{_PROGRAMS}/virt-probe",
        "virt-tail": f"{_PROGRAMS}/virt-tail",
        "virt-freezer": f"{_PROGRAMS}/virt-freezer",
        "virtctl": f"{_PROGRAMS}/virtctl",
        "tap": "github.com/containernetworking/plugins/plugins/main/tap",
        "operator-manifests": "./operator",
    },
    version_packages=KUBEVIRT.version_packages,
    seconds={"virt-operator": 30, "virt-handler": 60, "virt-launcher": 60, "virtctl": 20},
    shared_s=180,
    remedy="Where KubeVirt's own images can be pulled, none of it is built.",
    linked=("virt-handler", "virt-launcher"),
    libraries="libvirt",
    loners=("tap",),
    c_files={"container-disk": ("kubevirt.io/kubevirt", "cmd/container-disk-v2alpha/main.c")},
    files={"virt-launcher-files": ("kubevirt.io/kubevirt", "cmd/virt-launcher")},
)

_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_PLUGINS = "github.com/containernetworking/plugins/plugins"
# The parts of a kind node besides Kubernetes, and kind itself.
NODE = GoModule(
    folder=versions.NODE_MODULE,
    packages={
        "kind": "sigs.k8s.io/kind",
        "multus": "gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus",
        "bridge": f"{_PLUGINS}/main/bridge",
        "host-local": f"{_PLUGINS}/ipam/host-local",
        "loopback": f"{_PLUGINS}/main/loopback",
        "portmap": f"{_PLUGINS}/meta/portmap",
        "tuning": f"{_PLUGINS}/meta/tuning",
        "containerd": f"{_CONTAINERD}/containerd",
        "containerd-shim-runc-v2": f"{_CONTAINERD}/containerd-shim-runc-v2",
        "ctr": f"{_CONTAINERD}/ctr",
        "pause": "./pause",
    },
    version_packages={},
    seconds={"kind": 15, "multus": 30, "containerd": 60, "containerd-shim-runc-v2": 10, "ctr": 10},
    shared_s=60,
    remedy="Most of it is for the node image, which is not built where kindest/node can be pulled.",
    loners=("pause",),
    files={
        # Files that kind copies into its node images: the entrypoint and systemd's units.
        "node-files": ("sigs.k8s.io/kind", "images/base/files"),
        "default-image.go": ("sigs.k8s.io/kind", "pkg/apis/config/defaults/image.go"),
        "multus.yaml": (
            "gopkg.in/k8snetworkplumbingwg/multus-cni.v4",
            "deployments/multus-daemonset.yml",
        ),
    },
)

# cert-manager does not run here: its CRDs say whether our overlay is written as it reads it.
CERT_MANAGER = GoModule(
    folder=versions.CERT_MANAGER_MODULE,
    packages={},
    version_packages={},
    seconds={},
    shared_s=0,
    remedy="It is 4 MB to download.",
    files={"cert-manager-crds": ("github.com/cert-manager/cert-manager", "deploy/crds")},
)


def of(names: Collection[str]) -> GoModule:
    """The module that all of `names` come from."""
    modules = (CONTROL_PLANE, KUBEVIRT, KUBEVIRT_WHOLE, NODE, CERT_MANAGER)
    return next(module for module in modules if set(names) <= set(module.products))
