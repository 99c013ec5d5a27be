"""KubeVirt's own objects, as its operator would make them, and the CRD that Multus brings."""

import json
import subprocess
from pathlib import Path
from typing import Any

from testbed.kubectl import Kubectl
from testbed.locate import find_kubevirt, has_kubevirt
from testbed.progress import Progress

NAMESPACE = "kubevirt"

_PRINTER, _NETWORKS_CRD = "kubevirt-manifests", "networks-crd.yaml"
_VM_CRDS = ("virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io")


def are_built() -> bool:
    """Return True if the CRDs are in our cache. If they are not, building them takes minutes."""
    return has_kubevirt(_PRINTER, _NETWORKS_CRD)


def fetch() -> None:
    """Build the CRDs into our cache, once: 10 s of downloads and 2 minutes on two cores."""
    _found()


def apply_crds(kubectl: Kubectl) -> None:
    """Apply all of KubeVirt's CRDs and that of networks; return when they are established."""
    progress = Progress("Applying KubeVirt's CRDs")
    _apply(kubectl, printed("crds"))
    crd = kubectl.client.apply(_found()[_NETWORKS_CRD].read_text())
    kubectl.client.wait_established(crd["metadata"]["name"])
    progress.done()


def apply_vm_crds(kubectl: Kubectl) -> None:
    """Apply KubeVirt's CRDs of VMs and VMIs, which is quicker; return when they are established."""
    _apply(kubectl, [crd for crd in printed("crds") if crd["metadata"]["name"] in _VM_CRDS])


def remove_crds(kubectl: Kubectl) -> None:
    """Remove all of KubeVirt's CRDs and their objects, but not that of networks."""
    names = [crd["metadata"]["name"] for crd in printed("crds")]
    for name in names:
        kubectl.client.delete("crd", name, wait=False, missing_ok=True)
    for name in names:
        kubectl.client.wait_gone("crd", name)


def apply_accounts(kubectl: Kubectl) -> None:
    """Apply the namespace, the service accounts of KubeVirt's programs, and their roles."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    for account in (namespace, *printed("rbac")):
        kubectl.client.apply(account)


def printed(what: str) -> list[dict[str, Any]]:
    """Return the objects that KubeVirt's operator would create: `crds`, `rbac` or `api`."""
    printer = str(_found()[_PRINTER])
    done = subprocess.run([printer, what, NAMESPACE], capture_output=True, text=True, check=True)
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def _found() -> dict[str, Path]:
    return find_kubevirt(_PRINTER, _NETWORKS_CRD)


def _apply(kubectl: Kubectl, crds: list[dict[str, Any]]) -> None:
    for crd in crds:
        kubectl.client.apply(crd)
    for crd in crds:
        kubectl.client.wait_established(crd["metadata"]["name"])
