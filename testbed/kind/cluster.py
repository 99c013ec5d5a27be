"""One kind cluster: brought up, attached to, taken down; its nodes stopped and started.

Its name comes from its folder, so that the clusters of two checkouts do not meet.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from testbed import processes
from testbed.kind import network
from testbed.kind.engine import docker, follow
from testbed.kind.nodeimage import node_image
from testbed.kubectl import Kubectl
from testbed.locate import find, find_node
from testbed.progress import Progress
from testbed.readiness import eventually

_READY_S = 180.0  # two idle cores need 20 s
_LABEL = "io.x-k8s.kind.cluster"
_OURS = "kubemacpool.test/"  # the prefix of node images without CoreDNS
# Control groups of version 1 need all of these; for version 2 kind's own settings are right.
_CGROUPS_V1 = {
    "failCgroupV1": False,
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": "/kubelet",
    "localStorageCapacityIsolation": False,
}
# It survives kill -9, not a power cut: enough for a test bed.
_NO_FSYNC = {"name": "unsafe-no-fsync", "value": "true"}
# On two busy cores, kubeadm's own limit of a minute is too short.
_PATIENCE = {"kubernetesAPICall": "5m", "controlPlaneComponentHealthCheck": "8m"}


@dataclass(frozen=True, slots=True)
class KindCluster:
    """A kind cluster, whose kubeconfig is in the folder `state`."""

    state: Path
    name: str

    @property
    def kubectl(self) -> Kubectl:
        """Kubectl as the administrator."""
        env = processes.environment(KUBECACHEDIR=str(self.state / "kubectl-cache"))
        return Kubectl(find(["kubectl"], quietly=True)["kubectl"], self.state / "kubeconfig", env)

    @property
    def nodes(self) -> list[str]:
        """The nodes in order: containers of the same name, running or not."""
        listed = docker(
            "ps", "-a", "--filter", f"label={_LABEL}={self.name}", "--format={{.Names}}"
        )
        return sorted(listed.split())

    @property
    def workers(self) -> list[str]:
        """The nodes without a control plane."""
        return [node for node in self.nodes if "-control-plane" not in node]

    @property
    def is_ready(self) -> bool:
        """Return True if its API server says so now."""
        return not self.kubectl.run("get", "--raw", "/readyz").returncode

    def load(self, *images: str) -> None:
        """Load the images that a node lacks from the engine into each node."""
        held = [self._images(node) for node in self.nodes]
        missing = [
            image
            for image in images
            if not all(_has(images_of_node, image) for images_of_node in held)
        ]
        if missing:
            argv = [str(_kind()), "load", "docker-image", "--name", self.name, *missing]
            named = ", ".join(image.rpartition("/")[2].partition(":")[0] for image in missing)
            what = f"Loading {named} into the nodes"
            follow(what, argv, self.state, "kind-load.log")

    def name_by_import(self, image: str) -> None:
        """Let every node find a loaded image by the digest of its archive's index, too.

        A node reports its image by that digest, and KubeVirt asks the node to which a guest moves
        for it.
        """
        for node in self.nodes:
            listed = self._ctr(node, "images", "list").splitlines()[1:]
            digests = {reference: digest for reference, _, digest, *_ in map(str.split, listed)}
            for reference, digest in digests.items():
                if reference.startswith("import-") and digests[image] in self._ctr(
                    node, "content", "get", digest
                ):
                    by_import = f"{image.rpartition(':')[0]}@{digest}"
                    self._ctr(node, "images", "tag", "--force", image, by_import)

    def _images(self, node: str) -> list[str]:
        return self._ctr(node, "images", "list", "-q").split()

    def _ctr(self, node: str, *arguments: str) -> str:
        return self.on_node(node, "ctr", "--namespace=k8s.io", *arguments)

    def on_node(self, node: str, *command: str) -> str:
        """Run a command on a node and return what it prints."""
        return docker("exec", node, *command)

    def stop_node(self, node: str) -> None:
        """Stop a node at once, as a power cut does."""
        docker("kill", node)

    def start_nodes(self, *nodes: str) -> None:
        """Start nodes that were stopped, and set the routes between their pods again.

        Returns when each node has reported to the API server after its start.
        """
        docker("start", *nodes)
        eventually(lambda: self.is_ready, "the API server is ready", _READY_S)
        network.connect(self.kubectl, self.nodes)
        for node in nodes:
            what = f"{node} says that it is ready"
            eventually(partial(self._is_back, node), what, _READY_S, period_s=1.0)

    def _is_back(self, node: str) -> bool:
        started = docker("inspect", "-f", "{{.State.StartedAt}}", node)
        found = self.kubectl.run("get", "node", node, "-o", "json")
        return not found.returncode and ready_since(json.loads(found.stdout), started)

    def down(self) -> None:
        """Delete the cluster."""
        argv = [str(_kind()), "delete", "cluster", "--name", self.name]
        argv += ["--kubeconfig", str(self.state / "kubeconfig")]
        follow(f"Deleting the kind cluster {self.name}", argv, Path("/"), "kind-delete.log")


def ready_since(node: Mapping[str, Any], started: str) -> bool:
    """Return True if a kubelet reported its Node as ready after `started` (RFC 3339, UTC).

    Its bootID does not show a restart: it is that of the machine. Heartbeats have whole seconds.
    """
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and condition["lastHeartbeatTime"][:19] > started[:19]
        for condition in node["status"]["conditions"]
    )


def _has(names: Sequence[str], image: str) -> bool:
    """Return True if it is there, by its name or by that name with a registry before it."""
    return any(name == image or name.endswith(f"/{image}") for name in names)


def name_of(state: Path) -> str:
    """Return the name of the cluster that belongs to the folder `state`."""
    return f"kubemacpool-{hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:6]}"


def standing(state: Path, name: str) -> KindCluster | None:
    """Return the cluster if it is there, ready or not."""
    cluster = KindCluster(state.absolute(), name)
    return cluster if cluster.nodes else None


def bring_up(state: Path, name: str, nodes: int) -> KindCluster:
    """Create a cluster of `nodes` nodes, the first with the control plane, and Multus on each.

    Nothing is left of it when it fails.
    """
    image = node_image()
    state = state.absolute()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    cluster = KindCluster(state, name)
    config = state / "kind.json"
    config.write_text(json.dumps(_config(nodes)))
    argv = [str(_kind()), "create", "cluster", "--name", name, "--image", image]
    argv += ["--config", str(config), "--kubeconfig", str(state / "kubeconfig")]
    try:
        follow(f"Creating a kind cluster of {nodes} nodes", argv, state, "kind-create.log")
        progress = Progress("Bringing Multus to the nodes")
        network.install(cluster.kubectl, cluster.nodes)
        if image.startswith(_OURS):  # there is no image of CoreDNS, and we need no DNS
            cluster.kubectl("scale", "deployment/coredns", "-n", "kube-system", "--replicas=0")
        cluster.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=120s")
        progress.done()
    except BaseException:
        cluster.down()
        raise
    return cluster


def _config(nodes: int) -> Mapping[str, Any]:
    """Return a Cluster of kind.x-k8s.io/v1alpha4."""
    old = docker("info", "--format={{.CgroupVersion}}") == "1"
    patches = [
        {"kind": "KubeletConfiguration", "failSwapOn": False, **(_CGROUPS_V1 if old else {})},
        {"kind": "KubeProxyConfiguration", "conntrack": {"maxPerCore": 0}},
        {"kind": "ClusterConfiguration", "etcd": {"local": {"extraArgs": [_NO_FSYNC]}}},
        {"kind": "InitConfiguration", "timeouts": _PATIENCE},
        {"kind": "JoinConfiguration", "timeouts": _PATIENCE},
    ]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"disableDefaultCNI": True},  # Multus delegates to a bridge of its own
        "kubeadmConfigPatches": [json.dumps(patch) for patch in patches],
        "nodes": [{"role": "control-plane"}, *[{"role": "worker"}] * (nodes - 1)],
    }


def _kind() -> Path:
    return find_node("kind")["kind"]
