"""The resources that the pool reads: where they are, and how their JSON becomes values.

Only the fields that are used are decoded; what else an object holds costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crds import kinds
from crds.allocation import INSTANCE, Allocation, Conflict, Stored, decode_hook
from crds.carriers import Carrier, OwnerReference
from crds.kubevirt import Reference, controlling_owner
from crds.kubevirt_stored import read_instance, read_machine
from crds.mac import MacAddress, MacRange
from crds.networks import ANNOTATION, carried
from crds.pool import CollisionPolicy, Pool
from kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Callable


class _Annotations(msgspec.Struct):
    networks: str | None = msgspec.field(default=None, name=ANNOTATION)


class Labels(msgspec.Struct):
    """The one label that matters: KubeVirt's on its launcher pods."""

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
        """Whether condition `kind` is True."""
        return any(one.type == kind and one.status == "True" for one in self.conditions)


class _MacPool(msgspec.Struct):
    metadata: _Metadata
    spec: _PoolSpec = msgspec.field(default_factory=_PoolSpec)
    status: PoolStatus = msgspec.field(default_factory=PoolStatus)


class NameAndVersion(msgspec.Struct, frozen=True, gc=False):
    """That there is an allocation, and the version of it."""

    mac: MacAddress
    version: int


class PoolSnapshot(msgspec.Struct, frozen=True):
    """A MacPool as it was when it was read."""

    pool: Pool
    status: PoolStatus
    policy: CollisionPolicy = CollisionPolicy.REJECT


_pod = msgspec.json.Decoder(_Pod)
_allocation = msgspec.json.Decoder(_MacAllocation, dec_hook=decode_hook)
_named = msgspec.json.Decoder(_Named)
_macpool = msgspec.json.Decoder(_MacPool, dec_hook=decode_hook)


def read_pod(raw: bytes) -> Carrier:
    """Read a pod; one that has Succeeded or Failed carries nothing any more."""
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
        attachments=() if terminal else carried(meta.annotations.networks, meta.namespace),
        controller=launched_for(meta.labels, meta.owner_references),
    )


def launched_for(labels: Labels, references: list[Reference] | None) -> OwnerReference | None:
    """Return the VMI whose launcher pod this is, or None for all other pods."""
    made_by = controlling_owner(references) if labels.kubevirt == "virt-launcher" else None
    return made_by if made_by is not None and made_by.kind == INSTANCE else None


def read_allocation(raw: bytes) -> Stored:
    """Read a MacAllocation."""
    one = _allocation.decode(raw)
    return Stored(one.spec, one.metadata.uid, one.metadata.resource_version, one.status.conflicts)


def read_name_and_version(raw: bytes) -> NameAndVersion:
    """Read no more of a MacAllocation than its name and version; ValueError where it has none."""
    meta = _named.decode(raw).metadata
    return name_and_version(meta.name, meta.resource_version)


def name_and_version(name: str, version: str) -> NameAndVersion:
    """Make that of a MacAllocation's name and resourceVersion; ValueError where they are none."""
    return NameAndVersion(MacAddress.parse(name), int(version))


def read_pool(raw: bytes) -> PoolSnapshot:
    """Read a MacPool."""
    one = _macpool.decode(raw)
    return PoolSnapshot(
        Pool(
            one.metadata.name,
            tuple(block.as_range() for block in one.spec.ranges),
            tuple(block.as_range() for block in one.spec.reserved),
        ),
        one.status,
        one.spec.collision_policy,
    )


# The reader of each kind of owner.
READERS: dict[str, Callable[[bytes], Carrier]] = {
    kinds.VM.name: read_machine,
    kinds.VMI.name: read_instance,
    kinds.POD.name: read_pod,
}
# The resource of each kind that can own an address, in order of rank (crds/kinds.py). An owner of
# any other kind is never judged gone.
KINDS: dict[str, Resource[Carrier]] = {
    name: Resource(kind.path, kind.plural, READERS[name], crd=kind.crd)
    for name, kind in kinds.KINDS.items()
}
MACHINES, INSTANCES, PODS = (KINDS[kind.name] for kind in (kinds.VM, kinds.VMI, kinds.POD))
LAUNCHERS = {"labelSelector": "kubevirt.io=virt-launcher"}
# One allocation that cannot be read (a newer version wrote it) must not keep all others from being
# listed for ever. Leaving it out is safe: the webhook's create meets it all the same (create is the
# lock), and the controller, not seeing it, never releases it. Of pods it would not be: a list that
# lacks one proves that no object carries its address.
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
