"""What happens to one address: rules 5 to 9 of the protocol as one pure function.

Law: valid until proven leaked. Nothing is released before a read made *after* the allocation was
read proves that nobody has it; where that read is missing, the decision is to make it (Get, List).

    Declared --bind--> Bound --release--> Declared or gone
    Stock    --bind--> Bound       Stock --expired--> gone
    Pending  --bind--> Bound       Pending --unseen--> Declared or gone
    Bound --edited out of a VM--> Pending
    (none)   --adopt-> Bound
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, assert_never

from msgspec.structs import asdict, replace

from controller.ownership import by_root, one_guest, owner_of
from crds.allocation import (
    INSTANCE,
    MACHINE,
    Allocation,
    Conflict,
    Owner,
    Root,
    Source,
    State,
    Stored,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crds.allocation import Carrier
    from crds.mac import MacAddress

# status.conflicts holds no more (maxItems in the CRD); people have seen enough by then.
MOST_CONFLICTS = 100

_Members: TypeAlias = "tuple[Carrier, ...]"


@dataclass(frozen=True, slots=True)
class World:
    """What is known of one address when it is decided upon.

    `seen` are the carriers that the watch has shown: a hint, never a proof. `live` and `everyone`
    are the reads made since `stored` was read: what exists of a root, and all carriers of the
    address in every namespace. `quiet`: `stored` has not changed for Q, and Stock not for as long
    as a webhook may hand it out and an answer be under way. `pool` is the pool that the address
    lies in, `now` the time for people (RFC 3339).
    """

    mac: MacAddress
    stored: Stored | None
    seen: _Members
    quiet: bool
    pool: str | None = None
    now: str = ""
    live: Mapping[Root, _Members] = field(default_factory=dict)
    everyone: _Members | None = None


@dataclass(frozen=True, slots=True)
class Get:
    """Read what exists of that root now, and decide again."""

    root: Root


@dataclass(frozen=True, slots=True)
class List:
    """Read all objects of all namespaces, and decide again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Decide again when the allocation is quiet, or as much later if it is already."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """All is as it should be."""


@dataclass(frozen=True, slots=True)
class Create:
    """Adopt: create this allocation."""

    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Replace:
    """Bind, or return to Declared: write this over the allocation that was read."""

    by: Allocation


@dataclass(frozen=True, slots=True)
class Delete:
    """Release: delete the allocation that was read."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write these into status.conflicts."""

    conflicts: tuple[Conflict, ...]


Action: TypeAlias = Get | List | Wait | Nothing | Create | Replace | Delete | Note


def decide(world: World) -> Action:
    """Say what is next for the address."""
    stored = world.stored
    if stored is None:
        return _adopt(world)
    match stored.allocation.state:
        case State.DECLARED:
            return _declared(world, stored)
        case State.STOCK:
            return _stock(world, stored.allocation)
        case State.PENDING:
            return _pending(world, stored.allocation, _owner(stored))
        case State.BOUND:
            return _bound(world, stored, _owner(stored))
        case _:
            assert_never(stored.allocation.state)


def _adopt(world: World) -> Action:
    """Rule 9: somebody carries an address that no allocation names.

    No read: if the hint was stale, a locked address is the worst of it, until rule 6.
    """
    if not world.seen:
        return Nothing()
    adopted = Allocation(
        mac=world.mac,
        state=State.BOUND,
        source=Source.ADOPTED,
        pool=world.pool,
        owner=owner_of(world.mac, by_root(world.seen)[0]),
    )
    return Create(adopted)


def _declared(world: World, stored: Stored) -> Action:
    """Rule 5 for an address that was declared and that its user carries already."""
    declared = stored.allocation
    users = [
        group for group in by_root(world.seen) if declared.is_free_for(owner_of(world.mac, group))
    ]
    proof = _first_live(world, users)
    if isinstance(proof, Owner):
        return Replace(_bound_to(proof, replace(declared, declared=True)))
    return proof or _noted(world, stored, None)


def _stock(world: World, stock: Allocation) -> Action:
    """Rule 5 for what a webhook has handed out, and the end of what it has not.

    Nobody is on record to get it, so it belongs to whoever carries it.
    """
    proof = _first_live(world, by_root(world.seen))
    if isinstance(proof, Owner):
        return Replace(_bound_to(proof, stock))
    if proof is not None:
        return proof
    if not world.quiet:
        return Wait()
    if world.everyone is None:
        return List()
    return _to_anyone(world, stock) or _release(stock)


def _pending(world: World, pending: Allocation, owner: Owner) -> Action:
    """Rules 5 and 7: bind it to the object that was promised it, or find out who carries it."""
    proof = _first_live(world, _promised(owner, world.seen))
    if isinstance(proof, Owner):
        return Replace(_bound_to(proof, pending))
    if proof is not None:
        return proof
    if not world.quiet:
        return Wait()
    if owner.name is not None and not pending.shared:
        if owner.root not in world.live:
            return Get(owner.root)
        if holder := _holder(world, owner):
            return Replace(_bound_to(holder, pending))
        may_start = _has_machine(world.live[owner.root])
        moved = _handed_on(world, replace(pending, shared=True))
        return moved or _given_up(pending, may_start=may_start)
    if world.everyone is None:
        return List()
    if promised := _promised(owner, world.everyone):
        return Replace(_bound_to(owner_of(world.mac, promised[0]), pending))
    moved = _to_anyone(world, replace(pending, shared=True))
    return moved or _given_up(pending, may_start=owner.root[0] == MACHINE)


def _bound(world: World, stored: Stored, owner: Owner) -> Action:
    """Rules 5, 6 and 8: while its owner has it, nothing; then to its namesake, or it is free."""
    bound = stored.allocation
    family = [group for group in by_root(world.seen) if group[0].root == owner.root]
    rightful = owner_of(world.mac, family[0]) if family else None
    if rightful is not None and rightful.uid == owner.uid:
        if owner.kind == MACHINE and rightful.interface != owner.interface:
            return Replace(_bound_to(rightful, bound))  # for people: interfaces have swapped theirs
        return _noted(world, stored, owner)
    proof = _first_live(world, family)
    if isinstance(proof, Owner):
        if proof.uid == owner.uid:
            return _noted(world, stored, owner)
        return Replace(_bound_to(proof, bound))
    if proof is not None:
        return proof
    return _left(world, stored, owner) if world.quiet else Wait()


def _left(world: World, stored: Stored, owner: Owner) -> Action:
    """Rules 6 and 8: its owner is not seen any more, and nobody can be getting it just now."""
    bound = stored.allocation
    if owner.root not in world.live:
        return Get(owner.root)
    if holder := _holder(world, owner):
        if holder.uid != owner.uid:
            return Replace(_bound_to(holder, bound))
        noted = _noted(world, stored, owner)
        is_shown = any(member.carries(world.mac) for member in world.live[owner.root])
        # A launcher that never showed the address says nothing of it when it goes: look again.
        unseen = owner.root[0] == MACHINE and not is_shown
        return Wait() if unseen and isinstance(noted, Nothing) else noted
    if bound.shared:
        if world.everyone is None:
            return List()
        if anyone := _to_anyone(world, bound):
            return anyone
    if _has_machine(world.live[owner.root]):
        # The VM was edited, and KubeVirt may be starting it as it was before: Pending, it waits
        # for Q like any promise, and is looked for again.
        return Replace(_looked_for(bound))
    return _handed_on(world, bound) or _release(bound)


def _given_up(pending: Allocation, *, may_start: bool) -> Action:
    """Rule 7, where nobody has it. A VM that is there may have had it until a moment ago.

    So the first look, which somebody's request was the reason for, is not the last.
    """
    if may_start and pending.request is not None:
        return Replace(_looked_for(pending))
    return _release(pending)


def _looked_for(allocation: Allocation) -> Allocation:
    """Return it as it waits for Q though no request is under way."""
    return replace(allocation, state=State.PENDING, request=None)


def _has_machine(members: _Members) -> bool:
    return any(member.kind == MACHINE for member in members)


def _holder(world: World, owner: Owner) -> Owner | None:
    """Return who of the owner's root has the address, by a read; None where nobody has.

    Whoever has it and shows it no longer is the owner as it stands on record. Not the VMI of a VM,
    from which KubeVirt itself takes interfaces.
    """
    members = world.live[owner.root]
    if any(member.carries(world.mac) for member in members):
        return owner_of(world.mac, members)
    is_a_vm_s = any(
        one.kind == INSTANCE and one.uid == owner.uid and one.controller for one in members
    )
    holds = not is_a_vm_s and any(one.still_holds(world.mac, owner) for one in members)
    return owner if holds else None


def _to_anyone(world: World, allocation: Allocation) -> Replace | None:
    """Bind to the first of all who carry it, by a list."""
    if not world.everyone:
        return None
    return Replace(_bound_to(owner_of(world.mac, by_root(world.everyone)[0]), allocation))


def _handed_on(world: World, allocation: Allocation) -> Replace | Get | None:
    """Bind to whoever else is seen to carry it: it is in use, so it is not for others to take."""
    proof = _first_live(world, by_root(world.seen))
    return Replace(_bound_to(proof, allocation)) if isinstance(proof, Owner) else proof


def _release(allocation: Allocation) -> Action:
    """Rule 6: what was declared is Declared again, all else goes."""
    if allocation.declared:
        return Replace(Allocation(mac=allocation.mac, reserved_for=allocation.reserved_for))
    return Delete()


def _bound_to(owner: Owner, allocation: Allocation) -> Allocation:
    return replace(allocation, state=State.BOUND, owner=owner)


def _first_live(world: World, hints: Iterable[_Members]) -> Owner | Get | None:
    """Return whose the address is, of the first of `hints` that a read proves; or that read."""
    for hint in hints:
        root = hint[0].root
        if root not in world.live:
            return Get(root)
        live = world.live[root]
        if any(member.carries(world.mac) for member in live):
            return owner_of(world.mac, live)
    return None


def _noted(world: World, stored: Stored, owner: Owner | None) -> Action:
    """Keep status.conflicts true: all that carry the address without owning it."""
    groups = by_root(world.seen)
    mine = [group for group in groups if owner is not None and group[0].root == owner.root]
    others = [
        owner_of(world.mac, group)
        for group in groups
        if group not in mine and not any(one_guest(group, own) for own in mine)
    ]
    known = {one.uid: one for one in stored.conflicts}
    noted = sorted(others, key=lambda one: one.uid or "")[:MOST_CONFLICTS]
    if known.keys() == {one.uid for one in noted}:
        return Nothing()
    return Note(tuple(known.get(one.uid) or _conflict(one, world) for one in noted))


def _conflict(other: Owner, world: World) -> Conflict:
    # status.conflicts does without the network
    return Conflict(**asdict(replace(other, network=None)), since=world.now)


def _promised(owner: Owner, carriers: Iterable[Carrier]) -> list[_Members]:
    """Return those that can be the object that was to get it; no name yet fits all of the kind."""
    kind, namespace, name = owner.root
    groups = by_root(carriers)
    return [
        group for group in groups if group[0].root == (kind, namespace, name or group[0].root[2])
    ]


def _owner(stored: Stored) -> Owner:
    if stored.allocation.owner is None:
        raise AssertionError(f"{stored.mac} has no owner, which the CRD refuses")
    return stored.allocation.owner
