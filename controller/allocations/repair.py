"""Repair: read again what the watch may have missed, and reconcile every address.

Invariant: after a repair, every address that an object carries has an allocation bound to it, and
every allocation without an object that can have it is being released. Cases:
  - an allocation that is missing in the view, differs from it, or is only in the view;
  - an object that is missing in the view, has other addresses there, or is only in the view;
  - any other address: it is only reconciled, which costs no call if nothing is to be done.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.allocations.caches import AllocationView, CarrierView
    from crds.allocation import Stored
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.objects import Objects
    from crds.store import Allocations

_log = logging.getLogger(__name__)

REPAIR_EVERY_S = 600.0


def suspect_allocations(listed: list[Stored], known: AllocationView) -> set[MacAddress]:
    """Return the addresses whose allocation differs between the view and the list."""
    versions = {stored.mac: (stored.uid, stored.version) for stored in listed}
    viewed = {
        mac: (entry.stored.uid, entry.stored.version)
        for mac in known.macs()
        if (entry := known.get(mac))
    }
    return {mac for mac, _ in versions.items() ^ viewed.items()}


def suspect_carriers(listed: list[Carrier], known: CarrierView) -> dict[str, Carrier]:
    """Return the objects that differ between the view and the list, by UID."""
    existing = {carrier.uid: carrier for carrier in listed if carrier.attachments}
    suspects = {
        uid: carrier
        for uid, carrier in existing.items()
        if (viewed := known.get(uid)) is None or viewed.attachments != carrier.attachments
    }
    for uid in known.uids():
        if uid not in existing and (viewed := known.get(uid)):
            suspects[uid] = viewed
    return suspects


async def repair(
    allocations: Allocations,
    objects: Objects,
    known: AllocationView,
    carriers: CarrierView,
    mark: Callable[[MacAddress], None],
) -> None:
    """Repair once. Raises StoreUnavailable."""
    listed = await allocations.list()
    found = await objects.list()
    # The list and the watch show different moments, so most suspects are only recent changes: a
    # read decides. A change that the watch brings during that read is newer, and stays.
    for mac in suspect_allocations(listed, known):
        entry = known.get(mac)
        stored = await allocations.get(mac)
        if known.get(mac) is not entry:
            continue
        if stored is None:
            known.forget(mac)
        else:
            known.put(stored)
    for uid, suspect in suspect_carriers(found, carriers).items():
        before = carriers.get(uid)
        live = await objects.get(suspect.as_owner(suspect.attachments[0].mac))
        if carriers.get(uid) is not before:
            continue
        if live is None or live.uid != uid:
            carriers.drop(suspect)
        else:
            carriers.put(live)
    macs = {*known.macs(), *carriers.macs()}
    for mac in macs:
        mark(mac)
    _log.info("repair: %d allocations, %d addresses in all", len(listed), len(macs))
