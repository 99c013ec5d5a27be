"""A request asks for an address that another object has: share it, or refuse and say why.

Law: under policy Warn, an address is shared only if its owner exists and the allocation has been
unchanged for Q. The write marks it as shared: from then on it is released only when the last object
that carries it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crds import lifecycle, names
from crds.allocation import Allocation, Owner, State, Stored
from crds.kinds import is_vm
from crds.objects import UnknownKind, read_root
from crds.pool import CollisionPolicy
from crds.store import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.mac import MacAddress
    from crds.objects import Objects
    from webhook.admission import Want
    from webhook.allocated import AllocatedView

_REMEDY = "choose another address, or leave out the mac and get one from the pool"


class MacTaken(Exception):
    """Another object has the requested address; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Shares or refuses an address; `policy` returns the collision policy in force now."""

    objects: Objects
    allocated: AllocatedView
    policy: Callable[[], CollisionPolicy] = lambda: CollisionPolicy.REJECT

    async def share_or_refuse(
        self, found: Stored, want: Want, request: str
    ) -> tuple[Allocation, str]:
        """Return the allocation to write over `found`, and the warning for `want`.

        Rule 2: the policy is Warn, the owner exists, the address is not reserved for another
        object, and the allocation has been unchanged for Q. An address that is shared already need
        not be unchanged: its release does not change. Raises MacTaken, StoreUnavailable.
        """
        allocation, owner, where = found.allocation, found.allocation.owner, _asks(want, found.mac)
        reserved = allocation.reserved_for
        is_open = allocation.state is State.BOUND and (
            reserved is None or reserved.admits(want.owner)
        )
        if owner is None or not is_open or self.policy() is CollisionPolicy.REJECT:
            raise MacTaken(await self._why(allocation, want))
        if await self._is_gone(owner, found.mac):
            raise MacTaken(_released(where, owner))
        if not allocation.shared and not self.allocated.is_unchanged(found):
            raise MacTaken(
                f"{where}, which {owner} has: it can be shared when nothing has changed about it"
                f" for a minute: retry in a minute"
            )
        warning = f"{where}, which {owner} has, too: allowed by policy Warn"
        return lifecycle.share(allocation, request), warning

    async def _why(self, found: Allocation, want: Want) -> str:
        """Return which object has the address, and the remedy. Only this reads the owner."""
        where, owner, remedy = _asks(want, found.mac), found.owner, _REMEDY
        if found.state is State.DECLARED:
            return f"{where}, which is declared for {found.reserved_for} only: {remedy}"
        if found.state is State.STOCK:
            return (
                f"{where}, which the pool has just given to a new object or keeps ready for the"
                f" next one: {remedy}, or retry in 7 minutes if it is still Stock then"
                f" (kubectl get macallocation {found.mac.name})"
            )
        if found.state is State.PENDING:
            return f"{where}, which {owner} is getting or giving back: retry in a minute"
        if owner is not None and await self._seems_gone(owner, found.mac):
            return _released(where, owner)
        if owner is not None and _moves(owner, want.owner):
            remedy += (
                f"; to migrate that VM to this namespace, set COLLISION_POLICY to Warn in ConfigMap"
                f" {names.CONFIG_MAP} until the VM it came from is deleted"
            )
        look = f"kubectl get macallocation {found.mac.name}"
        return f"{where}, which belongs to {owner}: {remedy} ({look})"

    async def _seems_gone(self, owner: Owner, mac: MacAddress) -> bool:
        try:
            return await self._is_gone(owner, mac)
        except StoreUnavailable:
            return False

    async def _is_gone(self, owner: Owner, mac: MacAddress) -> bool:
        try:
            found = await read_root(self.objects, owner.root, mac)
        except UnknownKind:
            return False
        return not any(member.still_holds(mac, owner) for member in found)


def _asks(want: Want, mac: MacAddress) -> str:
    return f"interface {want.owner.interface} asks for {mac}"


def _released(where: str, owner: Owner) -> str:
    return f"{where}, which {owner} had, and which is being released: retry in a minute"


def _moves(owner: Owner, asking: Owner) -> bool:
    """Return True if a VM asks for the address of a VM of its name in another namespace."""
    (kind, namespace, name), (other_kind, elsewhere, other) = owner.root, asking.root
    same_kind = kind == other_kind and is_vm(kind)
    return same_kind and name == other and namespace != elsewhere
