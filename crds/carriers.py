"""The objects that carry addresses: pods, VMs and VMIs, in the state that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crds import kinds
from crds.allocation import LONGEST_INTERFACE, LONGEST_NETWORK, Owner, Root
from crds.networks import Attachment

if TYPE_CHECKING:
    from crds.mac import MacAddress


class OwnerReference(msgspec.Struct, frozen=True):
    """The ownerReference with `controller: true` that names an object of KubeVirt."""

    kind: str
    name: str
    uid: str


class Carrier(msgspec.Struct, frozen=True):
    """An object in the state that was read, and the addresses that it carries.

    `terminal`: its phase is Succeeded or Failed, and `attachments` is empty. `controller`: its
    ownerReference with `controller: true`; it names the VMI of a launcher pod, or the VM of a VMI,
    and is None for other objects. `is_running`: a VMI in phase Running. `guest`: a text that names
    the migration of a VMI across namespaces, from its status; both VMIs of the migration have the
    same text, and it is empty for other objects.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    version: str
    terminal: bool = False
    attachments: tuple[Attachment, ...] = ()
    controller: OwnerReference | None = None
    is_running: bool = False
    guest: str = ""

    @property
    def root(self) -> Root:
        """The object that it is a part of: the VM, for a VM, VMI or launcher pod; else itself."""
        top = self.controller or self  # a VMI has the name of its VM
        return kinds.root_kind(top.kind), self.namespace, top.name

    def carries(self, mac: MacAddress) -> bool:
        """Return True if `mac` is one of its addresses."""
        return any(attachment.mac == mac for attachment in self.attachments)

    def still_holds(self, mac: MacAddress, owner: Owner) -> bool:
        """Return True if the object, read by the name of `owner`, has the address of `owner`.

        A running pod keeps its address until it is gone, even if its annotation no longer shows it,
        because the interface still carries it (Kind.keeps_hidden).
        """
        if self.terminal:
            return False
        if self.carries(mac):
            return True
        made_by = self.controller.uid if self.controller else None
        is_same = owner.uid is not None and owner.uid in {self.uid, made_by}
        return kinds.keeps_hidden(self.kind) and is_same

    def as_owner(self, mac: MacAddress) -> Owner:
        """Return the object as the owner of `mac`, with the interface that carries `mac`."""
        where = next((attachment for attachment in self.attachments if attachment.mac == mac), None)
        # The CRD limits the length of interface and network; the object does not.
        return Owner(
            api_version=self.api_version,
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            interface=where.interface[:LONGEST_INTERFACE] if where else None,
            network=where.network[:LONGEST_NETWORK] if where else None,
        )
