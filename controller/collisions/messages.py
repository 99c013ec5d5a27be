"""Decides which objects collide on an address, and writes the events about it. Pure.

Law: a collision is between objects of managed namespaces. If fewer than two of them have an
address, there is no event and no alarm; status.conflicts still shows the others.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from kube.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crds.allocation import Owner, Stored
    from crds.mac import MacAddress

REASON = "MACCollision"
# A name of an object has up to 253 characters, and so has that of its event, with a dot and a hash.
_DIGEST = 16
_LONGEST_NAME = 253 - 1 - _DIGEST
# The bytes of a note (1024) that the list of the others may take: the address, the object's own
# interface and the remedy need up to 400. One name of the list takes up to 430 bytes: kind 22,
# namespace 63, name 253, interface.
_ROOM = 600


def colliding(stored: Stored, is_managed: Callable[[str, str], bool]) -> tuple[Owner, ...]:
    """Return the objects that collide on the address, its owner first, or none.

    `is_managed` gets kind and namespace. An object without a UID does not exist yet.
    """
    owner = stored.allocation.owner
    found: dict[object, Owner] = {}
    for holder in ((owner,) if owner else ()) + stored.conflicts:
        if holder.uid and holder.name and is_managed(holder.kind, holder.namespace):
            found.setdefault(holder.root, holder)
    return tuple(found.values()) if len(found) > 1 else ()


def events(mac: MacAddress, objects: Sequence[Owner]) -> tuple[Event, ...]:
    """Return an event about each of `objects`, which collide on `mac`.

    Its name follows from the address, the object and the set of objects, so the API server refuses
    a second event about the same collision.
    """
    return tuple(
        Event(
            about=holder,
            reason=REASON,
            action="Police",
            note=_note(mac, holder, [other for other in objects if other is not holder]),
            name=_name(mac, holder, objects),
        )
        for holder in objects
    )


def _note(mac: MacAddress, holder: Owner, others: Sequence[Owner]) -> str:
    where = f" of interface {holder.interface}" if holder.interface else ""
    return (
        f"{mac}{where} is also in use by {_listed(others)}: leave it to one of them, and give the"
        f" others addresses of their own (create a pod again without the mac, write another"
        f" macAddress into a VirtualMachine); kubectl describe mac {mac.name} shows all objects"
        f" that carry it"
    )


def _listed(others: Sequence[Owner]) -> str:
    """Name as many objects as fit, and count the rest."""
    named: list[str] = []
    for other in others:
        if named and len(", ".join((*named, str(other))).encode()) > _ROOM:
            return f"{', '.join(named)} and {len(others) - len(named)} more"
        named.append(str(other))
    return ", ".join(named)


def _name(mac: MacAddress, holder: Owner, objects: Sequence[Owner]) -> str:
    uids = sorted(str(other.uid) for other in objects)
    digest = sha256("\n".join((str(mac), str(holder.uid), *uids)).encode()).hexdigest()
    return f"{(holder.name or '')[:_LONGEST_NAME].rstrip('.-')}.{digest[:_DIGEST]}"
