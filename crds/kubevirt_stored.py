"""Stored VirtualMachines and VirtualMachineInstances, read as carriers of addresses.

Law: what a stored machine cannot be read of carries nothing: one strange VM must not keep the list
of all others from being a proof.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from crds.allocation import INSTANCE, KUBEVIRT, MACHINE
from crds.carriers import Carrier, OwnerReference
from crds.kubevirt import (
    NULL,
    POD_NETWORK,
    BadMachine,
    Interface,
    Reference,
    controlling_owner,
    instance_spec,
    interfaces,
    interfaces_of,
)
from crds.mac import MacAddress
from crds.networks import Attachment

# A guest has no more interfaces: QEMU's q35 has 32 root ports, KubeVirt uses fewer. A stored object
# that says more (1.5 MiB of them, in whatever namespace) must not fill pool and memory.
MOST_CARRIED = 256


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
        found = interfaces_of(instance_spec.decode(one.spec), one.metadata.namespace)
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
