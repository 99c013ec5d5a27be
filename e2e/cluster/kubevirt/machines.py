"""Virtual machines of one namespace, as tests speak of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.readiness import READY_S, eventually

NETWORKS = "k8s.v1.cni.cncf.io/networks"

_CREATED_BY = "kubevirt.io/created-by"
_MIGRATION = "kubevirt.io/migrationJobUID"


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a machine: on the pod network, or on a NetworkAttachmentDefinition."""

    name: str
    network: str = ""  # none: the pod network
    mac: str = ""
    plugin: str = ""  # a network binding plugin of KubeVirt's in place of its own bridge

    @property
    def device(self) -> dict[str, Any]:
        """It, in `domain.devices.interfaces`."""
        own = "bridge" if self.network else "masquerade"
        return {
            "name": self.name,
            **({"binding": {"name": self.plugin}} if self.plugin else {own: {}}),
            **({"macAddress": self.mac} if self.mac else {}),
        }

    @property
    def source(self) -> dict[str, Any]:
        """Its network, in `networks`."""
        kind = {"multus": {"networkName": self.network}} if self.network else {"pod": {}}
        return {"name": self.name, **kind}


def manifest(
    name: str, interfaces: Sequence[Interface] = (), *, run_strategy: str = "Always"
) -> dict[str, Any]:
    """Return a VirtualMachine without disks."""
    devices = {"interfaces": [interface.device for interface in interfaces]}
    spec = {
        "domain": {"devices": devices, "memory": {"guest": "64Mi"}},
        "networks": [interface.source for interface in interfaces],
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"runStrategy": run_strategy, "template": {"spec": spec}},
    }


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines of one namespace."""

    kubectl: Kubectl
    namespace: str

    def __call__(self, *args: str, stdin: str = "") -> str:
        """Run kubectl in it."""
        return self.kubectl(*args, "-n", self.namespace, stdin=stdin)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return a stored object."""
        return self.kubectl.json("get", kind, name, "-n", self.namespace)

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return a stored object, or nothing where there is none."""
        text = self("get", kind, name, "--ignore-not-found", "-o", "json")
        found: dict[str, Any] | None = json.loads(text) if text else None
        return found

    def gone(self, kind: str, name: str) -> bool:
        """Whether there is no such object."""
        return self.find(kind, name) is None

    def create_network(self, name: str) -> None:
        """Create a NetworkAttachmentDefinition: a bridge to which machines may connect."""
        config = {"cniVersion": "0.3.1", "type": "bridge", "capabilities": {"mac": True}}
        definition = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name},
            "spec": {"config": json.dumps(config)},
        }
        self("create", "-f", "-", stdin=json.dumps(definition))

    def create(
        self, name: str, interfaces: Sequence[Interface] = (), *, run_strategy: str = "Always"
    ) -> None:
        """Create a VirtualMachine."""
        stdin = json.dumps(manifest(name, interfaces, run_strategy=run_strategy))
        self("create", "-f", "-", stdin=stdin)

    def create_instance(self, name: str, interfaces: Sequence[Interface] = ()) -> None:
        """Create a VirtualMachineInstance that no VirtualMachine has."""
        bare = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": {"name": name},
            "spec": manifest(name, interfaces)["spec"]["template"]["spec"],
        }
        self("create", "-f", "-", stdin=json.dumps(bare))

    def run_strategy(self, name: str, strategy: str) -> None:
        """Let a VirtualMachine run, or not: Always, Halted, Manual."""
        patch = json.dumps({"spec": {"runStrategy": strategy}})
        self("patch", "vm", name, "--type=merge", "-p", patch)

    def request(self, name: str, subresource: str, body: str = "{}") -> None:
        """Ask virt-api for a subresource, as virtctl does: start, stop, restart, migrate."""
        path = f"/apis/subresources.kubevirt.io/v1/namespaces/{self.namespace}/virtualmachines"
        self.kubectl("replace", "--raw", f"{path}/{name}/{subresource}", "-f", "-", stdin=body)

    def instance(self, name: str) -> dict[str, Any]:
        """Return the VMI `name`, when it is there."""
        self("wait", "--for=create", f"vmi/{name}", "--timeout=60s")
        return self.get("vmi", name)

    def wait_instance(
        self,
        name: str,
        holds: Callable[[dict[str, Any]], bool],
        deadline_s: float = READY_S,
        *,
        period_s: float = 0.05,
    ) -> dict[str, Any]:
        """Return the VMI `name` when `holds` says so of it."""

        def asked() -> dict[str, Any] | None:
            vmi = self.find("vmi", name)  # there may be none just now: the old one went
            return vmi if vmi and holds(vmi) else None

        what = f"the VMI {name} is as it shall be"
        found = eventually(asked, what, deadline_s, period_s=period_s)
        assert found
        return found

    def launchers(self, name: str) -> list[dict[str, Any]]:
        """Return the launcher pods of the VMI `name`, the oldest first."""
        return self.launchers_of(self.instance(name))

    def launchers_of(self, vmi: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the launcher pods of a VMI that was read, the oldest first."""
        return self._pods(f"{_CREATED_BY}={vmi['metadata']['uid']}")

    def launcher(self, name: str) -> dict[str, Any]:
        """Return the first launcher pod of the VMI `name`, when it is there."""
        return eventually(lambda: self.launchers(name), f"{name} has a launcher pod")[0]

    def migrate(self, name: str, migration: str) -> None:
        """Create a VirtualMachineInstanceMigration of the VMI `name`."""
        job = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstanceMigration",
            "metadata": {"name": migration},
            "spec": {"vmiName": name},
        }
        self("create", "-f", "-", stdin=json.dumps(job))

    def migration(self, name: str) -> dict[str, Any]:
        """Return a VirtualMachineInstanceMigration."""
        return self.get("vmim", name)

    def wait_migration(self, name: str, phase: str, deadline_s: float = READY_S) -> None:
        """Return when a VirtualMachineInstanceMigration is in `phase`."""
        wait = ("wait", f"--for=jsonpath={{.status.phase}}={phase}", f"vmim/{name}")
        own = (*wait, "--timeout=20s", "-n", self.namespace)
        eventually(lambda: not self.kubectl.run(*own).returncode, f"{name} {phase}", deadline_s)

    def target(self, migration: str) -> dict[str, Any]:
        """Return the pod to which a migration leads, when it is there."""
        of = f"{_MIGRATION}={self.migration(migration)['metadata']['uid']}"
        return eventually(lambda: self._pods(of), f"{migration} has a target pod")[0]

    def _pods(self, selector: str) -> list[dict[str, Any]]:
        order = "--sort-by=.metadata.creationTimestamp"
        listed = self.kubectl.json("get", "pods", "-n", self.namespace, "-l", selector, order)
        pods: list[dict[str, Any]] = listed["items"]
        return pods


def asked_for(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the elements of a pod's networks annotation."""
    elements: list[dict[str, Any]] = json.loads(pod["metadata"]["annotations"].get(NETWORKS, "[]"))
    return elements
