"""Snapshots, restores and clones of virtual machines, which KubeVirt's virt-controller makes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.vms import KubeVirtNamespace

# virt-controller tries again ever more slowly: what failed for a minute waits for another one.
_AGAIN_S = 180
_MAC = "/spec/template/spec/domain/devices/interfaces/{}/macAddress"


@dataclass(frozen=True, slots=True)
class Copies:
    """Snapshots, restores and clones of the VMs of a namespace."""

    vms: KubeVirtNamespace

    def snapshot(self, vm: str, name: str) -> None:
        """Take a VirtualMachineSnapshot and wait until it can be used."""
        self._create("snapshot.kubevirt.io", "VirtualMachineSnapshot", name, source=_vm(vm))

        def ready(snapshot: dict[str, Any]) -> bool:
            return bool(snapshot.get("status", {}).get("readyToUse"))

        def released(machine: dict[str, Any]) -> bool:
            return not machine.get("status", {}).get("snapshotInProgress")

        self.vms.wait("vmsnapshot", name, ready, f"{name} ready to use")
        self.vms.wait("vm", vm, released, f"{vm} free of the snapshot {name}")  # or it cannot stop

    def restore(self, name: str, snapshot: str, to: str, *, without_macs_of: int = 0) -> None:
        """Begin a VirtualMachineRestore, with patches that clear the first addresses."""
        patches = [
            json.dumps({"op": "replace", "path": _MAC.format(number), "value": ""})
            for number in range(without_macs_of)
        ]
        self._create(
            "snapshot.kubevirt.io",
            "VirtualMachineRestore",
            name,
            virtualMachineSnapshotName=snapshot,
            target=_vm(to),
            **({"patches": patches} if patches else {}),
        )

    def restored(self, name: str) -> None:
        """Wait until a restore is complete."""

        def complete(restore: dict[str, Any]) -> bool:
            return bool(restore.get("status", {}).get("complete"))

        self.vms.wait("vmrestore", name, complete, f"{name} complete", _AGAIN_S)

    def said(self, name: str) -> Sequence[str]:
        """Wait until a restore, which may come later, says in both conditions why it waits."""

        def reasons(restore: dict[str, Any]) -> list[str]:
            conditions = restore.get("status", {}).get("conditions", [])
            refused = [condition for condition in conditions if "denied" in condition["reason"]]
            assert all(condition["status"] == "False" for condition in refused)
            return [condition["reason"] for condition in refused] if len(refused) == 2 else []

        vms = self.vms
        return vms.client.wait("vmrestore", name, reasons, f"{name} says why", vms.namespace)

    def clone(self, name: str, vm: str, to: str, macs: Mapping[str, str] | None = None) -> None:
        """Begin a VirtualMachineClone; `macs` are its newMacAddresses."""
        new = {"newMacAddresses": dict(macs)} if macs else {}
        of = "clone.kubevirt.io"
        self._create(of, "VirtualMachineClone", name, source=_vm(vm), target=_vm(to), **new)

    def cloned(self, name: str) -> None:
        """Wait until a clone is there."""

        def done(clone: dict[str, Any]) -> bool:
            return bool(clone.get("status", {}).get("phase") == "Succeeded")

        self.vms.wait("vmclone", name, done, f"{name} done")

    def backup(self, vm: str) -> dict[str, Any]:
        """Return a VM as a backup tool creates it again: without what the API server wrote."""
        kept = self.vms.get("vm", vm)
        meta = kept["metadata"]
        return {
            "apiVersion": kept["apiVersion"],
            "kind": kept["kind"],
            "metadata": {"name": meta["name"], "annotations": meta.get("annotations", {})},
            "spec": kept["spec"],
        }

    def _create(self, group: str, kind: str, name: str, **spec: object) -> None:
        made = {
            "apiVersion": f"{group}/v1beta1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        self.vms.client.create(made, self.vms.namespace)


def _vm(name: str) -> dict[str, str]:
    return {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": name}
