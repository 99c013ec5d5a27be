"""The interfaces of KubeVirt's VirtualMachine and VirtualMachineInstance.

Source: kubevirt.io/v1 (VirtualMachineSpec.template, VirtualMachineInstanceSpec). The same fields
have the same names in all served versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from crds.allocation import LONGEST_NAME, LONGEST_UID, VM_KIND, VMI_KIND
from crds.carriers import OwnerReference
from crds.mac import MacAddress

POD_NETWORK = "pod"
# KubeVirt refuses it behind masquerade: it belongs to the in-pod bridge (pkg/network/link, mac.go).
IN_POD_BRIDGE = MacAddress(0x02_00_00_00_00_00)
WHERE = "spec.template.spec.domain.devices.interfaces"
NULL = msgspec.Raw(b"null")


class InvalidVirtualMachine(ValueError):
    """The spec cannot be read; the message has the place."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One of `domain.devices.interfaces`, and the network with the same name.

    `mac`: as the author wrote it; None if it is absent or empty. `network`: namespace/name of its
    NetworkAttachmentDefinition, "pod", or None if no network has its name. `is_natted`: bound by
    masquerade or slirp, so the address of the guest is not that of the pod. `is_absent`: `state:
    absent`, so KubeVirt is about to remove it.
    """

    name: str
    mac: str | None
    network: str | None
    is_natted: bool = False
    is_absent: bool = False

    @property
    def is_served(self) -> bool:
        """Return True if the pool gives it an address: on a Multus network, or behind NAT."""
        return self.network is not None and (self.network != POD_NETWORK or self.is_natted)


class _Interface(msgspec.Struct, rename="camel"):
    name: str = ""
    mac_address: str | None = None
    masquerade: msgspec.Raw = NULL
    slirp: msgspec.Raw = NULL
    state: str = ""


class _Multus(msgspec.Struct, rename="camel"):
    network_name: str = ""


class _Network(msgspec.Struct):
    name: str = ""
    multus: _Multus | None = None
    pod: msgspec.Raw = NULL


class _Devices(msgspec.Struct):
    interfaces: list[_Interface] | None = None


class _Domain(msgspec.Struct):
    devices: _Devices | None = None


class InstanceSpec(msgspec.Struct):
    """`spec` of a VirtualMachineInstance, or the template of a VirtualMachine."""

    domain: _Domain | None = None
    networks: list[_Network] | None = None


class _Template(msgspec.Struct):
    spec: InstanceSpec | None = None


class _VmSpec(msgspec.Struct):
    template: _Template | None = None


class Reference(msgspec.Struct, rename="camel"):
    """One of `metadata.ownerReferences`."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool = False


_vm_spec = msgspec.json.Decoder(_VmSpec | None)
instance_spec = msgspec.json.Decoder(InstanceSpec | None)


def interfaces(spec: bytes, namespace: str, most: int | None = None) -> tuple[Interface, ...]:
    """Read the interfaces of a VirtualMachine's `spec` (JSON), or raise InvalidVirtualMachine.

    It does not read more than `most`: 3 MiB of JSON, the limit of a request, can hold a million.
    JSON that is nested too deeply raises RecursionError: it may contain addresses (kube.nesting).
    """
    try:
        vm = _vm_spec.decode(spec)
    except msgspec.DecodeError as error:
        raise InvalidVirtualMachine(f"spec: {error}") from None
    template = vm.template if vm else None
    whole = template.spec if template else None
    count = len(_listed(whole))
    if most is not None and count > most:
        raise InvalidVirtualMachine(
            f"too many interfaces in {WHERE}: found {count}, expected up to {most}"
        )
    return interfaces_of(whole, namespace)


def controlling_owner(references: list[Reference] | None) -> OwnerReference | None:
    """Return the KubeVirt object among `metadata.ownerReferences` that controls the object."""
    for reference in references or ():
        is_kubevirt = reference.api_version.startswith("kubevirt.io/")
        fits = 0 < len(reference.name) <= LONGEST_NAME and 0 < len(reference.uid) <= LONGEST_UID
        if reference.controller and is_kubevirt and fits and reference.kind in {VM_KIND, VMI_KIND}:
            return OwnerReference(reference.kind, reference.name, reference.uid)
    return None


def interfaces_of(spec: InstanceSpec | None, namespace: str) -> tuple[Interface, ...]:
    """Return the interfaces of `spec`, each with the network that has its name."""
    listed = _listed(spec)
    if spec is None or not listed:
        return ()
    networks = {network.name: _network(network, namespace) for network in spec.networks or ()}
    return tuple(
        Interface(
            name=interface.name,
            mac=interface.mac_address or None,
            network=networks.get(interface.name),
            is_natted=interface.masquerade != NULL or interface.slirp != NULL,
            is_absent=interface.state == "absent",
        )
        for interface in listed
    )


def _listed(spec: InstanceSpec | None) -> list[_Interface]:
    devices = spec.domain.devices if spec and spec.domain else None
    return (devices.interfaces if devices else None) or []


def _network(network: _Network, namespace: str) -> str | None:
    if network.multus is not None:
        name = network.multus.network_name
        return name if "/" in name else f"{namespace}/{name}"
    return POD_NETWORK if network.pod != NULL else None
