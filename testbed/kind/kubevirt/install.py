"""Installs KubeVirt on a kind cluster: its release if it can be pulled, else our build."""

import json
import subprocess

from testbed.kind.cluster import KindCluster
from testbed.kind.engine import docker
from testbed.kind.kubevirt import images
from testbed.kubectl import Kubectl
from testbed.kubevirt import whole
from testbed.kubevirt.crds import NAMESPACE
from testbed.kubevirt.start import await_collector
from testbed.locate import find_kubevirt_whole
from testbed.progress import CommandFailed, say
from testbed.readiness import eventually

# Launchers request storage, but a kubelet on control groups of version 1 counts none.
_STORAGE = "ephemeral-storage"


def install(cluster: KindCluster) -> None:
    """Install KubeVirt; return when machines can boot.

    If it is installed already, only the settings that nodes lose at a restart are made again.
    """
    kubectl = cluster.kubectl
    if whole.is_available(kubectl):  # this status may be older than a restart of the nodes
        await_collector(kubectl, whole.START_S)
    else:
        whole.start(kubectl, _operator(cluster), kvm=_has_kvm(cluster))
    _bring_tap(cluster)
    count_storage(kubectl)


def count_storage(kubectl: Kubectl) -> None:
    """Allow launchers on nodes whose kubelet counts no ephemeral storage.

    A kubelet that starts again removes it, so this may be needed again.
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
    """Return virt-operator's manifest: the release if its image can be pulled, else our build."""
    if released := images.released():
        return released
    say("KubeVirt is built from its modules, once.")
    cluster.load(*images.build())
    printer = find_kubevirt_whole("operator-manifests")["operator-manifests"]
    argv = [str(printer), NAMESPACE, images.REGISTRY, images.tag()]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _has_kvm(cluster: KindCluster) -> bool:
    """Return True if a node can open /dev/kvm: it may be there and useless."""
    try:
        cluster.on_node(cluster.nodes[0], "sh", "-c", ": <> /dev/kvm")
    except CommandFailed:
        return False
    return True


def _bring_tap(cluster: KindCluster) -> None:
    """Put the CNI plugin of the binding `tap` on every node, beside those that came with Multus."""
    plugin = find_kubevirt_whole(whole.TAP)[whole.TAP]
    for node in cluster.nodes:
        docker("cp", str(plugin), f"{node}:/opt/cni/bin/{whole.TAP}")
