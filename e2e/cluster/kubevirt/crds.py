"""KubeVirt's own objects, as its operator would make them, and the CRD that Multus brings."""

import json
import subprocess
from pathlib import Path
from typing import Any

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.locate import find_kubevirt, has_kubevirt
from e2e.cluster.progress import Progress
from e2e.cluster.readiness import eventually

NAMESPACE = "kubevirt"

_PRINTER, _NETWORKS_CRD = "kubevirt-manifests", "networks-crd.yaml"
_MACHINES = ("virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io")
_SERVER_SIDE = ("--server-side", "--force-conflicts")  # up to 675 KB: too much for an annotation


def at_hand() -> bool:
    """Whether the CRDs are in our cache; where they are not, it takes minutes to build them."""
    return has_kubevirt(_PRINTER, _NETWORKS_CRD)


def fetch() -> None:
    """Have the CRDs in our cache: 10 s of downloads and 2 minutes of two cores, once."""
    _found()


def apply_crds(kubectl: Kubectl) -> None:
    """Apply all of KubeVirt's CRDs and that of networks; return when they are established."""
    apply_own_crds(kubectl)
    apply_networks_crd(kubectl)


def apply_own_crds(kubectl: Kubectl) -> None:
    """Apply all of KubeVirt's CRDs; return when they are established."""
    progress = Progress("Applying KubeVirt's CRDs")
    _apply(kubectl, printed("crds"))
    progress.done()


def apply_machine_crds(kubectl: Kubectl) -> None:
    """Apply KubeVirt's CRDs of VMs and VMIs, which is quicker; return when they are established."""
    _apply(kubectl, [crd for crd in printed("crds") if crd["metadata"]["name"] in _MACHINES])


def apply_networks_crd(kubectl: Kubectl) -> None:
    """Apply the CRD NetworkAttachmentDefinition; return when it is established."""
    path = str(_found()[_NETWORKS_CRD])
    kubectl("apply", *_SERVER_SIDE, "-f", path)
    kubectl("wait", "--for=condition=Established", "-f", path, "--timeout=60s")


def remove_crds(kubectl: Kubectl) -> None:
    """Remove all of KubeVirt's CRDs and their objects, but not that of networks."""
    kubectl("delete", "--ignore-not-found", *_names(printed("crds")))


def apply_accounts(kubectl: Kubectl) -> None:
    """Apply the namespace, the service accounts of KubeVirt's programs, and their roles."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kubectl.apply(_as_list([namespace, *printed("rbac")]), *_SERVER_SIDE)


def printed(what: str) -> list[dict[str, Any]]:
    """Return the objects that KubeVirt's operator would create: `crds`, `rbac` or `api`."""
    printer = str(_found()[_PRINTER])
    done = subprocess.run([printer, what, NAMESPACE], capture_output=True, text=True, check=True)
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def _found() -> dict[str, Path]:
    return find_kubevirt(_PRINTER, _NETWORKS_CRD)


def _apply(kubectl: Kubectl, crds: list[dict[str, Any]]) -> None:
    kubectl.apply(_as_list(crds), *_SERVER_SIDE)
    # Just created, they have no conditions yet, which kubectl takes for an error.
    wait = ("wait", "--for=condition=Established", *_names(crds), "--timeout=60s")
    eventually(lambda: kubectl.run(*wait).returncode == 0, "KubeVirt's CRDs established")


def _as_list(items: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _names(crds: list[dict[str, Any]]) -> list[str]:
    return [f"crd/{crd['metadata']['name']}" for crd in crds]
