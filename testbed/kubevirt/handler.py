"""A stand-in for virt-handler: tests call each of its steps.

No VM boots. It writes the status of VirtualMachineInstances as virt-handler does,
under its service account, and nothing else; the pods around them are the `kubelet`'s.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from testbed import accounts
from testbed.client import Client, connect, is_true
from testbed.connection import Refused
from testbed.controlplane import ControlPlane
from testbed.kubevirt.crds import NAMESPACE
from testbed.kubevirt.interfaces import seen_in
from testbed.kubevirt.kubelet import NODES, Kubelet
from testbed.kubevirt.virtualmachines import VirtualMachines
from testbed.readiness import eventually

_NODE_LABEL = "kubevirt.io/nodeName"
_TARGET_LABEL = "kubevirt.io/migrationTargetNodeName"
# virt-controller's patches want a condition exactly as Go would write it, with its nulls.
_MIGRATABLE = {
    "type": "LiveMigratable",
    "status": "True",
    "lastProbeTime": None,
    "lastTransitionTime": None,
}
_VMIS = "/apis/kubevirt.io/v1/namespaces/{}/virtualmachineinstances/{}"


@dataclass(frozen=True, slots=True)
class Handler:
    """virt-handler on all nodes."""

    kubelet: Kubelet
    client: Client  # with virt-handler's rights: it may update a VMI, but not get one

    @classmethod
    def of(cls, cluster: ControlPlane, kubelet: Kubelet) -> "Handler":
        """Return a handler with the service account `kubevirt-handler`."""
        config = accounts.kubeconfig_of(cluster, "kubevirt-handler", NAMESPACE)
        return cls(kubelet, connect(config))

    def run(self, vms: VirtualMachines, name: str) -> dict[str, Any]:
        """Run the VMI `name` on the first node, and return it."""
        pod = vms.launcher(name)
        self.kubelet.run(pod, NODES[0])
        vms.wait_instance(name, lambda vmi: vmi["status"]["phase"] == "Scheduled")

        def boot(vmi: dict[str, Any]) -> None:
            status = vmi["status"]
            _enter(status, "Running")
            status["selinuxContext"] = "none"
            status["interfaces"] = seen_in(vmi, _stored(vms, pod))
            status["conditions"] = [*status.get("conditions", []), _MIGRATABLE]

        self._update(vms, name, boot)
        return vms.wait_instance(name, _is_ready)

    def unplug(self, vms: VirtualMachines, name: str, interface: str) -> None:
        """Let the guest of the VMI `name` lose an interface that is `state: absent`."""
        self.kubelet.attach(_stored(vms, vms.launcher(name)))

        def lose(vmi: dict[str, Any]) -> None:
            seen = vmi["status"]["interfaces"]
            vmi["status"]["interfaces"] = [shown for shown in seen if shown["name"] != interface]

        self._update(vms, name, lose)

    def stop(self, vms: VirtualMachines, name: str) -> None:
        """End the VMI `name`, as a shutdown of its guest does, and its pods.

        Where it is being deleted it is gone soon afterwards: virt-controller lets it go.
        """
        vmi = vms.find("vmi", name)
        if vmi is None:
            return
        pods = vms.launchers_of(vmi)

        def halt(vmi: dict[str, Any]) -> None:
            _enter(vmi["status"], "Succeeded")

        self._update(vms, name, halt)
        for pod in pods:
            self.kubelet.end(pod)

    def end_all(self, vms: VirtualMachines) -> None:
        """End every VMI, so that the namespace can be deleted."""
        for vmi in vms.client.list("vmi", vms.namespace):
            self.stop(vms, vmi["metadata"]["name"])

    def finish_migration(self, vms: VirtualMachines, migration: str) -> dict[str, Any]:
        """Complete a migration to the second node, and return the VMI."""
        node = NODES[1]
        name: str = vms.migration(migration)["spec"]["vmiName"]
        source = vms.instance(name)["status"]["nodeName"]
        old = [pod for pod in vms.launchers(name) if pod["spec"].get("nodeName") == source]
        target = vms.target(migration)
        self.kubelet.run(target, node)
        vms.wait_migration(migration, "PreparingTarget")

        def receive(vmi: dict[str, Any]) -> None:
            vmi["status"]["migrationState"] |= {
                "targetNodeAddress": "192.0.2.2",
                "targetNodeDomainDetected": True,
                "startTimestamp": _now(),
            }

        self._update(vms, name, receive)
        vms.wait_migration(migration, "Running")

        def hand_over(vmi: dict[str, Any]) -> None:
            vmi["metadata"]["labels"][_NODE_LABEL] = node
            vmi["metadata"]["labels"].pop(_TARGET_LABEL, None)
            vmi["status"]["nodeName"] = node
            vmi["status"]["interfaces"] = seen_in(vmi, _stored(vms, target))
            done = {"targetNodeDomainReadyTimestamp": _now(), "endTimestamp": _now()}
            vmi["status"]["migrationState"] |= {"completed": True, **done}

        self._update(vms, name, hand_over)
        for pod in old:
            self.kubelet.end(pod)
        vms.wait_migration(migration, "Succeeded")
        return vms.instance(name)

    def _update(
        self, vms: VirtualMachines, name: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        """Change a VMI as it is now, unless it is gone: virt-controller writes to it, too."""
        path = _VMIS.format(vms.namespace, name)

        def written() -> bool:
            vmi = vms.find("vmi", name)
            if vmi is None:
                return True
            change(vmi)
            try:
                self.client.connection.send("PUT", path, vmi)
            except Refused as refused:
                if refused.reason not in {"Conflict", "NotFound"}:
                    raise
                return False
            return True

        eventually(written, f"the VMI {name} is written")


def _stored(vms: VirtualMachines, pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod as it is now."""
    return vms.get("pod", pod["metadata"]["name"])


def _enter(status: dict[str, Any], phase: str) -> None:
    """Enter a phase. virt-controller delays the next start of a VMI that was never Running."""
    moment = {"phase": phase, "phaseTransitionTimestamp": _now()}
    status["phase"] = phase
    status["phaseTransitionTimestamps"] = [*status["phaseTransitionTimestamps"], moment]


def _is_ready(vmi: dict[str, Any]) -> bool:
    return vmi["status"]["phase"] == "Running" and is_true(vmi, "Ready")


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
