"""Groups the objects that carry an address by root, and finds the owner in a root. Pure.

Law: the owner is the root of the owner references, by UID. While any object of the root carries the
address, it belongs to the root, whichever object was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.kinds import KINDS, RANKS, is_vm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crds.allocation import Owner, Root
    from crds.carriers import Carrier
    from crds.mac import MacAddress


@dataclass(frozen=True, slots=True)
class Claimant:
    """The objects of one root that carry an address, and the owner that follows from them."""

    root: Root
    owner: Owner
    members: tuple[Carrier, ...]


@dataclass(frozen=True, slots=True)
class Existing:
    """The objects of one root, by a read; `owner` is None if none carries the address."""

    members: tuple[Carrier, ...]
    owner: Owner | None


def claimants(mac: MacAddress, carriers: Iterable[Carrier]) -> tuple[Claimant, ...]:
    """Group the objects that carry `mac` by root. The order is kept."""
    groups: dict[Root, list[Carrier]] = {}
    for carrier in carriers:
        groups.setdefault(carrier.root, []).append(carrier)
    return tuple(
        Claimant(root, owner_of(mac, members), tuple(members)) for root, members in groups.items()
    )


def existing(mac: MacAddress, members: Sequence[Carrier]) -> Existing:
    """Return the result of a read of one root, for `mac`."""
    carried = any(member.carries(mac) for member in members)
    return Existing(tuple(members), owner_of(mac, members) if carried else None)


def owner_of(mac: MacAddress, members: Iterable[Carrier]) -> Owner:
    """Return the owner of `mac`; `members` are objects of one root, at least one of them.

    It is the VM, if the VM carries the address, or if it made the VMI that carries it. Otherwise it
    is the VMI, even if only its launcher pod carries the address.
    """
    ranked = sorted(members, key=lambda member: RANKS[member.kind])
    holder = next((member for member in ranked if member.carries(mac)), ranked[0])
    by_uid = {member.uid: member for member in ranked}
    owner, top = holder.as_owner(mac), holder
    while (made_by := top.controller) is not None and RANKS[made_by.kind] < RANKS[top.kind]:
        owner = replace(
            owner,
            api_version=KINDS[made_by.kind].api_version,
            kind=made_by.kind,
            name=made_by.name,
            uid=made_by.uid,
        )
        maker = by_uid.get(made_by.uid)
        # The kind must match too, or this may not end: users may write any UID into a reference.
        if maker is None or maker.kind != made_by.kind:
            break
        top = maker
    return owner


def is_one_guest(vm: Sequence[Carrier], other: Sequence[Carrier]) -> bool:
    """Return True if two VMs are one guest that has moved, or moves, between namespaces.

    For such a move, KubeVirt needs a VM of the same name and addresses in both namespaces, before,
    during and after it. If both run, their VMIs must agree that they are source and target.
    """
    (kind, namespace, name), (other_kind, elsewhere, other_name) = vm[0].root, other[0].root
    is_moved = kind == other_kind and name == other_name and namespace != elsewhere
    if not (is_moved and is_vm(kind)):
        return False
    running, running_too = _running(vm), _running(other)
    if running is None or running_too is None:
        return True
    source, _, _ = running.guest.partition("/")
    return running.guest == running_too.guest and source in {running.uid, running_too.uid}


def _running(members: Sequence[Carrier]) -> Carrier | None:
    return next((member for member in members if member.is_running), None)
