"""KubeVirt's VirtualMachine and VirtualMachineInstance: their interfaces, and how they are read.

Law: what a stored machine cannot be read of carries nothing: one strange VM must not keep the list
of all others from being a proof. Source: kubevirt.io/v1 (VirtualMachineSpec.template,
VirtualMachineInstanceSpec, VirtualMachineInstanceStatus); the same fields have the same names in
all served versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from crds.allocation import INSTANCE, LONGEST_NAME, LONGEST_UID, MACHINE
from crds.carriers import OwnerReference
from crds.mac import MacAddress

POD_NETWORK = "pod"
# KubeVirt refuses it behind masquerade (pkg/network/link, mac.go: it is the in-pod bridge's).
IN_POD_BRIDGE = MacAddress(0x02_00_00_00_00_00)
WHERE = "spec.template.spec.domain.devices.interfaces"
NULL = msgspec.Raw(b"null")


class BadMachine(ValueError):
    """The spec cannot be read; the message says where."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One of `domain.devices.interfaces`, and the network of its name.

    `mac` is as its author wrote it, None where it is absent or empty. `network` is the
    namespace/name of its NetworkAttachmentDefinition, "pod", or None where no network has its name.
    `is_natted`: bound by masquerade or slirp, so that the guest's address is not the pod's.
    `is_absent`: `state: absent`, on its way out.
    """

    name: str
    mac: str | None
    network: str | None
    is_natted: bool = False
    is_absent: bool = False

    @property
    def is_served(self) -> bool:
        """Whether the pool gives it an address: on every multus network, and behind NAT."""
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


class _MachineSpec(msgspec.Struct):
    template: _Template | None = None


class Reference(msgspec.Struct, rename="camel"):
    """One of `metadata.ownerReferences`."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool = False


_machine_spec = msgspec.json.Decoder(_MachineSpec | None)
instance_spec = msgspec.json.Decoder(InstanceSpec | None)


def interfaces(spec: bytes, namespace: str, most: int | None = None) -> tuple[Interface, ...]:
    """Read the interfaces of a VirtualMachine's `spec` (JSON), or raise BadMachine.

    More than `most` are not even looked at: 3 MiB of JSON, a request's limit, hold a million. What
    is nested too deeply is a RecursionError: it may hold addresses (kube.nesting).
    """
    try:
        machine = _machine_spec.decode(spec)
    except msgspec.DecodeError as error:
        raise BadMachine(f"spec: {error}") from None
    template = machine.template if machine else None
    whole = template.spec if template else None
    count = len(_listed(whole))
    if most is not None and count > most:
        raise BadMachine(f"too many interfaces in {WHERE}: found {count}, expected up to {most}")
    return interfaces_of(whole, namespace)


def controlling_owner(references: list[Reference] | None) -> OwnerReference | None:
    """Return the KubeVirt object among `metadata.ownerReferences` that controls the object."""
    for one in references or ():
        is_kubevirt = one.api_version.startswith("kubevirt.io/")
        can_be = 0 < len(one.name) <= LONGEST_NAME and 0 < len(one.uid) <= LONGEST_UID
        if one.controller and is_kubevirt and can_be and one.kind in {MACHINE, INSTANCE}:
            return OwnerReference(one.kind, one.name, one.uid)
    return None


def interfaces_of(spec: InstanceSpec | None, namespace: str) -> tuple[Interface, ...]:
    """Return the interfaces of `spec`, each with the network of its name."""
    listed = _listed(spec)
    if spec is None or not listed:
        return ()
    networks = {one.name: _network(one, namespace) for one in spec.networks or ()}
    return tuple(
        Interface(
            name=one.name,
            mac=one.mac_address or None,
            network=networks.get(one.name),
            is_natted=one.masquerade != NULL or one.slirp != NULL,
            is_absent=one.state == "absent",
        )
        for one in listed
    )


def _listed(spec: InstanceSpec | None) -> list[_Interface]:
    devices = spec.domain.devices if spec and spec.domain else None
    return (devices.interfaces if devices else None) or []


def _network(network: _Network, namespace: str) -> str | None:
    if network.multus is not None:
        name = network.multus.network_name
        return name if "/" in name else f"{namespace}/{name}"
    return POD_NETWORK if network.pod != NULL else None
