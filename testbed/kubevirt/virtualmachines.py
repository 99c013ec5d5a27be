"""Virtual machines of one namespace, as tests speak of them."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.client import Client
from testbed.kubectl import Kubectl
from testbed.readiness import READY_S

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
class VirtualMachines:
    """The machines of one namespace."""

    kubectl: Kubectl
    namespace: str

    @property
    def client(self) -> Client:
        """The client of its cluster."""
        return self.kubectl.client

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return a stored object."""
        return self.client.read(kind, name, self.namespace)

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return a stored object, or None."""
        return self.client.get(kind, name, self.namespace)

    def gone(self, kind: str, name: str) -> bool:
        """Return True if there is no such object."""
        return self.find(kind, name) is None

    def wait_gone(self, kind: str, name: str) -> None:
        """Wait until there is no such object."""
        self.client.wait_gone(kind, name, self.namespace)

    def wait(
        self,
        kind: str,
        name: str,
        holds: Callable[[dict[str, Any]], bool],
        what: str,
        deadline_s: float = READY_S,
    ) -> dict[str, Any]:
        """Wait until an object, which may come later, fulfils `holds`; return it."""

        def fulfilled(found: dict[str, Any]) -> dict[str, Any] | None:
            return found if holds(found) else None

        found = self.client.wait(kind, name, fulfilled, what, self.namespace, deadline_s=deadline_s)
        assert found
        return found

    def create_network(self, name: str) -> None:
        """Create a NetworkAttachmentDefinition: a bridge to which machines may connect."""
        config = {"cniVersion": "0.3.1", "type": "bridge", "capabilities": {"mac": True}}
        definition = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name},
            "spec": {"config": json.dumps(config)},
        }
        self.client.create(definition, self.namespace)

    def create_vm(
        self, name: str, interfaces: Sequence[Interface] = (), *, run_strategy: str = "Always"
    ) -> None:
        """Create a VirtualMachine."""
        self.client.create(manifest(name, interfaces, run_strategy=run_strategy), self.namespace)

    def create_instance(self, name: str, *interfaces: Interface) -> None:
        """Create a VirtualMachineInstance that no VirtualMachine has."""
        bare = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": {"name": name},
            "spec": manifest(name, interfaces)["spec"]["template"]["spec"],
        }
        self.client.create(bare, self.namespace)

    def run_strategy(self, name: str, strategy: str) -> None:
        """Let a VirtualMachine run, or not: Always, Halted, Manual."""
        self.client.patch("vm", name, {"spec": {"runStrategy": strategy}}, self.namespace)

    def request(self, name: str, subresource: str) -> None:
        """Ask virt-api for a subresource, as virtctl does: start, stop, restart, migrate."""
        path = f"/apis/subresources.kubevirt.io/v1/namespaces/{self.namespace}/virtualmachines"
        self.client.connection.send("PUT", f"{path}/{name}/{subresource}", {})

    def instance(self, name: str) -> dict[str, Any]:
        """Return the VMI `name`, when it is there."""
        return self.wait_instance(name, lambda _: True)

    def wait_instance(
        self,
        name: str,
        holds: Callable[[dict[str, Any]], bool],
        deadline_s: float = READY_S,
    ) -> dict[str, Any]:
        """Wait until the VMI `name` fulfils `holds`; return it."""
        return self.wait("vmi", name, holds, f"the VMI {name} as expected", deadline_s)

    def launchers(self, name: str) -> list[dict[str, Any]]:
        """Return the launcher pods of the VMI `name`, the oldest first."""
        return self.launchers_of(self.instance(name))

    def launchers_of(self, vmi: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the launcher pods of a VMI that was read, the oldest first."""
        return _by_age(self.client.list("pod", self.namespace, labels=_created_by(vmi)))

    def launcher(self, name: str) -> dict[str, Any]:
        """Return the first launcher pod of the VMI `name`, when it is there."""
        labels = _created_by(self.instance(name))
        what = f"{name} has a launcher pod"
        return self.client.until("pod", _by_age, what, self.namespace, labels=labels)[0]

    def wait_launcher(
        self, name: str, holds: Callable[[dict[str, Any]], bool], what: str
    ) -> dict[str, Any]:
        """Wait until the newest launcher pod of the VMI `name` fulfils `holds`; return it."""

        def fulfilled(pods: Collection[dict[str, Any]]) -> dict[str, Any] | None:
            newest = _by_age(pods)[-1:]
            return newest[0] if newest and holds(newest[0]) else None

        labels = _created_by(self.instance(name))
        found = self.client.until("pod", fulfilled, what, self.namespace, labels=labels)
        assert found
        return found

    def migrate(self, name: str, migration: str) -> None:
        """Create a VirtualMachineInstanceMigration of the VMI `name`."""
        job = {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstanceMigration",
            "metadata": {"name": migration},
            "spec": {"vmiName": name},
        }
        self.client.create(job, self.namespace)

    def migration(self, name: str) -> dict[str, Any]:
        """Return a VirtualMachineInstanceMigration."""
        return self.get("vmim", name)

    def wait_migration(self, name: str, phase: str, deadline_s: float = READY_S) -> None:
        """Return when a VirtualMachineInstanceMigration is in `phase`."""

        def reached(migration: dict[str, Any]) -> bool:
            return bool(migration.get("status", {}).get("phase") == phase)

        self.wait("vmim", name, reached, f"{name} {phase}", deadline_s)

    def target(self, migration: str) -> dict[str, Any]:
        """Return the pod to which a migration leads, when it is there."""
        labels = f"{_MIGRATION}={self.migration(migration)['metadata']['uid']}"
        what = f"{migration} has a target pod"
        return self.client.until("pod", _by_age, what, self.namespace, labels=labels)[0]


def asked_for(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the elements of a pod's networks annotation."""
    elements: list[dict[str, Any]] = json.loads(pod["metadata"]["annotations"].get(NETWORKS, "[]"))
    return elements


def _created_by(vmi: dict[str, Any]) -> str:
    return f"{_CREATED_BY}={vmi['metadata']['uid']}"


def _by_age(pods: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
