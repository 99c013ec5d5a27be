"""What happens to one address: rules 5 to 9 of the protocol as one pure function.

Law: valid until proven leaked. Nothing is released before a read made *after* the allocation was
read proves that nobody has it; where that read is missing, the decision is to make it (Get, List).

    Declared --bind--> Bound --release--> Declared or gone
    Pending  --bind--> Bound       Pending --unseen--> Declared or gone
    (none)   --adopt-> Bound
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, assert_never

from msgspec.structs import asdict, replace

from crds.allocation import Allocation, Carrier, Conflict, Owner, Source, State, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crds.mac import MacAddress

# status.conflicts holds no more (maxItems in the CRD); people have seen enough by then.
MOST_CONFLICTS = 100

_At: TypeAlias = "tuple[str, str, str | None]"


@dataclass(frozen=True, slots=True)
class World:
    """What is known of one address when it is decided upon.

    `seen` are the carriers that the watch has shown: a hint, never a proof. `live` and `everyone`
    are the reads made since `stored` was read: objects by kind, namespace and name, and all
    carriers of the address in every namespace. `quiet`: `stored` has not changed for Q. `pool` is
    the pool that the address lies in, `now` the time for people (RFC 3339).
    """

    mac: MacAddress
    stored: Stored | None
    seen: tuple[Carrier, ...]
    quiet: bool
    pool: str | None = None
    now: str = ""
    live: Mapping[_At, Carrier | None] = field(default_factory=dict)
    everyone: tuple[Carrier, ...] | None = None


@dataclass(frozen=True, slots=True)
class Get:
    """Read the object of that kind, namespace and name, and decide again."""

    owner: Owner


@dataclass(frozen=True, slots=True)
class List:
    """Read all objects of all namespaces, and decide again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Decide again when the allocation has been quiet for Q, or in Q if it has been already."""


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
        case State.PENDING:
            return _pending(world, stored.allocation, _owner(stored))
        case State.BOUND:
            return _bound(world, stored, _owner(stored))
        case _:
            assert_never(stored.allocation.state)


def _adopt(world: World) -> Action:
    """Rule 9: somebody carries an address that no allocation names."""
    proof = _first_live(world, world.seen)
    if not isinstance(proof, Carrier):
        return proof
    return Create(
        Allocation(
            mac=world.mac,
            state=State.BOUND,
            source=Source.ADOPTED,
            pool=world.pool,
            owner=proof.as_owner(world.mac),
        )
    )


def _declared(world: World, stored: Stored) -> Action:
    """Rule 5 for an address that was declared and that its user carries already."""
    declared = stored.allocation
    users = [one for one in world.seen if declared.is_free_for(one.as_owner(world.mac))]
    proof = _first_live(world, users)
    if isinstance(proof, Carrier):
        return Replace(_bound_to(proof, replace(declared, declared=True)))
    return proof if isinstance(proof, Get) else _noted(world, stored, None)


def _pending(world: World, pending: Allocation, owner: Owner) -> Action:
    """Rules 5 and 7: bind it to the object that was promised it, or find out who carries it."""
    promised = [one for one in world.seen if _is_promised(owner, one)]
    proof = _first_live(world, promised)
    if isinstance(proof, Carrier):
        return Replace(_bound_to(proof, pending))
    if isinstance(proof, Get):
        return proof
    if not world.quiet:
        return Wait()
    if owner.name is not None:
        if owner.at not in world.live:
            return Get(owner)
        live = world.live[owner.at]
        if live is not None and live.still_holds(world.mac, owner):
            return Replace(_bound_to(live, pending))
        return _handed_on(world, replace(pending, shared=True)) or _release(pending)
    if world.everyone is None:
        return List()
    promised = [one for one in world.everyone if _is_promised(owner, one)]
    if promised:
        return Replace(_bound_to(promised[0], pending))
    if world.everyone:
        return Replace(_bound_to(world.everyone[0], replace(pending, shared=True)))
    return _release(pending)


def _bound(world: World, stored: Stored, owner: Owner) -> Action:
    """Rules 5, 6 and 8: while its owner has it, nothing; then to its namesake, or it is free."""
    bound = stored.allocation
    if any(one.uid == owner.uid for one in world.seen):
        return _noted(world, stored, owner)
    proof = _first_live(world, [one for one in world.seen if owner.at == one.at])
    if isinstance(proof, Carrier):
        return Replace(_bound_to(proof, bound))
    if isinstance(proof, Get):
        return proof
    return _left(world, stored, owner) if world.quiet else Wait()


def _left(world: World, stored: Stored, owner: Owner) -> Action:
    """Rules 6 and 8: its owner is not seen any more, and nobody can be getting it just now."""
    bound = stored.allocation
    if owner.at not in world.live:
        return Get(owner)
    live = world.live[owner.at]
    if live is not None and live.still_holds(world.mac, owner):
        if live.uid != owner.uid:
            return Replace(_bound_to(live, bound))
        return _noted(world, stored, owner)
    if bound.shared:
        if world.everyone is None:
            return List()
        if world.everyone:
            return Replace(_bound_to(world.everyone[0], bound))
    return _handed_on(world, bound) or _release(bound)


def _handed_on(world: World, allocation: Allocation) -> Replace | Get | None:
    """Bind to whoever else is seen to carry it: it is in use, so it is not for others to take."""
    proof = _first_live(world, world.seen)
    if isinstance(proof, Carrier):
        return Replace(_bound_to(proof, allocation))
    return proof if isinstance(proof, Get) else None


def _release(allocation: Allocation) -> Action:
    """Rule 6: what was declared is Declared again, all else goes."""
    if allocation.declared:
        return Replace(Allocation(mac=allocation.mac, reserved_for=allocation.reserved_for))
    return Delete()


def _bound_to(carrier: Carrier, allocation: Allocation) -> Allocation:
    owner = carrier.as_owner(allocation.mac)
    if allocation.owner is not None and not carrier.carries(allocation.mac):
        # It has it, and shows it no longer: where it was stays on record.
        here = allocation.owner
        owner = replace(owner, interface=here.interface, network=here.network)
    return replace(allocation, state=State.BOUND, owner=owner)


def _first_live(world: World, hints: Iterable[Carrier]) -> Carrier | Get | Nothing:
    """Return the first of `hints` that a read proves to carry the address, or the missing read."""
    for hint in hints:
        if hint.at not in world.live:
            return Get(hint.as_owner(world.mac))
        live = world.live[hint.at]
        if live is not None and live.carries(world.mac):
            return live
    return Nothing()


def _noted(world: World, stored: Stored, owner: Owner | None) -> Action:
    """Keep status.conflicts true: all that carry the address without owning it."""
    others = {one.uid: one for one in world.seen if owner is None or one.uid != owner.uid}
    known = {one.uid: one for one in stored.conflicts}
    noted = sorted(others.items())[:MOST_CONFLICTS]
    if known.keys() == {uid for uid, _ in noted}:
        return Nothing()
    return Note(tuple(known.get(uid) or _conflict(one, world) for uid, one in noted))


def _conflict(carrier: Carrier, world: World) -> Conflict:
    owner = replace(carrier.as_owner(world.mac), network=None)  # status.conflicts does without
    return Conflict(**asdict(owner), since=world.now)


def _is_promised(owner: Owner, carrier: Carrier) -> bool:
    """Whether `carrier` can be the object that was to get it: a name not generated yet fits all."""
    return (owner.kind, owner.namespace, owner.name or carrier.name) == carrier.at


def _owner(stored: Stored) -> Owner:
    if stored.allocation.owner is None:
        raise AssertionError(f"{stored.mac} has no owner, which the CRD refuses")
    return stored.allocation.owner
