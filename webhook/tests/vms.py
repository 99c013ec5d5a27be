"""VMs, their VMIs and reviews for tests, as the API server has and sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND, Owner
from webhook import review as wire
from webhook.admission import Allowed, Denied, VmReview, Want
from webhook.tests.reviews import as_stored, body, mac, patched, request
from webhook.virtualmachines import VmPlan, plan

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.tests.fake import FakeCluster

NAT: dict[str, Any] = {"masquerade": {}}
VM = Owner(api_version=KUBEVIRT, kind=VM_KIND, namespace="shop", name="web")
VM_UID = "0b6a6e9e-52fb-4b0a-9e6f-4d6f4d0a3d11"
_KIND = {"group": "kubevirt.io", "version": "v1", "kind": VM_KIND}
_RESOURCE = {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachines"}


def nic(name: str, address: object = ..., **members: object) -> dict[str, Any]:
    """An interface of a VM: bridge, unless `members` say otherwise; no address unless told."""
    addressed = {} if address is ... else {"macAddress": address}
    return {"name": name, **(members or {"bridge": {}}), **addressed}


def on_pod(name: str) -> dict[str, Any]:
    """The network of that name: the pod's."""
    return {"name": name, "pod": {}}


def on(name: str, attached: str | None = None) -> dict[str, Any]:
    """The network of that name: Multus' one of the NetworkAttachmentDefinition `attached`."""
    return {"name": name, "multus": {"networkName": attached or name}}


def vm_manifest(
    *nics: dict[str, Any],
    networks: list[dict[str, Any]] | None = None,
    namespace: str = "shop",
    name: str = "web",
) -> dict[str, Any]:
    """A VM; interface `default` is on the pod network, the others on one of their own name."""
    named = [str(interface["name"]) for interface in nics]
    default = [on_pod(name) if name == "default" else on(name) for name in named]
    inner = {
        "domain": {"devices": {"disks": [], "interfaces": list(nics)}, "memory": {"guest": "1Gi"}},
        "networks": default if networks is None else networks,
    }
    return of_spec({"runStrategy": "Halted", "template": {"spec": inner}}, namespace, name)


def of_spec(spec: object, namespace: str = "shop", name: str = "web") -> dict[str, Any]:
    """A VM whose spec is any JSON."""
    metadata = {"name": name, "namespace": namespace, "uid": VM_UID}
    return {"apiVersion": KUBEVIRT, "kind": VM_KIND, "metadata": metadata, "spec": spec}


def reviewed(
    new: dict[str, Any],
    old: dict[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401 # any JSON
) -> dict[str, Any]:
    """The AdmissionReview of a VM's CREATE, or of its UPDATE from `old`."""
    asked = {
        "kind": _KIND,
        "resource": _RESOURCE,
        "operation": "CREATE" if old is None else "UPDATE",
        "namespace": new["metadata"]["namespace"],
        "name": new["metadata"]["name"],
        "oldObject": old,
    }
    return request(new, **{**asked, **changes})


def made(new: dict[str, Any], old: dict[str, Any] | None = None) -> VmPlan | Denied:
    """Return the plan for it."""
    read = wire.read(body(reviewed(new, old)))
    assert isinstance(read, VmReview)
    return plan(read)


def answered(
    new: dict[str, Any], old: dict[str, Any] | None = None
) -> tuple[dict[str, Any], tuple[Want, ...]]:
    """The VM as it is stored, addresses ...:a0, :a1 given out in turn; and the wants."""
    planned = made(new, old)
    assert isinstance(planned, VmPlan), planned
    given = [want.requested or mac(0xA0 + n) for n, want in enumerate(planned.wants)]
    return as_stored(new, planned.write_macs(given)), planned.wants


def nothing_to_do(planned: VmPlan | Denied) -> bool:
    """Whether the VM is served as it is."""
    return isinstance(planned, VmPlan) and not planned.wants and planned.write_macs(()) == Allowed()


def refusal(new: dict[str, Any], old: dict[str, Any] | None = None) -> str:
    """Why it is denied for what its spec says."""
    planned = made(new, old)
    assert isinstance(planned, Denied), planned
    assert planned.code == 400
    assert planned.message.isprintable()
    assert len(planned.message) < 400
    return planned.message


def nics_of(stored: dict[str, Any]) -> list[dict[str, Any]]:
    """The interfaces in a VM's spec."""
    found: list[dict[str, Any]] = stored["spec"]["template"]["spec"]["domain"]["devices"][
        "interfaces"
    ]
    return found


def addresses(stored: dict[str, Any]) -> dict[str, Any]:
    """The macAddress of each interface, by its name; of those that have the member."""
    return {
        interface["name"]: interface["macAddress"]
        for interface in nics_of(stored)
        if "macAddress" in interface
    }


def run(cluster: FakeCluster, *nics: dict[str, Any], of_vm: bool = True) -> Carrier:
    """VMI shop/web runs with these interfaces: that of the VM shop/web, or a bare one."""
    metadata: dict[str, Any] = {"namespace": "shop", "name": "web"}
    if of_vm:
        vm = cluster.put(VM_KIND, vm_manifest(*nics))
        metadata["ownerReferences"] = [made_by(vm)]
    return cluster.put(
        VMI_KIND,
        {
            "metadata": metadata,
            "spec": vm_manifest(*nics)["spec"]["template"]["spec"],
            "status": {"phase": "Running"},
        },
    )


def as_answered(new: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server stores it after this response."""
    return patched(new, msgspec.json.encode({"response": response}))


def made_by(carrier: Carrier) -> dict[str, Any]:
    """The ownerReference of what that object made."""
    return {
        "apiVersion": KUBEVIRT,
        "kind": carrier.kind,
        "name": carrier.name,
        "uid": carrier.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
