"""All of KubeVirt on a cluster with nodes, installed by its own operator."""

import json
import os
from typing import Any

from testbed import versions
from testbed.client import is_true
from testbed.download import text
from testbed.kubectl import Kubectl
from testbed.kubevirt.crds import NAMESPACE
from testbed.kubevirt.start import await_collector
from testbed.progress import Progress
from testbed.readiness import eventually

_VARIABLE = "KUBEVIRT"
_RELEASED = (
    f"https://github.com/kubevirt/kubevirt/releases/download/{versions.KUBEVIRT}"
    "/kubevirt-operator.yaml"
)
_CRD = "kubevirts.kubevirt.io"
_THERE = ("-n", NAMESPACE)
START_S = 900.0  # seen: 80 s on two idle cores, 127 s with a load of 10
# A binding for networks whose CNI plugin makes the guest's tap itself. KubeVirt's bridge binding
# makes a dummy device, too, which not every kernel has.
TAP = "tap"
# Of two nodes one has the control plane. A guest can move only if both take guests.
ANYWHERE = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
_CONFIGURATION = {
    "imagePullPolicy": "IfNotPresent",
    "developerConfiguration": {"useEmulation": True},  # where there is no KVM
    "network": {"binding": {TAP: {"domainAttachmentType": "tap"}}},
}
# If /dev/kvm exists but cannot be opened, libvirt finds no CPU models for KVM, and KubeVirt finds
# no node to migrate to.
_LABELLER = {"name": "virt-launcher", "env": [{"name": "PREFERRED_VIRTTYPE", "value": "qemu"}]}
_IN_SOFTWARE = {
    "resourceType": "DaemonSet",
    "resourceName": "virt-handler",
    "type": "strategic",
    "patch": json.dumps({"spec": {"template": {"spec": {"initContainers": [_LABELLER]}}}}),
}


def wanted() -> bool:
    """Return True if the environment asks for KubeVirt."""
    return os.environ.get(_VARIABLE) == "true"


def released() -> str:
    """Return KubeVirt's own manifest of its operator; raises download.Unreachable."""
    return text(_RELEASED)


def image_of(manifest: str) -> str:
    """Return the operator's image in a manifest of the release."""
    key = "image: "
    (line,) = [line for line in manifest.splitlines() if line.strip().startswith(key)]
    return line.partition(key)[2].strip()


def found(kubectl: Kubectl) -> dict[str, bool]:
    """Return, for each KubeVirt of a cluster by `namespace/name`, whether it is available."""
    client = kubectl.client
    if client.get("crd", _CRD) is None:
        return {}
    items = client.list("kubevirts.kubevirt.io")
    return {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": is_true(item, "Available")
        for item in items
    }


def is_there(kubectl: Kubectl) -> bool:
    """Return True if a cluster has any KubeVirt, available or not."""
    return bool(found(kubectl))


def is_available(kubectl: Kubectl, patience: str = "0s") -> bool:
    """Return True if KubeVirt is installed and reports that it is available."""
    wait = ("wait", "kubevirt/kubevirt", "--for=condition=Available", f"--timeout={patience}")
    return not kubectl.run(*wait, *_THERE).returncode


def start(kubectl: Kubectl, operator: str, *, kvm: bool) -> None:
    """Apply the operator's manifest and ask it for KubeVirt; return when machines are served."""
    progress = Progress("Starting KubeVirt")
    kubectl.apply(operator, "--server-side", "--force-conflicts")
    kubectl("scale", "deployment/virt-operator", "--replicas=1", *_THERE)
    kubectl.client.wait_established(_CRD)
    kubectl.apply(json.dumps(_kubevirt(kvm=kvm)))

    def available() -> bool:
        progress.tick(_phase(kubectl))
        return is_available(kubectl, "5s")

    eventually(available, "KubeVirt available", START_S)
    await_collector(kubectl)
    progress.done()


def _kubevirt(*, kvm: bool) -> dict[str, Any]:
    """Return the KubeVirt object: one replica of each program, because the machine is small."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": NAMESPACE},
        "spec": {
            "imagePullPolicy": "IfNotPresent",
            "infra": {"replicas": 1},
            "workloads": {"nodePlacement": {"tolerations": ANYWHERE}},
            "configuration": _CONFIGURATION,
            "customizeComponents": {"patches": [] if kvm else [_IN_SOFTWARE]},
        },
    }


def _phase(kubectl: Kubectl) -> str:
    shown = ("-o", "jsonpath={.status.phase}")
    return kubectl.run("get", "kubevirt", "kubevirt", *shown, *_THERE).stdout
