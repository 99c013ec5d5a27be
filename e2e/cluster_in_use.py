"""A cluster that was in use before kubemacpool was installed: VMs and pods with addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.pods import PodNamespace
from e2e.vms import LAN, NAT, KubeVirtNamespace
from testbed.kubectl import Kubectl
from testbed.kubevirt.virtualmachines import Interface, manifest

RANGE = ("0a:00:00:00:10:00", "0a:00:00:00:10:3f")  # small, and most of it in use
TWINS = ("twin-a", "twin-b")
FINALIZER = "k8s.v1.cni.cncf.io/kubeMacPool"  # the Go manager's before its 0.30, on VMs
_ANNOTATION = "kubemacpool.io/transaction-timestamp"  # the Go manager's, on VMs
_GO_MANAGER = Path(__file__).with_name("go-manager.yaml")
_HALTED = 16

Owner = tuple[str, str, str]  # kind, namespace, name


@dataclass(slots=True)
class ClusterInUse:
    """The owner of each address in two namespaces: `vms` with VMs and VMIs, `wild` with a pod."""

    vms: KubeVirtNamespace
    wild: PodNamespace
    owners: dict[str, Owner] = field(default_factory=dict)
    twins: str = ""  # the address that both TWINS have
    natted: str = ""  # a guest's address behind NAT, in no spec: we must ignore it
    _given: int = 0

    def fill(self) -> None:
        """Create all of them."""
        for number in range(_HALTED):
            self._machine(f"idle-{number}", *self._addressed())
        self._machine("busy", *self._addressed(), metadata={"annotations": {_ANNOTATION: "1"}})
        self.vms.run("busy")
        self._machine("quiet", NAT, LAN)
        self.vms.run_strategy("quiet", "Always")
        self._run("quiet", "VirtualMachine")
        self.vms.create_instance("job", self._lan())
        self._run("job", "VirtualMachineInstance")
        self.vms.create_instance("quiet-job", LAN)
        self._run("quiet-job", "VirtualMachineInstance")
        twin = self._lan()
        self.twins = twin.mac
        for name in TWINS:
            self._machine(name, twin)
        for pods in (self.vms.pods, self.wild):
            mac = self._next()
            pods.create("pod", [{"name": "lan", "mac": mac}])
            self.owners[mac] = ("Pod", pods.namespace, "pod")
        self._machine("leaving", self._lan(), metadata={"finalizers": [FINALIZER]})
        self.vms.delete("vm", "leaving", wait=False)  # only the finalizer keeps it

    def of(self, name: str) -> list[str]:
        """Return the addresses of the owner `name`."""
        return [mac for mac, (_, _, owner) in self.owners.items() if owner == name]

    def _machine(
        self, name: str, *interfaces: Interface, metadata: Mapping[str, Any] | None = None
    ) -> None:
        vm = manifest(name, interfaces, run_strategy="Halted")
        vm["metadata"] |= metadata or {}
        self.vms.client.create(vm, self.vms.namespace)
        owner = ("VirtualMachine", self.vms.namespace, name)
        self.owners |= {interface.mac: owner for interface in interfaces if interface.mac}

    def _run(self, name: str, kind: str) -> None:
        """Run the VMI. If its spec has no address, CNI picks one, and its status shows it."""
        vmi = self.vms.kubevirt.handler.run(self.vms, name)
        macs = {interface["name"]: interface["mac"] for interface in vmi["status"]["interfaces"]}
        self.natted = macs.get("default", self.natted)
        self.owners[macs["lan"]] = (kind, self.vms.namespace, name)

    def _addressed(self) -> list[Interface]:
        return [Interface("default", mac=self._next()), self._lan()]

    def _lan(self) -> Interface:
        return Interface("lan", "lan", self._next())

    def _next(self) -> str:
        self._given += 1
        return f"{RANGE[0][:-2]}{self._given:02x}"


def leave_go_manager(kubectl: Kubectl) -> None:
    """Apply the objects of the Go manager's manifest, and the Secrets that it writes."""
    kubectl("apply", "-f", str(_GO_MANAGER))
