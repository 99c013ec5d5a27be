"""KubeVirt whole on a cluster with nodes, as its own operator brings it up from a manifest."""

import json
import os
from typing import Any

from testbed import versions
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
# Two nodes are one with a control plane and one without: a guest can move where both take guests.
ANYWHERE = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
_CONFIGURATION = {
    "imagePullPolicy": "IfNotPresent",
    "developerConfiguration": {"useEmulation": True},  # where there is no KVM
    "network": {"binding": {TAP: {"domainAttachmentType": "tap"}}},
}
# A machine may have a /dev/kvm that cannot be opened; asked for KVM's, libvirt finds no CPU models
# then, and KubeVirt no node to migrate to.
_LABELLER = {"name": "virt-launcher", "env": [{"name": "PREFERRED_VIRTTYPE", "value": "qemu"}]}
_IN_SOFTWARE = {
    "resourceType": "DaemonSet",
    "resourceName": "virt-handler",
    "type": "strategic",
    "patch": json.dumps({"spec": {"template": {"spec": {"initContainers": [_LABELLER]}}}}),
}


def wanted() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get(_VARIABLE) == "true"


def released() -> str:
    """KubeVirt's own manifest of its operator; raises download.Unreachable."""
    return text(_RELEASED)


def image_of(manifest: str) -> str:
    """The image that a manifest of the release runs the operator with."""
    key = "image: "
    (line,) = [line for line in manifest.splitlines() if line.strip().startswith(key)]
    return line.partition(key)[2].strip()


def found(kubectl: Kubectl) -> dict[str, bool]:
    """Whether each KubeVirt of a cluster says that it is available, by `namespace/name`."""
    client = kubectl.client
    if client.get("crd", _CRD) is None:
        return {}
    items = client.list("kubevirts.kubevirt.io")
    return {
        f"{kubevirt['metadata']['namespace']}/{kubevirt['metadata']['name']}": _is_available(
            kubevirt
        )
        for kubevirt in items
    }


def is_there(kubectl: Kubectl) -> bool:
    """Whether a cluster has any KubeVirt, available or not."""
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
    """One replica of each program: two would not make a machine of two cores safer."""
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


def _is_available(kubevirt: dict[str, Any]) -> bool:
    conditions = kubevirt.get("status", {}).get("conditions", [])
    return any(
        condition["type"] == "Available" and condition["status"] == "True"
        for condition in conditions
    )


def _phase(kubectl: Kubectl) -> str:
    shown = ("-o", "jsonpath={.status.phase}")
    return kubectl.run("get", "kubevirt", "kubevirt", *shown, *_THERE).stdout
