"""KubeVirt on a kind cluster, as its own operator brings it up."""

import json
import subprocess

from e2e.cluster import release
from e2e.cluster.download import Unreachable, text
from e2e.cluster.kind.cluster import KindCluster
from e2e.cluster.kind.engine import pulled
from e2e.cluster.kind.kubevirt import images
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.kubevirt.start import await_collector
from e2e.cluster.locate import find_kubevirt_whole
from e2e.cluster.progress import Progress, say
from e2e.cluster.readiness import eventually

NAMESPACE = "kubevirt"
_RELEASED = (
    f"https://github.com/kubevirt/kubevirt/releases/download/{release.KUBEVIRT}"
    "/kubevirt-operator.yaml"
)
_OPERATOR = "deployment/virt-operator"
_IN_ITS_NAMESPACE = ("-n", NAMESPACE)
_START_S = 900.0  # two idle cores need 80 s
# A kubelet on control groups of version 1 counts none, as it isolates none; launchers ask for it.
_STORAGE = "ephemeral-storage"
_CONFIGURATION = {
    "imagePullPolicy": "IfNotPresent",
    "developerConfiguration": {"useEmulation": True},  # used where /dev/kvm cannot be
}
_KUBEVIRT = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": NAMESPACE},
    "spec": {
        "imagePullPolicy": "IfNotPresent",
        "infra": {"replicas": 1},  # two of each would not make a machine of two cores safer
        "configuration": _CONFIGURATION,
    },
}


def install(cluster: KindCluster) -> None:
    """Bring KubeVirt up, and have the guest's image on the nodes; return when machines can boot.

    Where it is already, nothing changes but what nodes have forgotten since.
    """
    kubectl = cluster.kubectl
    images.build_guest()
    if not stands(kubectl):
        operator = _operator(cluster)
        progress = Progress("Starting KubeVirt")
        _start(kubectl, operator, progress)
        progress.done()
    cluster.load(images.guest())
    count_storage(kubectl)


def stands(kubectl: Kubectl, patience: str = "0s") -> bool:
    """Whether KubeVirt is there and says that it is available."""
    wait = ("wait", "kubevirt/kubevirt", "--for=condition=Available", f"--timeout={patience}")
    return not kubectl.run(*wait, *_IN_ITS_NAMESPACE).returncode


def count_storage(kubectl: Kubectl) -> None:
    """Let launchers be placed on nodes whose kubelet counts no ephemeral storage.

    A kubelet that starts again takes it back, so this may be needed again.
    """
    for node in kubectl.json("get", "nodes")["items"]:
        if node["status"]["capacity"].get(_STORAGE, "0") == "0":
            name = node["metadata"]["name"]
            patch = json.dumps({"status": {"capacity": {_STORAGE: "64Gi"}}})
            kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", patch)
    eventually(lambda: _all_count(kubectl), "the kubelets offer ephemeral storage")


def _all_count(kubectl: Kubectl) -> bool:
    nodes = kubectl.json("get", "nodes")["items"]
    return all(node["status"]["allocatable"].get(_STORAGE, "0") != "0" for node in nodes)


def _operator(cluster: KindCluster) -> str:
    """What brings virt-operator up: its release where its image can be pulled, else our build."""
    try:
        released = text(_RELEASED)
    except Unreachable as reason:
        say(f"KubeVirt's release cannot be had ({reason}): it is built from its modules, once.")
    else:
        if pulled(_image(released)):
            return released
        say("KubeVirt's own images cannot be pulled: they are built from its modules, once.")
    images.build()
    cluster.load(*images.names())
    printer = find_kubevirt_whole("operator-manifests")["operator-manifests"]
    argv = [str(printer), NAMESPACE, images.REGISTRY, images.tag()]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _image(operator: str) -> str:
    """The image that KubeVirt's release runs its operator with."""
    key = "image: "
    (line,) = [one for one in operator.splitlines() if one.strip().startswith(key)]
    return line.partition(key)[2].strip()


def _start(kubectl: Kubectl, operator: str, progress: Progress) -> None:
    kubectl.apply(operator, "--server-side", "--force-conflicts")
    kubectl("scale", _OPERATOR, *_IN_ITS_NAMESPACE, "--replicas=1")
    own = ("wait", "--for=condition=Established", "crd/kubevirts.kubevirt.io", "--timeout=5s")
    eventually(lambda: not kubectl.run(*own).returncode, "KubeVirt's own CRD established")
    kubectl.apply(json.dumps(_KUBEVIRT))

    def available() -> bool:
        progress.tick(_phase(kubectl))
        return stands(kubectl, "5s")

    eventually(available, "KubeVirt available", _START_S)
    await_collector(kubectl)


def _phase(kubectl: Kubectl) -> str:
    shown = ("-o", "jsonpath={.status.phase}")
    return kubectl.run("get", "kubevirt", "kubevirt", *_IN_ITS_NAMESPACE, *shown).stdout
