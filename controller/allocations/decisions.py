"""Decides the next action for one address: rules 5 to 9 of the protocol. Pure.

Law: valid until proven leaked. Nothing is released before a read made *after* the allocation was
read proves that no object has it; if that read is missing, the decision is to make it (Get, List).
The state diagram is in crds/lifecycle.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import asdict, replace

from controller.allocations.actions import (
    Action,
    Create,
    Delete,
    Facts,
    Get,
    List,
    Note,
    Nothing,
    Read,
    Replace,
    Wait,
    Write,
)
from controller.allocations.ownership import is_one_guest
from crds import kinds, lifecycle
from crds.allocation import Allocation, Conflict, Owner, State, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.allocations.ownership import Claimant, Existing

# The limit of status.conflicts (maxItems in the CRD). It is enough for people to see the problem.
MOST_CONFLICTS = 100


def decide(facts: Facts) -> Action:
    """Return the next action for the address."""
    stored = facts.stored
    if stored is None:
        return _adopt(facts)
    match stored.allocation.state:
        case State.DECLARED:
            return _declared(facts, stored)
        case State.STOCK:
            return _stock(facts, stored.allocation)
        case State.PENDING:
            return _pending(facts, stored.allocation, _owner(stored))
        case State.BOUND:
            return _bound(facts, stored, _owner(stored))
        case _:
            assert_never(stored.allocation.state)


def _adopt(facts: Facts) -> Action:
    """Rule 9: an object carries an address that no allocation names.

    No read: if the hint was stale, the worst result is an address that is locked until rule 6.
    """
    if not facts.claimants:
        return Nothing()
    return Create(lifecycle.adopt(facts.mac, facts.claimants[0].owner, facts.pool))


def _declared(facts: Facts, stored: Stored) -> Action:
    """Rule 5 for an address that was declared and that an object carries already."""
    declared = stored.allocation
    admitted = [user for user in facts.claimants if declared.is_free_for(user.owner)]
    return _bind_first(facts, admitted, declared) or _note(facts, stored, None)


def _stock(facts: Facts, stock: Allocation) -> Action:
    """Rule 5 for stock that a webhook gave to an object, and the end of stock that is too old.

    It names no owner, so it belongs to any object that carries it.
    """
    if action := _bind_first(facts, facts.claimants, stock):
        return action
    if not facts.quiet:
        return Wait()
    if facts.everyone is None:
        return List()
    return _bind_listed(facts.everyone, stock) or _release(stock)


def _pending(facts: Facts, pending: Allocation, owner: Owner) -> Action:
    """Rules 5 and 7: bind it to the object that it was claimed for, or find out who carries it."""
    if action := _bind_first(facts, _promised(owner, facts.claimants), pending):
        return action
    if not facts.quiet:
        return Wait()
    if owner.name is not None and not pending.shared:
        live = facts.live.get(owner.root)
        if live is None:
            return Get(owner.root)
        if holder := _holder(facts, live, owner):
            return Replace(lifecycle.bind(pending, holder))
        handed_on = _bind_first(facts, facts.claimants, pending, shared=True)
        return handed_on or _give_up(pending, may_start=_has_vm(live))
    if facts.everyone is None:
        return List()
    if promised := _promised(owner, facts.everyone):
        return Replace(lifecycle.bind(pending, promised[0].owner))
    handed_on = _bind_listed(facts.everyone, pending, shared=True)
    return handed_on or _give_up(pending, may_start=kinds.is_vm(owner.root[0]))


def _bound(facts: Facts, stored: Stored, owner: Owner) -> Action:
    """Rules 5, 6 and 8: while its owner has it, do nothing; else bind it again or release it."""
    bound = stored.allocation
    family = [claimant for claimant in facts.claimants if claimant.root == owner.root]
    rightful = family[0].owner if family else None
    if rightful is not None and rightful.uid == owner.uid:
        if kinds.is_vm(owner.kind) and rightful.interface != owner.interface:
            # Two interfaces have swapped their addresses. Messages name the interface.
            return Replace(lifecycle.bind(bound, rightful))
        return _note(facts, stored, owner)
    proof = _first_live(facts, family)
    if isinstance(proof, Owner):
        if proof.uid == owner.uid:
            return _note(facts, stored, owner)
        return Replace(lifecycle.bind(bound, proof))
    if proof is not None:
        return proof
    return _owner_gone(facts, stored, owner) if facts.quiet else Wait()


def _owner_gone(facts: Facts, stored: Stored, owner: Owner) -> Action:
    """Rules 6 and 8: no view shows its owner, and no request can still be claiming it."""
    bound = stored.allocation
    live = facts.live.get(owner.root)
    if live is None:
        return Get(owner.root)
    if holder := _holder(facts, live, owner):
        if holder.uid != owner.uid:
            return Replace(lifecycle.bind(bound, holder))
        noted = _note(facts, stored, owner)
        # The address of a launcher may be hidden. Then no event marks it at its end: look again.
        is_unseen = kinds.is_vm(owner.root[0]) and live.owner is None
        return Wait() if is_unseen and isinstance(noted, Nothing) else noted
    if bound.shared:
        if facts.everyone is None:
            return List()
        if action := _bind_listed(facts.everyone, bound):
            return action
    if _has_vm(live):
        # The VM was edited, but KubeVirt may be starting it with the former spec. As Pending, the
        # address waits for Q like any claimed address, and then it is looked for again.
        return Replace(lifecycle.wait_again(bound))
    return _bind_first(facts, facts.claimants, bound) or _release(bound)


def _give_up(pending: Allocation, *, may_start: bool) -> Action:
    """Rule 7, if no object carries it. An existing VM may have had it until a moment ago.

    So the first look, which follows a request, is followed by a second one after Q.
    """
    if may_start and pending.request is not None:
        return Replace(lifecycle.wait_again(pending))
    return _release(pending)


def _has_vm(live: Existing) -> bool:
    return any(kinds.is_vm(member.kind) for member in live.members)


def _holder(facts: Facts, live: Existing, owner: Owner) -> Owner | None:
    """Return the owner in the root that has the address, by a read; None if none has it.

    If the owner still has the address but no longer shows it, it stays the owner. Not the VMI of a
    VM: KubeVirt itself takes interfaces from it.
    """
    if live.owner is not None:
        return live.owner
    is_made = any(
        member.uid == owner.uid and member.kind == kinds.VMI.name and member.controller is not None
        for member in live.members
    )
    holds = any(member.still_holds(facts.mac, owner) for member in live.members)
    return owner if holds and not is_made else None


def _bind_listed(
    everyone: tuple[Claimant, ...], found: Allocation, *, shared: bool = False
) -> Write | None:
    """Bind to the first carrier in a list."""
    if not everyone:
        return None
    return Replace(lifecycle.bind(found, everyone[0].owner, shared=shared))


def _bind_first(
    facts: Facts, hints: Iterable[Claimant], found: Allocation, *, shared: bool = False
) -> Read | Write | None:
    """Bind to the first of `hints` that a read proves, or make that read."""
    proof = _first_live(facts, hints)
    if isinstance(proof, Owner):
        return Replace(lifecycle.bind(found, proof, shared=shared))
    return proof


def _first_live(facts: Facts, hints: Iterable[Claimant]) -> Owner | Get | None:
    """Return the owner of the first of `hints` that a read proves; or that read."""
    for hint in hints:
        live = facts.live.get(hint.root)
        if live is None:
            return Get(hint.root)
        if live.owner is not None:
            return live.owner
    return None


def _release(found: Allocation) -> Write:
    """Rule 6: a declared address becomes Declared again; any other is deleted."""
    declared = lifecycle.release(found)
    return Delete() if declared is None else Replace(declared)


def _note(facts: Facts, stored: Stored, owner: Owner | None) -> Action:
    """Keep status.conflicts correct: all objects that carry the address and do not own it."""
    root = owner.root if owner is not None else None
    mine = [claimant for claimant in facts.claimants if claimant.root == root]
    others = [
        other.owner
        for other in facts.claimants
        if other.root != root and not any(is_one_guest(other.members, own.members) for own in mine)
    ]
    known = {conflict.uid: conflict for conflict in stored.conflicts}
    noted = sorted(others, key=lambda other: other.uid or "")[:MOST_CONFLICTS]
    if known.keys() == {other.uid for other in noted}:
        return Nothing()
    return Note(tuple(known.get(other.uid) or _conflict(other, facts) for other in noted))


def _conflict(other: Owner, facts: Facts) -> Conflict:
    # status.conflicts has no field for the network.
    return Conflict(**asdict(replace(other, network=None)), since=facts.now)


def _promised(owner: Owner, claimants: Iterable[Claimant]) -> list[Claimant]:
    """Return those that can be the owner; an owner without a name yet can be any of its kind."""
    kind, namespace, name = owner.root
    return [
        claimant
        for claimant in claimants
        if claimant.root == (kind, namespace, name or claimant.root[2])
    ]


def _owner(stored: Stored) -> Owner:
    if stored.allocation.owner is None:
        raise AssertionError(f"{stored.mac} has no owner, which the CRD refuses")
    return stored.allocation.owner
