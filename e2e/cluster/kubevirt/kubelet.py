"""Stands in for the kubelet and Multus of two nodes, one explicit call at a time.

A stand-in: no container runs. It writes what they would write about launcher pods, and nothing
else: the binding, the addresses, the phase, and at the end the deletion.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from e2e.cluster.kubectl import Kubectl

NODES = ("node-1", "node-2")

_NETWORKS = "k8s.v1.cni.cncf.io/networks"
_NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"


@dataclass(frozen=True, slots=True)
class Kubelet:
    """The kubelets of all nodes, as an administrator."""

    kubectl: Kubectl

    def join(self) -> None:
        """Make the nodes, as nodes on which virt-handler is at work."""
        for name in NODES:
            self.kubectl.apply(json.dumps(_node(name)))

    def run(self, pod: dict[str, Any], node: str) -> None:
        """Place a pod on `node`, give it its networks, and have all its containers ready."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if not pod["spec"].get("nodeName"):
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            }
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
            self.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(binding))
        self.attach(pod)
        self._patch(namespace, name, {"status": _running(pod)}, "--subresource=status")

    def attach(self, pod: dict[str, Any]) -> None:
        """Give a pod the networks that its annotation asks for, and no others."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        annotation = {"metadata": {"annotations": {_NETWORK_STATUS: json.dumps(_attached(pod))}}}
        self._patch(namespace, name, annotation)

    def end(self, pod: dict[str, Any], phase: str = "Succeeded") -> None:
        """Let all containers of a pod end, and the pod go where it is being deleted."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        conditions = [{"type": "Ready", "status": "False", "reason": "PodCompleted"}]
        status = {"status": {"phase": phase, "conditions": conditions}}
        self._patch(namespace, name, status, "--subresource=status")
        named = ("pod", name, "-n", namespace, "--ignore-not-found")
        if self.kubectl("get", *named, "-o", "jsonpath={.metadata.deletionTimestamp}"):
            self.kubectl("delete", *named, "--grace-period=0", "--force")

    def _patch(self, namespace: str, name: str, patch: object, *args: str) -> None:
        target = ("patch", "pod", name, "-n", namespace, *args)
        done = self.kubectl.run(*target, "--type=strategic", "-p", json.dumps(patch))
        gone = "NotFound" in done.stderr  # it was deleted before it was on a node
        assert not done.returncode or gone, done.stderr


def _node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubevirt.io/schedulable": "true"}
    capacity = {"cpu": "32", "memory": "64Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{"type": "Ready", "status": "True", "reason": "StandIn"}],
        },
    }


def _running(pod: dict[str, Any]) -> dict[str, Any]:
    ready = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    address, since = _address(pod), pod["metadata"]["creationTimestamp"]
    containers = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": since}},
        }
        for container in pod["spec"]["containers"]
    ]
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": since} for kind in ready
        ],
        "containerStatuses": containers,
    }


def _attached(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """What Multus says of a pod: the cluster's network, and each one asked for."""
    first = {
        "name": "stand-in",
        "interface": "eth0",
        "ips": [_address(pod)],
        "mac": _made_up(pod, "eth0"),
        "default": True,
        "dns": {},
    }
    asked = json.loads(pod["metadata"].get("annotations", {}).get(_NETWORKS, "[]"))
    others = [
        {
            "name": f"{element['namespace']}/{element['name']}",
            "interface": element["interface"],
            "mac": element.get("mac") or _made_up(pod, element["interface"]),
            "dns": {},
        }
        for element in asked
    ]
    return [first, *others]


def _made_up(pod: dict[str, Any], interface: str) -> str:
    """The address that a CNI plugin picks where none is asked for: local, and by chance."""
    chance = hashlib.sha256(f"{pod['metadata']['uid']}/{interface}".encode()).digest()
    return bytes([0x0E, *chance[:5]]).hex(":")


def _address(pod: dict[str, Any]) -> str:
    """An address from RFC 2544's range, which nothing here uses."""
    chance = hashlib.sha256(pod["metadata"]["uid"].encode()).digest()
    return f"198.18.{chance[0]}.{chance[1]}"
