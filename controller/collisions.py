"""Who collides on an address, and what they are told: pure.

Law: a collision is between objects of managed namespaces. An address that fewer than two of them
have raises no event and no alarm; status.conflicts shows it all the same.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from controller.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crds.allocation import Owner, Stored
    from crds.mac import MacAddress

REASON = "MACCollision"
# A name of an object has up to 253 characters, and so has that of its event, with a dot and a hash.
_DIGEST = 16
_LONGEST_NAME = 253 - 1 - _DIGEST
# How many bytes of a note (1024) the others may take: the address, the object's own interface and
# the remedy need up to 400. One of them has up to 430: kind 22, namespace 63, name 253, interface.
_ROOM = 600


def colliding(stored: Stored, is_managed: Callable[[str, str], bool]) -> tuple[Owner, ...]:
    """Return the objects that collide on the address, its owner first, or none.

    `is_managed` is asked by kind and namespace. What has no UID yet is not there yet.
    """
    owner = stored.allocation.owner
    found: dict[object, Owner] = {}
    for one in ((owner,) if owner else ()) + stored.conflicts:
        if one.uid and one.name and is_managed(one.kind, one.namespace):
            found.setdefault(one.root, one)
    return tuple(found.values()) if len(found) > 1 else ()


def events(mac: MacAddress, objects: Sequence[Owner]) -> tuple[Event, ...]:
    """Return what each of `objects`, which collide on `mac`, is told.

    Their names follow from address, object and who collides: whoever says it again is refused.
    """
    return tuple(
        Event(
            about=one,
            reason=REASON,
            action="Police",
            note=_note(mac, one, [other for other in objects if other is not one]),
            name=_name(mac, one, objects),
        )
        for one in objects
    )


def _note(mac: MacAddress, one: Owner, others: Sequence[Owner]) -> str:
    where = f" of interface {one.interface}" if one.interface else ""
    return (
        f"{mac}{where} is in use by {_listed(others)}, too: leave it to one of them, and give the"
        f" others addresses of their own (create a pod again without the mac, write another"
        f" macAddress into a VirtualMachine); kubectl describe mac {mac.name} shows all who carry"
        f" it"
    )


def _listed(others: Sequence[Owner]) -> str:
    """Name them while there is room, and count the rest."""
    named: list[str] = []
    for other in others:
        if named and len(", ".join((*named, str(other))).encode()) > _ROOM:
            return f"{', '.join(named)} and {len(others) - len(named)} more"
        named.append(str(other))
    return ", ".join(named)


def _name(mac: MacAddress, one: Owner, objects: Sequence[Owner]) -> str:
    uids = sorted(str(other.uid) for other in objects)
    digest = sha256("\n".join((str(mac), str(one.uid), *uids)).encode()).hexdigest()
    return f"{(one.name or '')[:_LONGEST_NAME].rstrip('.-')}.{digest[:_DIGEST]}"
