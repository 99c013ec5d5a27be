"""KubeVirt's own objects, as its operator would make them, and the CRD that Multus brings."""

import json
import subprocess
from typing import Any

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.locate import find_kubevirt
from e2e.cluster.progress import Progress

NAMESPACE = "kubevirt"

_SERVER_SIDE = ("--server-side", "--force-conflicts")  # up to 675 KB: too much for an annotation


def apply_crds(kubectl: Kubectl) -> None:
    """Apply all of KubeVirt's CRDs and that of networks; return when they are established."""
    progress = Progress("Applying KubeVirt's CRDs")
    crds = printed("crds")
    kubectl.apply(_as_list(crds), *_SERVER_SIDE)
    kubectl("wait", "--for=condition=Established", *_names(crds), "--timeout=60s")
    apply_networks_crd(kubectl)
    progress.done()


def apply_networks_crd(kubectl: Kubectl) -> None:
    """Apply the CRD NetworkAttachmentDefinition; return when it is established."""
    path = str(find_kubevirt()["networks-crd.yaml"])
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
    printer = str(find_kubevirt()["kubevirt-manifests"])
    done = subprocess.run([printer, what, NAMESPACE], capture_output=True, text=True, check=True)
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def _as_list(items: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _names(crds: list[dict[str, Any]]) -> list[str]:
    return [f"crd/{crd['metadata']['name']}" for crd in crds]
