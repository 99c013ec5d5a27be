"""A namespace whose pods run, on nodes with Multus: their requested and their real addresses."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.pods import NETWORKS, PodNamespace
from testbed.client import is_true
from testbed.kubectl import Kubectl
from testbed.readiness import eventually

# Q of the protocol is 60 s; an address whose owner lived for less time waits Q once or twice.
RELEASE_S = 240.0
# Nodes pull nothing: their images are loaded. Still, twenty pods on one core take some time.
START_S = 180.0
STATUS = "k8s.v1.cni.cncf.io/network-status"
IMAGE = "busybox:stable"
_LINK = re.compile(r"^\d+: ([^:@]+)[:@].*link/ether ([0-9a-f:]{17})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NodePods:
    """One namespace that has opted in."""

    kubectl: Kubectl
    namespace: str

    @property
    def pods(self) -> PodNamespace:
        """The pods and allocations of this namespace."""
        return PodNamespace(self.kubectl, self.namespace)

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run kubectl in it."""
        return self.kubectl("-n", self.namespace, *args, stdin=stdin)

    def attach(self, *networks: str) -> None:
        """Define networks: a bridge of that name on each node, with the tuning plugin behind it."""
        for network in networks:
            bridge = {"type": "bridge", "bridge": network}
            self.define(network, [bridge, {"type": "tuning", "capabilities": {"mac": True}}])

    def define(self, network: str, plugins: Sequence[Mapping[str, Any]]) -> None:
        """Define a network of these CNI plugins."""
        config = {"cniVersion": "0.3.1", "name": network, "plugins": plugins}
        definition = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": network, "namespace": self.namespace},
            "spec": {"config": json.dumps(config)},
        }
        self.kubectl.apply(json.dumps(definition))

    def run(self, name: str, networks: object, node: str = "") -> None:
        """Create a pod and wait until it is ready."""
        spec = pod_spec() | ({"nodeName": node} if node else {})
        metadata = {"name": name, "annotations": annotations(networks)}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        self("create", "-f", "-", stdin=json.dumps(pod))
        self.ready(f"pod/{name}")

    def ready(self, what: str) -> None:
        """Wait until a pod is ready."""
        wait = ("wait", what, "--for=condition=Ready", "--timeout=100s", "-n", self.namespace)
        eventually(lambda: not self.kubectl.run(*wait).returncode, f"{what} ready", START_S)

    def deploy(self, kind: str, name: str, replicas: int, networks: object) -> None:
        """Create a Deployment or StatefulSet, or scale and change it."""
        template = {
            "metadata": {"labels": {"app": name}, "annotations": annotations(networks)},
            "spec": pod_spec(),
        }
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            **({"serviceName": name} if kind == "StatefulSet" else {}),
        }
        workload = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self("apply", "-f", "-", stdin=json.dumps(workload))

    def workload_pods(self, name: str) -> list[dict[str, Any]]:
        """Return the pods of a workload that are not on their way out."""
        listed = self.kubectl.json("get", "pods", "-l", f"app={name}", "-n", self.namespace)
        return [pod for pod in listed["items"] if "deletionTimestamp" not in pod["metadata"]]

    def all_ready(self, name: str, count: int) -> list[dict[str, Any]]:
        """Wait until a workload has exactly `count` pods, all ready; return them."""

        def all_are_ready() -> list[dict[str, Any]]:
            pods = self.workload_pods(name)
            return pods if len(pods) == count and all(map(is_ready, pods)) else []

        return eventually(all_are_ready, f"{count} pods of {name} ready", START_S)

    def inside(self, pod: str) -> dict[str, str]:
        """Return what `ip link` says in the container: address by interface."""
        return dict(_LINK.findall(self("exec", pod, "--", "ip", "-o", "link")))

    def reported(self, pod: str) -> dict[str, str]:
        """Return what Multus wrote: address by interface."""
        stored = self.kubectl.json("get", "pod", pod, "-n", self.namespace)
        status = json.loads(stored["metadata"]["annotations"][STATUS])
        return {
            interface["interface"]: interface["mac"]
            for interface in status
            if not interface.get("default")
        }

    def allocated(self, pod: str) -> dict[str, str]:
        """Wait until a pod's addresses are bound; return them by interface."""

        def bound() -> dict[str, str]:
            mine = [spec for spec in self.pods.allocations() if spec["owner"].get("name") == pod]
            if any(spec["state"] != "Bound" for spec in mine):
                return {}
            return {spec["owner"]["interface"]: spec["mac"] for spec in mine}

        return eventually(bound, f"the addresses of {pod} bound")

    def freed(self, macs: Sequence[str]) -> None:
        """Wait until none of `macs` has an allocation."""

        def gone() -> bool:
            listed = self.kubectl.json("get", "macs")["items"]
            return not {allocation["spec"]["mac"] for allocation in listed}.intersection(macs)

        eventually(gone, f"{', '.join(macs)} released", RELEASE_S)


def pod_spec() -> dict[str, Any]:
    """Return a spec that runs until it is told to end, and then ends at once."""
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1; done"],
    }
    anywhere = [{"operator": "Exists"}]  # nodes of the control plane, too
    return {
        "containers": [container],
        "terminationGracePeriodSeconds": 5,
        "tolerations": anywhere,
    }


def annotations(networks: object) -> dict[str, str]:
    """Return the annotation that asks for `networks`, or none."""
    return {} if networks is None else {NETWORKS: json.dumps(networks)}


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return True if the kubelet says so."""
    return is_true(pod, "Ready")


def macs(pod: Mapping[str, Any]) -> list[str]:
    """Return the addresses in a stored pod's annotation."""
    return [network["mac"] for network in json.loads(pod["metadata"]["annotations"][NETWORKS])]
