"""The network of a kind cluster: Multus on every node, a bridge for pods, routes between nodes.

Multus and the CNI plugins are put into the nodes as binaries, so it is the same whether the node
image was pulled or built.
"""

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from testbed.kind.engine import docker
from testbed.kubectl import Kubectl
from testbed.locate import find_node
from testbed.readiness import eventually

_BINARIES = ("multus", "bridge", "host-local", "loopback", "portmap", "tuning")
_MULTUS = "multus.yaml"
_KUBECONFIG = "/etc/kubernetes/multus.conf"
_TOKEN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "multus-token",
        "namespace": "kube-system",
        "annotations": {"kubernetes.io/service-account.name": "multus"},
    },
    "type": "kubernetes.io/service-account-token",
}


def install(kubectl: Kubectl, nodes: Sequence[str]) -> None:
    """Put Multus on every node, with a bridge for the pods' own network."""
    kubectl.apply(_account())
    kubeconfig = _kubeconfig(kubectl, nodes[0])
    binaries = find_node(*_BINARIES, _MULTUS)
    for node, subnet in _subnets(kubectl).items():
        for name in _BINARIES:
            docker("cp", str(binaries[name]), f"{node}:/opt/cni/bin/{name}")
        docker("exec", node, "sh", "-c", "chmod 755 /opt/cni/bin/*")
        _write(node, _KUBECONFIG, kubeconfig)
        _write(node, "/etc/cni/net.d/00-multus.conf", _configuration(subnet))
    connect(kubectl, nodes)


def connect(kubectl: Kubectl, nodes: Sequence[str]) -> None:
    """Lay the ways from each node to the pods of the others: they end with the node's container."""
    subnets = _subnets(kubectl)
    addresses = {node: _address(node) for node in nodes}
    for node in nodes:
        for other, subnet in subnets.items():
            if other != node and addresses[node] and addresses[other]:
                way = ("ip", "route", "replace", subnet, "via", addresses[other])
                docker("exec", node, *way)


def _account() -> str:
    """Multus' CRD and service account as it releases them, without its DaemonSet."""
    released = yaml.safe_load_all(find_node(_MULTUS)[_MULTUS].read_text())
    items = [
        document
        for document in released
        if document and document["kind"] not in {"DaemonSet", "ConfigMap"}
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*items, _TOKEN]})


def _kubeconfig(kubectl: Kubectl, control_plane: str) -> str:
    def issued() -> dict[str, str]:
        secret = kubectl.json("get", "secret", "multus-token", "-n", "kube-system")
        data: dict[str, str] = secret.get("data", {})
        return data if "token" in data else {}

    data = eventually(issued, "a token for Multus")
    cluster = {
        "server": f"https://{control_plane}:6443",
        "certificate-authority-data": data["ca.crt"],
    }
    user = {"token": base64.b64decode(data["token"]).decode()}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kind", "cluster": cluster}],
            "users": [{"name": "multus", "user": user}],
            "contexts": [{"name": "multus", "context": {"cluster": "kind", "user": "multus"}}],
            "current-context": "multus",
        }
    )


def _configuration(subnet: str) -> str:
    """Multus' CNI configuration: the pods' own network is a bridge on each node."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": subnet}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "cniVersion": "0.3.1",
        "name": "default",
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": True,
        "ipam": addresses,
    }
    multus = {"name": "multus", "type": "multus", "kubeconfig": _KUBECONFIG, "delegates": [bridge]}
    return json.dumps({"cniVersion": "0.3.1", **multus})


def _subnets(kubectl: Kubectl) -> Mapping[str, str]:
    """The range of pod addresses of each node, which the controller manager gives it."""

    def given() -> dict[str, str]:
        nodes: list[dict[str, Any]] = kubectl.json("get", "nodes")["items"]
        subnets = {node["metadata"]["name"]: node["spec"].get("podCIDR", "") for node in nodes}
        return subnets if all(subnets.values()) else {}

    return eventually(given, "a range of pod addresses for every node")


def _address(node: str) -> str:
    """The node's address, empty while it is stopped."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "-f", template, node)


def _write(node: str, path: str, content: str) -> None:
    subprocess.run(
        ["docker", "exec", "-i", node, "sh", "-c", f"umask 077; cat > {path}"],
        input=content,
        text=True,
        check=True,
    )
