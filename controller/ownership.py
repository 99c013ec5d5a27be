"""Whose an address is, of several objects that are one: VM before VMI before launcher pod. Pure.

Law: the owner is the root of the owner references, by UID. While any object of the root carries the
address it is the root's, whichever of them was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from crds.allocation import INSTANCE, KUBEVIRT, MACHINE, Owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def one_guest(one: Sequence[Carrier], other: Sequence[Carrier]) -> bool:
    """Whether two machines are one guest that has moved, or moves, to another namespace.

    KubeVirt needs a VM of the same name and addresses in both, before, while and after the guest
    runs in one of them; where both run, their VMIs must agree that they are source and target.
    """
    (kind, namespace, name), (other_kind, elsewhere, other_name) = one[0].root, other[0].root
    if not (kind == other_kind == MACHINE) or name != other_name or namespace == elsewhere:
        return False
    running, running_too = _running(one), _running(other)
    if running is None or running_too is None:
        return True
    source, _, _ = running.guest.partition("/")
    return running.guest == running_too.guest and source in {running.uid, running_too.uid}


def _running(members: Sequence[Carrier]) -> Carrier | None:
    return next((one for one in members if one.is_running), None)


_RANKS = {MACHINE: 0, INSTANCE: 1, "Pod": 2}
