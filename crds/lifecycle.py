"""Every state transition of a MacAllocation, one function for each. Pure; both programs use it.

A function returns the allocation to write. It does not decide whether the transition may happen:
for a request, the webhook's `claim_allocated` and `share_or_refuse` decide that (rule 2), and for
everything else the controller's `decide` (rules 5 to 9). "absent": no MacAllocation has the name.

    absent   --declare--------> Declared   a person creates it
    Declared --declare--------> Declared   a person edits it
    Declared --withdraw-------> absent     a person deletes it
    absent   --stock----------> Stock      webhook: creates it ahead of a request
    Stock    --discard--------> absent     webhook: does not need it (any more)
    absent   --claim----------> Pending    webhook: a request needs an address, or asks for this one
    Declared --claim_declared-> Pending    webhook: a request asks for it, and may have it
    Stock    --claim_stock----> Pending    webhook: a request asks for it, and it is our own stock
    Pending  --reclaim--------> Pending    webhook: an object of the owner's name asks for it
    Bound    --reclaim--------> Pending    webhook: the same
    Pending  --confirm--------> Pending    webhook: an object that has it already asks for it
    Bound    --confirm--------> Bound      webhook: the same
    Bound    --share----------> Bound      webhook: policy Warn lets another object have it, too
    Pending  --undo-----------> absent     webhook: deletes what a refused request created (rule 3)
    absent   --adopt----------> Bound      controller: an object carries it (rule 9)
    Declared --bind-----------> Bound      controller: an object that may have it does (rule 5)
    Stock    --bind-----------> Bound      controller: an object carries it (rule 5)
    Pending  --bind-----------> Bound      controller: its owner, or another, carries it (5, 7)
    Bound    --bind-----------> Bound      controller: its owner is now another object (5, 8)
    Pending  --wait_again-----> Pending    controller: its VM exists without it; look once more (7)
    Bound    --wait_again-----> Pending    controller: its VM was edited; look once more (rule 6)
    Stock    --release--------> absent     controller: nothing carries it after 7 Q (rule 7)
    Pending  --release--------> absent     controller: nothing carries it after Q (rule 7)
    Pending  --release--------> Declared   controller: the same, if it was Declared before
    Bound    --release--------> absent     controller: its owner is gone (rules 6, 8)
    Bound    --release--------> Declared   controller: the same, if it was Declared before
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.allocation import Allocation, Owner, Source, State

if TYPE_CHECKING:
    from crds.mac import MacAddress
    from crds.pool import Pool


def stock(mac: MacAddress, pool: Pool) -> Allocation:
    """Create it ahead of a request, without an owner."""
    return Allocation(mac=mac, state=State.STOCK, source=Source.POOL, pool=pool.name)


def claim(
    mac: MacAddress, owner: Owner, request: str, pool: Pool | None, *, is_requested: bool
) -> Allocation:
    """Claim an address that has no allocation. `is_requested`: the object asks for this address."""
    return Allocation(
        mac=mac,
        state=State.PENDING,
        source=Source.REQUESTED if is_requested else Source.POOL,
        pool=pool.name if pool is not None and mac in pool else None,
        owner=owner,
        request=request,
    )


def claim_declared(declared: Allocation, owner: Owner, request: str) -> Allocation:
    """Give a Declared address to `owner`; `declared` records that it was Declared."""
    return replace(declared, state=State.PENDING, owner=owner, request=request, declared=True)


def claim_stock(ahead: Allocation, owner: Owner, request: str) -> Allocation:
    """Give an address of our own stock to an `owner` that asks for it."""
    return replace(
        ahead, state=State.PENDING, source=Source.REQUESTED, owner=owner, request=request
    )


def reclaim(found: Allocation, owner: Owner, request: str) -> Allocation:
    """Give the address to an object that has the name of its owner.

    The allocation keeps the UID of the former owner, which has the address while it runs.
    """
    former = found.owner.uid if found.owner is not None else None
    kept = replace(owner, uid=former)
    return replace(found, state=State.PENDING, owner=kept, request=request)


def confirm(found: Allocation, request: str) -> Allocation:
    """Leave the address with its owner. The write makes a concurrent release fail."""
    return replace(found, request=request)


def share(bound: Allocation, request: str) -> Allocation:
    """Let another object have the address, too. The last object that carries it releases it."""
    return replace(bound, shared=True, request=request)


def adopt(mac: MacAddress, owner: Owner, pool: str | None) -> Allocation:
    """Register an address that `owner` carries and that had no allocation."""
    return Allocation(mac=mac, state=State.BOUND, source=Source.ADOPTED, pool=pool, owner=owner)


def bind(found: Allocation, owner: Owner, *, shared: bool = False) -> Allocation:
    """Bind the address to `owner`, which carries it. `shared`: another object has it, too."""
    return replace(
        found,
        state=State.BOUND,
        owner=owner,
        declared=found.declared or found.state is State.DECLARED,
        shared=found.shared or shared,
    )


def wait_again(found: Allocation) -> Allocation:
    """Wait for Q without an admission request: `request` is empty."""
    return replace(found, state=State.PENDING, request=None)


def release(found: Allocation) -> Allocation | None:
    """Return to Declared if it was Declared before; None: delete it."""
    if not found.declared:
        return None
    return Allocation(mac=found.mac, reserved_for=found.reserved_for)
