"""The resources that kubemacpool reads: their paths, and the readers of their JSON.

The readers decode only the fields that are used, so all other fields cost nearly nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crds import kinds
from crds.allocation import VMI_KIND, Allocation, Conflict, Stored, decode_hook
from crds.carriers import Carrier, OwnerReference
from crds.kubevirt import Reference, controlling_owner
from crds.kubevirt_stored import read_vm, read_vmi
from crds.mac import MacAddress, MacRange
from crds.networks import ANNOTATION, attachments_of
from crds.pool import CollisionPolicy, Pool
from kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Callable


class _Annotations(msgspec.Struct):
    networks: str | None = msgspec.field(default=None, name=ANNOTATION)


class Labels(msgspec.Struct):
    """The one label that is read: KubeVirt's label on launcher pods."""

    kubevirt: str = msgspec.field(default="", name="kubevirt.io")


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: _Annotations = msgspec.field(default_factory=_Annotations)
    labels: Labels = msgspec.field(default_factory=Labels)
    owner_references: list[Reference] | None = None


class _PodStatus(msgspec.Struct):
    phase: str = ""


class _Pod(msgspec.Struct):
    metadata: _Metadata
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class _AllocationStatus(msgspec.Struct):
    conflicts: tuple[Conflict, ...] = ()


class _MacAllocation(msgspec.Struct):
    metadata: _Metadata
    spec: Allocation
    status: _AllocationStatus = msgspec.field(default_factory=_AllocationStatus)


class _Named(msgspec.Struct):
    metadata: _Metadata


class _Block(msgspec.Struct):
    start: MacAddress
    end: MacAddress | None = None

    def as_range(self) -> MacRange:
        return MacRange(self.start, self.end or self.start)


class _PoolSpec(msgspec.Struct, rename="camel"):
    ranges: tuple[_Block, ...] = ()
    reserved: tuple[_Block, ...] = ()
    collision_policy: CollisionPolicy = CollisionPolicy.REJECT


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """One of `status.conditions` (metav1.Condition)."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class PoolStatus(msgspec.Struct, frozen=True, rename="camel"):
    """`status` of a MacPool."""

    size: int = 0
    allocated: int = 0
    free: int = 0
    conditions: tuple[Condition, ...] = ()

    def says(self, kind: str) -> bool:
        """Return True if the condition `kind` has status True."""
        return any(
            condition.type == kind and condition.status == "True" for condition in self.conditions
        )


class _MacPool(msgspec.Struct):
    metadata: _Metadata
    spec: _PoolSpec = msgspec.field(default_factory=_PoolSpec)
    status: PoolStatus = msgspec.field(default_factory=PoolStatus)


class NameAndVersion(msgspec.Struct, frozen=True, gc=False):
    """The name of an allocation, as its address, and its resourceVersion."""

    mac: MacAddress
    version: int


class PoolSnapshot(msgspec.Struct, frozen=True):
    """A MacPool in the state that was read."""

    pool: Pool
    status: PoolStatus
    policy: CollisionPolicy = CollisionPolicy.REJECT


_pod = msgspec.json.Decoder(_Pod)
_allocation = msgspec.json.Decoder(_MacAllocation, dec_hook=decode_hook)
_named = msgspec.json.Decoder(_Named)
_macpool = msgspec.json.Decoder(_MacPool, dec_hook=decode_hook)


def read_pod(raw: bytes) -> Carrier:
    """Read a pod. After Succeeded or Failed it carries no address."""
    pod = _pod.decode(raw)
    meta = pod.metadata
    terminal = pod.status.phase in {"Succeeded", "Failed"}
    return Carrier(
        api_version=kinds.POD.api_version,
        kind=kinds.POD.name,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        version=meta.resource_version,
        terminal=terminal,
        attachments=() if terminal else attachments_of(meta.annotations.networks, meta.namespace),
        controller=launched_for(meta.labels, meta.owner_references),
    )


def launched_for(labels: Labels, references: list[Reference] | None) -> OwnerReference | None:
    """Return the VMI of a launcher pod; None for all other pods."""
    made_by = controlling_owner(references) if labels.kubevirt == "virt-launcher" else None
    return made_by if made_by is not None and made_by.kind == VMI_KIND else None


def read_allocation(raw: bytes) -> Stored:
    """Read a MacAllocation."""
    read = _allocation.decode(raw)
    meta = read.metadata
    return Stored(read.spec, meta.uid, meta.resource_version, read.status.conflicts)


def read_name_and_version(raw: bytes) -> NameAndVersion:
    """Read only the name and version of a MacAllocation; ValueError if one is invalid."""
    meta = _named.decode(raw).metadata
    return name_and_version(meta.name, meta.resource_version)


def name_and_version(name: str, version: str) -> NameAndVersion:
    """Return the value of a name and a resourceVersion; ValueError if one is invalid."""
    return NameAndVersion(MacAddress.parse(name), int(version))


def read_pool(raw: bytes) -> PoolSnapshot:
    """Read a MacPool."""
    read = _macpool.decode(raw)
    return PoolSnapshot(
        Pool(
            read.metadata.name,
            tuple(block.as_range() for block in read.spec.ranges),
            tuple(block.as_range() for block in read.spec.reserved),
        ),
        read.status,
        read.spec.collision_policy,
    )


# The reader of each kind of owner.
READERS: dict[str, Callable[[bytes], Carrier]] = {
    kinds.VM.name: read_vm,
    kinds.VMI.name: read_vmi,
    kinds.POD.name: read_pod,
}
# The resource of each kind that can own an address, in order of rank (crds/kinds.py). An owner of
# another kind never counts as gone.
KINDS: dict[str, Resource[Carrier]] = {
    name: Resource(kind.path, kind.plural, READERS[name], crd=kind.crd)
    for name, kind in kinds.KINDS.items()
}
VMS, VMIS, PODS = (KINDS[kind.name] for kind in (kinds.VM, kinds.VMI, kinds.POD))
LAUNCHERS = {"labelSelector": "kubevirt.io=virt-launcher"}
# Lists leave out an allocation that cannot be read (for example, a newer version wrote it), because
# it must not block all lists forever. This is safe: the webhook's create still fails (the create is
# the lock), and the controller does not see the allocation, so it never releases it. For pods it
# would not be safe: a list without a pod proves that no object carries its address.
ALLOCATIONS = Resource(
    "/apis/kubemacpool.io/v1beta1", "macallocations", read_allocation, leave_out=True, page=2500
)
ALLOCATED = Resource(
    "/apis/kubemacpool.io/v1beta1",
    "macallocations",
    read_name_and_version,
    leave_out=True,
    of_name=name_and_version,
)
POOLS = Resource("/apis/kubemacpool.io/v1beta1", "macpools", read_pool)
