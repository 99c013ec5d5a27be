"""VMs, VMIs and launcher pods of one machine, for the pure decisions; each carries MAC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from controller.tests.worlds import MAC
from crds.allocation import INSTANCE, KUBEVIRT, MACHINE
from crds.carriers import Carrier, OwnerReference
from crds.networks import Attachment

if TYPE_CHECKING:
    from crds.allocation import Root


def vm(uid: str = "vm-1", *, namespace: str = "shop", name: str = "db") -> Carrier:
    """Return a VirtualMachine."""
    return _carrier(KUBEVIRT, MACHINE, namespace, name, uid)


def vmi(
    uid: str = "vmi-1", made_by: str | None = "vm-1", *, namespace: str = "shop", name: str = "db"
) -> Carrier:
    """Return a running VMI; `made_by` is the UID of its VM, None where it has none."""
    controller = OwnerReference(MACHINE, name, made_by) if made_by else None
    one = _carrier(KUBEVIRT, INSTANCE, namespace, name, uid)
    return replace(one, controller=controller, is_running=True)


def launcher(
    uid: str = "pod-1", of: str = "vmi-1", *, namespace: str = "shop", name: str = "db"
) -> Carrier:
    """Return a launcher pod; `of` is the UID of its VMI."""
    one = _carrier("v1", "Pod", namespace, f"virt-launcher-{name}-{uid}", uid)
    return replace(one, controller=OwnerReference(INSTANCE, name, of))


def without(one: Carrier) -> Carrier:
    """Return it as it carries nothing."""
    return replace(one, attachments=())


def root(name: str = "db", namespace: str = "shop") -> Root:
    """Return the root of a machine."""
    return MACHINE, namespace, name


def _carrier(version: str, kind: str, namespace: str, name: str, uid: str) -> Carrier:
    where = Attachment(MAC, "net1", "shop/ovs")
    return Carrier(version, kind, namespace, name, uid, "1", attachments=(where,))
