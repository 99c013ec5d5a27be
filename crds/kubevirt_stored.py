"""Reads stored VirtualMachines and VirtualMachineInstances as carriers of addresses.

Law: a spec or status that cannot be read carries no address, and is no error. Otherwise one invalid
VM would prevent the list of all VMs, which proves that no object carries an address.
Source: kubevirt.io/v1 (VirtualMachineInstanceStatus).
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND
from crds.carriers import Carrier, OwnerReference
from crds.kubevirt import (
    NULL,
    POD_NETWORK,
    Interface,
    InvalidVirtualMachine,
    Reference,
    controlling_owner,
    instance_spec,
    interfaces,
    interfaces_of,
)
from crds.mac import MacAddress
from crds.networks import Attachment

# More than a guest can have: QEMU's q35 has 32 root ports, and KubeVirt uses fewer. A stored object
# with more (up to 1.5 MiB, from any user) must not exhaust pool and memory.
MOST_CARRIED = 256


class _InterfaceInUse(msgspec.Struct, rename="camel"):
    """One of `status.interfaces`. One without a name exists only inside the guest."""

    mac: str | None = None
    name: str = ""


class _Side(msgspec.Struct, rename="camel"):
    instance: str = msgspec.field(default="", name="virtualMachineInstanceUID")
    migration: str = msgspec.field(default="", name="migrationUID")


class _Migration(msgspec.Struct, rename="camel"):
    """`status.migrationState`; it has both sides if the migration crosses namespaces."""

    source_state: _Side | None = None
    target_state: _Side | None = None


class _InstanceStatus(msgspec.Struct, rename="camel"):
    phase: str = ""
    interfaces: list[_InterfaceInUse] | None = None
    migration_state: _Migration | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    uid: str
    resource_version: str
    owner_references: list[Reference] | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata
    spec: msgspec.Raw = NULL
    status: msgspec.Raw = NULL


_object = msgspec.json.Decoder(_Object)
_instance_status = msgspec.json.Decoder(_InstanceStatus | None)


def read_vm(raw: bytes) -> Carrier:
    """Read a stored VirtualMachine."""
    vm = _object.decode(raw)
    try:
        found = interfaces(vm.spec, vm.metadata.namespace)
    except InvalidVirtualMachine:
        found = ()
    return _carrier(VM_KIND, vm.metadata, _attachments(found))


def read_vmi(raw: bytes) -> Carrier:
    """Read a stored VirtualMachineInstance. After Succeeded or Failed it carries no address."""
    vmi = _object.decode(raw)
    try:
        status = _instance_status.decode(vmi.status) or _InstanceStatus()
    except msgspec.DecodeError:
        status = _InstanceStatus()
    try:
        found = interfaces_of(instance_spec.decode(vmi.spec), vmi.metadata.namespace)
    except msgspec.DecodeError:
        found = ()
    if status.phase in {"Succeeded", "Failed"}:
        return _carrier(VMI_KIND, vmi.metadata, (), terminal=True)
    # An interface of the status that is not in the spec exists only inside the guest. On the pod
    # network, an address that is only in the status is the pod's own, or one behind NAT that
    # libvirt chose. No network shows it.
    elsewhere = {None, POD_NETWORK}
    networks = {nic.name: nic.network for nic in found if nic.network not in elsewhere}
    # The last of each name counts: the creator of a VMI may write any status with it.
    in_use = {
        nic.name: Interface(nic.name, nic.mac, networks[nic.name])
        for nic in status.interfaces or ()
        if nic.name in networks
    }
    carried = {
        (each.mac, each.interface): each for each in _attachments((*found, *in_use.values()))
    }
    return replace(
        _carrier(VMI_KIND, vmi.metadata, tuple(carried.values())),
        is_running=status.phase == "Running",
        guest=_guest(status.migration_state),
    )


def _attachments(found: tuple[Interface, ...]) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(mac, interface.name, interface.network or "")
        for interface in found[:MOST_CARRIED]
        if (mac := MacAddress.read(interface.mac)) is not None
    )


def _guest(migration: _Migration | None) -> str:
    """Return a value that is equal on both sides of a migration across namespaces, or "".

    Only for reports: every user who may update a VMI can write it.
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
    """Return the VM of a VMI. A VM with another name is ignored: KubeVirt gives both one name."""
    made_by = controlling_owner(metadata.owner_references)
    is_vm = made_by is not None and made_by.kind == VM_KIND
    return made_by if made_by is not None and is_vm and made_by.name == metadata.name else None
