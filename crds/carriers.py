"""The objects that carry addresses, as they were when they were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crds import kinds
from crds.allocation import LONGEST_INTERFACE, LONGEST_NETWORK, Owner, Root
from crds.networks import Attachment

if TYPE_CHECKING:
    from crds.mac import MacAddress


class OwnerReference(msgspec.Struct, frozen=True):
    """The ownerReference with `controller: true`, if it names an object of KubeVirt."""

    kind: str
    name: str
    uid: str


class Carrier(msgspec.Struct, frozen=True):
    """An object as it was when it was read, and the addresses that it carries.

    `terminal` (Succeeded, Failed) carries nothing any more: `attachments` is empty then.
    `controller` is the VMI of a launcher pod, and the VM of a VMI. `is_running`: a VMI in phase
    Running. `guest`, of a VMI that migrates across namespaces, is the same on both sides.
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
        """What it is a part of: the machine, for VM, VMI and launcher pod, else it itself."""
        top = self.controller or self  # a VMI has the name of its VM
        return kinds.root_kind(top.kind), self.namespace, top.name

    def carries(self, mac: MacAddress) -> bool:
        """Whether `mac` is one of its addresses."""
        return any(attachment.mac == mac for attachment in self.attachments)

    def still_holds(self, mac: MacAddress, owner: Owner) -> bool:
        """Whether it, read by the name of `owner`, has the address that was given to `owner`.

        A running pod keeps its address until it is gone, even if its annotation no longer shows it:
        the interface still carries it (Kind.keeps_hidden).
        """
        if self.terminal:
            return False
        if self.carries(mac):
            return True
        made_by = self.controller.uid if self.controller else None
        is_same = owner.uid is not None and owner.uid in {self.uid, made_by}
        return kinds.keeps_hidden(self.kind) and is_same

    def as_owner(self, mac: MacAddress) -> Owner:
        """It, as the owner of `mac`; the interface is the one that carries it."""
        where = next((attachment for attachment in self.attachments if attachment.mac == mac), None)
        # They are for people. The CRD limits their length; the object does not.
        return Owner(
            api_version=self.api_version,
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            interface=where.interface[:LONGEST_INTERFACE] if where else None,
            network=where.network[:LONGEST_NETWORK] if where else None,
        )
