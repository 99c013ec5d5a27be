"""VMs, VMIs and launcher pods of one VM, and facts about them; each carries MAC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from controller.allocations.ownership import owner_of
from controller.tests.worlds import MAC, NOW, owner, pending, stored
from crds.allocation import (
    KUBEVIRT,
    VM_KIND,
    VMI_KIND,
    Allocation,
    Conflict,
    State,
)
from crds.carriers import Carrier, OwnerReference
from crds.networks import Attachment

if TYPE_CHECKING:
    from crds.allocation import Root, Stored


PENDING = replace(pending("db"), owner=replace(owner("db", kind=VM_KIND), api_version=KUBEVIRT))


def vm(uid: str = "vm-1", *, namespace: str = "shop", name: str = "db") -> Carrier:
    """Return a VirtualMachine."""
    return _carrier(KUBEVIRT, VM_KIND, namespace, name, uid)


def vmi(
    uid: str = "vmi-1", made_by: str | None = "vm-1", *, namespace: str = "shop", name: str = "db"
) -> Carrier:
    """Return a running VMI; `made_by` is the UID of its VM, None where it has none."""
    controller = OwnerReference(VM_KIND, name, made_by) if made_by else None
    carrier = _carrier(KUBEVIRT, VMI_KIND, namespace, name, uid)
    return replace(carrier, controller=controller, is_running=True)


def launcher(
    uid: str = "pod-1", of: str = "vmi-1", *, namespace: str = "shop", name: str = "db"
) -> Carrier:
    """Return a launcher pod; `of` is the UID of its VMI."""
    carrier = _carrier("v1", "Pod", namespace, f"virt-launcher-{name}-{uid}", uid)
    return replace(carrier, controller=OwnerReference(VMI_KIND, name, of))


def without(carrier: Carrier) -> Carrier:
    """Return it without an address."""
    return replace(carrier, attachments=())


def root(name: str = "db", namespace: str = "shop") -> Root:
    """Return the root of a VM."""
    return VM_KIND, namespace, name


def _carrier(version: str, kind: str, namespace: str, name: str, uid: str) -> Carrier:
    where = Attachment(MAC, "net1", "shop/ovs")
    return Carrier(version, kind, namespace, name, uid, "1", attachments=(where,))


def bound(*members: Carrier, shared: bool = False) -> Allocation:
    """Return the allocation that is bound to the owner in `members`."""
    found = owner_of(MAC, members)
    return replace(PENDING, state=State.BOUND, owner=found, shared=shared)


def conflict_of(*members: Carrier) -> Conflict:
    """Return the owner in `members` as status.conflicts names it."""
    found = replace(owner_of(MAC, members), network=None)
    return Conflict(**asdict(found), since=NOW)


def in_conflict(allocation: Allocation, *members: Carrier) -> Stored:
    """Return it as it is stored, in conflict with the VM of `members`."""
    return replace(stored(allocation), conflicts=(conflict_of(*members),))
