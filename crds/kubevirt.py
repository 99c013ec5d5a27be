"""KubeVirt's VirtualMachine and VirtualMachineInstance: their interfaces, and how they are read.

Law: what a stored machine cannot be read of carries nothing: one strange VM must not keep the list
of all others from being a proof. Source: kubevirt.io/v1 (VirtualMachineSpec.template,
VirtualMachineInstanceSpec, VirtualMachineInstanceStatus); the same fields have the same names in
all served versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from crds.allocation import (
    INSTANCE,
    KUBEVIRT,
    LONGEST_NAME,
    LONGEST_UID,
    MACHINE,
    Carrier,
    OwnerReference,
)
from crds.mac import MacAddress
from crds.networks import Attachment

POD_NETWORK = "pod"
# KubeVirt refuses it behind masquerade (pkg/network/link, mac.go: it is the in-pod bridge's).
IN_POD_BRIDGE = MacAddress(0x02_00_00_00_00_00)
WHERE = "spec.template.spec.domain.devices.interfaces"
_NULL = msgspec.Raw(b"null")
# A guest has no more interfaces: QEMU's q35 has 32 root ports, KubeVirt uses fewer. A stored object
# that says more (1.5 MiB of them, in whatever namespace) must not fill pool and memory.
MOST_CARRIED = 256


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
    masquerade: msgspec.Raw = _NULL
    slirp: msgspec.Raw = _NULL
    state: str = ""


class _Multus(msgspec.Struct, rename="camel"):
    network_name: str = ""


class _Network(msgspec.Struct):
    name: str = ""
    multus: _Multus | None = None
    pod: msgspec.Raw = _NULL


class _Devices(msgspec.Struct):
    interfaces: list[_Interface] | None = None


class _Domain(msgspec.Struct):
    devices: _Devices | None = None


class _InstanceSpec(msgspec.Struct):
    domain: _Domain | None = None
    networks: list[_Network] | None = None


class _Template(msgspec.Struct):
    spec: _InstanceSpec | None = None


class _MachineSpec(msgspec.Struct):
    template: _Template | None = None


class _SeenInterface(msgspec.Struct, rename="camel"):
    """One of `status.interfaces`; one without a name is known only inside the guest."""

    mac: str | None = None
    name: str = ""


class _Side(msgspec.Struct, rename="camel"):
    instance: str = msgspec.field(default="", name="virtualMachineInstanceUID")
    migration: str = msgspec.field(default="", name="migrationUID")


class _Migration(msgspec.Struct, rename="camel"):
    """`status.migrationState`; both sides are there where they are in two namespaces."""

    source_state: _Side | None = None
    target_state: _Side | None = None


class _InstanceStatus(msgspec.Struct, rename="camel"):
    phase: str = ""
    interfaces: list[_SeenInterface] | None = None
    migration_state: _Migration | None = None


class Reference(msgspec.Struct, rename="camel"):
    """One of `metadata.ownerReferences`."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    uid: str
    resource_version: str
    owner_references: list[Reference] | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata
    spec: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL


_object = msgspec.json.Decoder(_Object)
_machine_spec = msgspec.json.Decoder(_MachineSpec | None)
_instance_spec = msgspec.json.Decoder(_InstanceSpec | None)
_instance_status = msgspec.json.Decoder(_InstanceStatus | None)


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
        raise BadMachine(f"{WHERE} has {count}: one VM can have up to {most}")
    return _interfaces(whole, namespace)


def read_machine(raw: bytes) -> Carrier:
    """Read a stored VirtualMachine."""
    one = _object.decode(raw)
    try:
        found = interfaces(one.spec, one.metadata.namespace)
    except BadMachine:
        found = ()
    return _carrier(MACHINE, one.metadata, _attachments(found))


def read_instance(raw: bytes) -> Carrier:
    """Read a stored VirtualMachineInstance; one that has Succeeded or Failed carries nothing."""
    one = _object.decode(raw)
    try:
        status = _instance_status.decode(one.status) or _InstanceStatus()
    except msgspec.DecodeError:
        status = _InstanceStatus()
    try:
        found = _interfaces(_instance_spec.decode(one.spec), one.metadata.namespace)
    except msgspec.DecodeError:
        found = ()
    if status.phase in {"Succeeded", "Failed"}:
        return _carrier(INSTANCE, one.metadata, (), terminal=True)
    # What has no name of the spec's is inside the guest. And what is on the pod network, and in no
    # spec, is the pod's own address, or one behind NAT that libvirt made up: no network shows it.
    elsewhere = {None, POD_NETWORK}
    served = {one.name: one.network for one in found if one.network not in elsewhere}
    seen = (
        Interface(one.name, one.mac, served[one.name])
        for one in status.interfaces or ()
        if one.name in served
    )
    # One of each name, the last: the creator of a VMI may write any status with it.
    in_use = {one.name: one for one in seen}
    carried = {(one.mac, one.interface): one for one in _attachments((*found, *in_use.values()))}
    return replace(
        _carrier(INSTANCE, one.metadata, tuple(carried.values())),
        is_running=status.phase == "Running",
        guest=_guest(status.migration_state),
    )


def controlling_owner(references: list[Reference] | None) -> OwnerReference | None:
    """Return the KubeVirt object among `metadata.ownerReferences` that controls the object."""
    for one in references or ():
        is_kubevirt = one.api_version.startswith("kubevirt.io/")
        can_be = 0 < len(one.name) <= LONGEST_NAME and 0 < len(one.uid) <= LONGEST_UID
        if one.controller and is_kubevirt and can_be and one.kind in {MACHINE, INSTANCE}:
            return OwnerReference(one.kind, one.name, one.uid)
    return None


def _interfaces(spec: _InstanceSpec | None, namespace: str) -> tuple[Interface, ...]:
    listed = _listed(spec)
    if spec is None or not listed:
        return ()
    networks = {one.name: _network(one, namespace) for one in spec.networks or ()}
    return tuple(
        Interface(
            name=one.name,
            mac=one.mac_address or None,
            network=networks.get(one.name),
            is_natted=one.masquerade != _NULL or one.slirp != _NULL,
            is_absent=one.state == "absent",
        )
        for one in listed
    )


def _listed(spec: _InstanceSpec | None) -> list[_Interface]:
    devices = spec.domain.devices if spec and spec.domain else None
    return (devices.interfaces if devices else None) or []


def _network(network: _Network, namespace: str) -> str | None:
    if network.multus is not None:
        name = network.multus.network_name
        return name if "/" in name else f"{namespace}/{name}"
    return POD_NETWORK if network.pod != _NULL else None


def _attachments(found: tuple[Interface, ...]) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(mac, interface.name, interface.network or "")
        for interface in found[:MOST_CARRIED]
        if (mac := MacAddress.read(interface.mac)) is not None
    )


def _guest(migration: _Migration | None) -> str:
    """Return what both sides of a migration across namespaces agree on, once they do.

    For reports only: every user who may update a VMI can write it.
    """
    source = migration.source_state if migration else None
    target = migration.target_state if migration else None
    if source is None or target is None:
        return ""
    named = (source.instance, source.migration, target.migration)
    return "/".join(named) if all(named) else ""


def _carrier(
    kind: str,
    metadata: _Metadata,
    attachments: tuple[Attachment, ...],
    *,
    terminal: bool = False,
) -> Carrier:
    return Carrier(
        api_version=KUBEVIRT,
        kind=kind,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        version=metadata.resource_version,
        terminal=terminal,
        attachments=attachments,
        controller=_maker(metadata),
    )


def _maker(metadata: _Metadata) -> OwnerReference | None:
    """Return the VM of a VMI: KubeVirt gives both one name, and no other is believed."""
    made_by = controlling_owner(metadata.owner_references)
    is_vm = made_by is not None and made_by.kind == MACHINE
    return made_by if made_by is not None and is_vm and made_by.name == metadata.name else None
