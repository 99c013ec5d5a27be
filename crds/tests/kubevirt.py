"""Manifests of virtual machines, their VMIs and launcher pods, as KubeVirt 1.8 stores them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND
from crds.networks import ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crds.mac import MacAddress

Manifest = dict[str, Any]
VERSIONED = {"resourceVersion": "7", "uid": "u-1", "generation": 3, "managedFields": []}
LAUNCHER_LABELS = {"kubevirt.io": "virt-launcher"}


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface of a VM and its network; `network` None: the pod's."""

    name: str
    mac: MacAddress | str | None = None
    network: str | None = "ovs-conf"
    binding: str = "bridge"

    @property
    def interface(self) -> Manifest:
        mac = {} if self.mac is None else {"macAddress": str(self.mac)}
        return {"name": self.name, self.binding: {}} | mac

    @property
    def source(self) -> Manifest:
        of = {"pod": {}} if self.network is None else {"multus": {"networkName": self.network}}
        return {"name": self.name} | of


def crd(kind: str, *, served: bool = True) -> Manifest:
    """Return a CustomResourceDefinition of KubeVirt's that lets every field in."""
    singular = kind.lower()
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": served, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.kubevirt.io"},
        "spec": {
            "group": "kubevirt.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": f"{singular}s", "singular": singular},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


def controlled_by(kind: str, name: str, uid: str) -> Manifest:
    return {
        "apiVersion": KUBEVIRT,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def guest_spec(nics: Sequence[Nic]) -> Manifest:
    """Return the spec of a VMI, which is also that of a VM's template."""
    return {
        "domain": {"devices": {"interfaces": [nic.interface for nic in nics]}, "resources": {}},
        "networks": [nic.source for nic in nics],
    }


def vm_manifest(name: str, *nics: Nic, namespace: str = "shop", uid: str | None = None) -> Manifest:
    return {
        "apiVersion": KUBEVIRT,
        "kind": VM_KIND,
        "metadata": _metadata(name, namespace, uid),
        "spec": {"runStrategy": "Always", "template": {"spec": guest_spec(nics)}},
    }


def vmi_manifest(  # noqa: PLR0913 # each is one field of the object
    name: str,
    *nics: Nic,
    namespace: str = "shop",
    uid: str | None = None,
    made_by: str | None = None,
    phase: str = "Running",
    seen: Sequence[Manifest] = (),
) -> Manifest:
    """Return a VirtualMachineInstance; `made_by`: UID of its VM, `seen`: `status.interfaces`."""
    metadata = _metadata(name, namespace, uid)
    if made_by is not None:
        metadata["ownerReferences"] = [controlled_by(VM_KIND, name, made_by)]
    return {
        "apiVersion": KUBEVIRT,
        "kind": VMI_KIND,
        "metadata": metadata,
        "spec": guest_spec(nics),
        "status": {"phase": phase, "interfaces": list(seen)},
    }


def launcher(  # noqa: PLR0913 # each is one field of the object
    name: str,
    of: str,
    of_uid: str,
    *nics: Nic,
    namespace: str = "shop",
    uid: str | None = None,
    phase: str = "Running",
) -> Manifest:
    metadata = _metadata(name, namespace, uid)
    metadata["labels"] = LAUNCHER_LABELS | {"kubevirt.io/created-by": of_uid}
    metadata["annotations"] = {ANNOTATION: elements(nics, namespace)}
    metadata["ownerReferences"] = [controlled_by(VMI_KIND, of, of_uid)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "compute", "image": "virt-launcher"}]},
        "status": {"phase": phase},
    }


def nics_of(stored: Manifest) -> tuple[Nic, ...]:
    """Return the interfaces in the spec of a VM or VMI."""
    spec = stored["spec"]
    spec = spec["template"]["spec"] if stored["kind"] == VM_KIND else spec
    return tuple(
        Nic(nic["name"], nic.get("macAddress")) for nic in spec["domain"]["devices"]["interfaces"]
    )


def device(number: int) -> str:
    """Return the name of a pod interface (KubeVirt's is a hash of the network's name)."""
    return f"pod{number:011x}"


def elements(nics: Sequence[Nic], namespace: str) -> str:
    """Return the annotation by which a launcher pod gets its multus networks."""
    multus = [(n, nic) for n, nic in enumerate(nics, 1) if nic.network is not None]
    return json.dumps([_element(n, nic, namespace) for n, nic in multus])


def _element(number: int, nic: Nic, namespace: str) -> Manifest:
    within, slash, name = (nic.network or "").partition("/")
    where = {"name": name, "namespace": within} if slash else {"name": within}
    mac = {} if nic.mac is None else {"mac": str(nic.mac)}
    return {"namespace": namespace} | where | mac | {"interface": device(number)}


def _metadata(name: str, namespace: str, uid: str | None) -> Manifest:
    return {"name": name, "namespace": namespace} | ({} if uid is None else {"uid": uid})


def raw(manifest: Manifest, **changes: object) -> bytes:
    metadata = VERSIONED | manifest["metadata"]
    return json.dumps(manifest | {"metadata": metadata} | changes).encode()
