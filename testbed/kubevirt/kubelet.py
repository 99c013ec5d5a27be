"""A stand-in for the kubelet and Multus of two nodes: tests call each of its steps.

No container runs. It writes only what they would write about launcher pods: the binding, the
addresses, the phase, and at the end the deletion.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from testbed.client import STRATEGIC, Client
from testbed.connection import Refused

NODES = ("node-1", "node-2")

_NETWORKS = "k8s.v1.cni.cncf.io/networks"
_NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"
_CAPACITY = {"cpu": "32", "memory": "64Gi", "pods": "110"}
_NODE_STATUS = {
    "capacity": _CAPACITY,
    "allocatable": _CAPACITY,
    "conditions": [{"type": "Ready", "status": "True", "reason": "StandIn"}],
}


@dataclass(frozen=True, slots=True)
class Kubelet:
    """The kubelets of all nodes, as an administrator."""

    client: Client

    def join(self) -> None:
        """Make the nodes, as nodes on which virt-handler is at work."""
        for name in NODES:
            self.client.apply(_node(name))
            self.client.patch("node", name, {"status": _NODE_STATUS}, subresource="status")

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
            self.client.connection.send("POST", path, binding)
        self.attach(pod)
        self._patch(namespace, name, {"status": _running(pod)}, subresource="status")

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
        self._patch(namespace, name, status, subresource="status")
        left = self.client.get("pod", name, namespace)
        if left and "deletionTimestamp" in left["metadata"]:
            self.client.delete("pod", name, namespace, grace_s=0, missing_ok=True)

    def _patch(self, namespace: str, name: str, change: object, *, subresource: str = "") -> None:
        try:
            self.client.patch(
                "pod", name, change, namespace, subresource=subresource, content=STRATEGIC
            )
        except Refused as refused:
            if refused.reason != "NotFound":  # the pod was deleted before it was on a node
                raise


def _node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubevirt.io/schedulable": "true"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


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
