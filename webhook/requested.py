"""Rule 2: may a request take an address that is already allocated? Pure.

Law: a request never takes over the address of an object of another name. Each admitted object
leaves a write behind, so that a release in progress finds the allocation changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crds import lifecycle
from crds.allocation import Allocation, State

if TYPE_CHECKING:
    from crds.mac import MacAddress
    from crds.pool import Pool
    from webhook.admission import Want


@dataclass(frozen=True, slots=True)
class HeldByAnother:
    """Another object has the address."""


def new_pending(mac: MacAddress, want: Want, pool: Pool | None, request: str) -> Allocation:
    """Return the Pending allocation that locks an address without an allocation."""
    is_requested = want.requested is not None
    return lifecycle.claim(mac, want.owner, request, pool, is_requested=is_requested)


def claim_allocated(
    found: Allocation, want: Want, request: str, *, is_ours: bool = False
) -> Allocation | HeldByAnother:
    """Return the allocation to write over `found` so that `want` gets its address.

    `is_ours`: this process created it in advance, and has not handed it out.
    """
    if found.state is State.STOCK and is_ours:
        return lifecycle.claim_stock(found, want.owner, request)
    if found.is_free_for(want.owner):
        return lifecycle.claim_declared(found, want.owner, request)
    owner = found.owner
    if owner is None:
        return HeldByAnother()
    if want.is_carried or (want.object_uid is not None and owner.uid == want.object_uid):
        # The owner of the address adds it again: the owner exists, so the address stays Bound. Or
        # another pod of the same VMI carries it, maybe shared: a migration must not fail for that.
        return lifecycle.confirm(found, request)
    if owner.is_namesake(want.owner) and not found.shared:
        # The API server stores one object of each name, so either the former owner is gone, or this
        # object will not be stored. In the second case the controller binds it again (rule 5).
        return lifecycle.reclaim(found, want.owner, request)
    return HeldByAnother()
