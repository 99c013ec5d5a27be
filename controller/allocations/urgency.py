"""Which addresses may wait for a lull before they are bound.

Law: one that a webhook may still hand out does not wait, if somebody carries it already.
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
    """Whether `mac` is Stock, and each who carries it has it from a webhook.

    A stranger, of a kind and namespace that are not managed, wrote it by hand: the webhook that
    keeps it does not know.
    """
    return known.is_stock(mac) and all(
        is_managed(one.kind, one.namespace) for one in carriers.of(mac)
    )
