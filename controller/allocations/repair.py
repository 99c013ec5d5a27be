"""Repair: read again what the watch may have missed, and reconcile every address.

Invariant: after a repair, every address that an object carries has an allocation bound to it, and
every allocation that no object can have any more is being released. Cases:
  - an allocation that the view lacks, has in another state, or has although it is gone;
  - an object that the view lacks, has with other addresses, or has although it is gone;
  - any other address is only reconciled, which costs no call if nothing is to be done.
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
    seen = {
        mac: (entry.stored.uid, entry.stored.version)
        for mac in known.macs()
        if (entry := known.get(mac))
    }
    return {mac for mac, _ in versions.items() ^ seen.items()}


def suspect_carriers(listed: list[Carrier], known: CarrierView) -> dict[str, Carrier]:
    """Return the objects that differ between the view and the list, by UID."""
    there = {carrier.uid: carrier for carrier in listed if carrier.attachments}
    suspects = {
        uid: carrier
        for uid, carrier in there.items()
        if (seen := known.get(uid)) is None or seen.attachments != carrier.attachments
    }
    for uid in known.uids():
        if uid not in there and (seen := known.get(uid)):
            suspects[uid] = seen
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
    # The list and the watch are never of one moment, so most suspects are only news: a read tells.
    # A change that the watch brings during that read is newer, and stays.
    for mac in suspect_allocations(listed, known):
        before = known.get(mac)
        stored = await allocations.get(mac)
        if known.get(mac) is not before:
            continue
        if stored is None:
            known.forget(mac)
        else:
            known.put(stored)
    for uid, suspect in suspect_carriers(found, carriers).items():
        seen = carriers.get(uid)
        live = await objects.get(suspect.as_owner(suspect.attachments[0].mac))
        if carriers.get(uid) is not seen:
            continue
        if live is None or live.uid != uid:
            carriers.drop(suspect)
        else:
            carriers.put(live)
    macs = {*known.macs(), *carriers.macs()}
    for mac in macs:
        mark(mac)
    _log.info("repair: %d allocations, %d addresses in all", len(listed), len(macs))
