"""Whether an address that has an allocation may be had all the same: rule 2 of the protocol, pure.

Law: another name's address is never taken over, and whoever is let in leaves a write behind: a
release that is under way then finds the allocation changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.allocation import Allocation, Source, State

if TYPE_CHECKING:
    from crds.mac import MacAddress
    from crds.pool import Pool
    from webhook.admission import Want


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody else has it."""


def fresh(mac: MacAddress, want: Want, pool: Pool, request: str) -> Allocation:
    """Return the Pending allocation that locks an address which had none."""
    return Allocation(
        mac=mac,
        state=State.PENDING,
        source=Source.POOL if want.requested is None else Source.REQUESTED,
        pool=pool.name if mac in pool else None,
        owner=want.owner,
        request=request,
    )


def judge(
    found: Allocation, want: Want, request: str, *, is_ours: bool = False
) -> Allocation | Taken:
    """Return what to write over `found` so that `want` may have its address, or Taken.

    `is_ours`: this process created it ahead, and has given it to nobody.
    """
    if found.state is State.STOCK and is_ours:
        source = Source.REQUESTED
        return replace(found, state=State.PENDING, source=source, owner=want.owner, request=request)
    if found.is_free_for(want.owner):
        return replace(found, state=State.PENDING, owner=want.owner, request=request, declared=True)
    owner = found.owner
    if owner is None:
        return Taken()
    if want.is_carried or (want.object_uid is not None and owner.uid == want.object_uid):
        # The very object that owns it adds it again: it stays Bound, for the object exists. Or a
        # pod of the same VMI carries it already, be it shared: a migration must not fail for that.
        return replace(found, request=request)
    if owner.is_namesake(want.owner) and not found.shared:
        # The API server stores one object of a name, so the other is gone or ours never comes; if
        # the old one still lives, the controller binds it again (rule 5).
        # Its UID stays on record: while that object runs, the address remains its own.
        owner = replace(want.owner, uid=owner.uid)
        return replace(found, state=State.PENDING, owner=owner, request=request)
    return Taken()
