"""Decides which addresses can wait until the queue is idle before they are bound. Pure.

Law: stock that an unmanaged object carries does not wait, because a webhook could still give it to
another object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.allocations.caches import AllocationView, CarrierView
    from crds.mac import MacAddress


def can_wait(
    mac: MacAddress,
    known: AllocationView,
    carriers: CarrierView,
    is_managed: Callable[[str, str], bool],
) -> bool:
    """Return True if `mac` is Stock, and each of its carriers got it from a webhook.

    The webhook that keeps the stock does not know a carrier in an unmanaged namespace: its address
    was written by hand.
    """
    return known.is_stock(mac) and all(
        is_managed(carrier.kind, carrier.namespace) for carrier in carriers.of(mac)
    )
