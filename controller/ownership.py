"""Whose an address is, of several objects that are one: VM before VMI before launcher pod. Pure.

Law: the owner is the root of the owner references, by UID. While any object of the root carries the
address it is the root's, whichever of them was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.allocation import INSTANCE, KUBEVIRT, MACHINE, Owner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crds.allocation import Carrier, Root
    from crds.mac import MacAddress


def by_root(carriers: Iterable[Carrier]) -> list[tuple[Carrier, ...]]:
    """Put those of one root together, in the order in which they come."""
    groups: dict[Root, list[Carrier]] = {}
    for one in carriers:
        groups.setdefault(one.root, []).append(one)
    return [tuple(group) for group in groups.values()]


def owner_of(mac: MacAddress, members: Iterable[Carrier]) -> Owner:
    """Return whose `mac` is; `members` are objects of one root, at least one of them.

    The VM where it carries the address, or made the VMI that does; else that VMI, also where only
    its launcher pod does.
    """
    ranked = sorted(members, key=lambda one: _RANKS[one.kind])
    holder = next((one for one in ranked if one.carries(mac)), ranked[0])
    owner = holder.as_owner(mac)
    instances = {one.uid: one for one in ranked if one.kind == INSTANCE}
    made_by = holder.controller
    if holder.kind == "Pod" and made_by is not None:
        owner = replace(
            owner, api_version=KUBEVIRT, kind=INSTANCE, name=made_by.name, uid=made_by.uid
        )
        instance = instances.get(made_by.uid)
        made_by = instance.controller if instance is not None else None
    if made_by is not None:
        owner = replace(
            owner, api_version=KUBEVIRT, kind=MACHINE, name=made_by.name, uid=made_by.uid
        )
    return owner


def one_guest(some: Iterable[Carrier], others: Iterable[Carrier]) -> bool:
    """Whether both run one guest: a VM that migrates across namespaces has a VMI in each."""
    ones, them = tuple(some), tuple(others)
    named = {uid for one in ones for uid in one.same_guest}
    named_back = {uid for one in them for uid in one.same_guest}
    return any(one.uid in named for one in them) or any(one.uid in named_back for one in ones)


_RANKS = {MACHINE: 0, INSTANCE: 1, "Pod": 2}
