"""Stock that a webhook gave to its carriers can wait until the queue is idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.urgency import can_wait
from controller.tests.worlds import MAC, STOCK, bound, pod, stored

if TYPE_CHECKING:
    from crds.allocation import Allocation
    from crds.carriers import Carrier

GUEST = pod("web-0", "u-1")
STRANGER = pod("web-0", "u-2", namespace="elsewhere")


@pytest.mark.parametrize(
    ("allocation", "carried_by", "can"),
    [
        (STOCK, [GUEST], True),
        (STOCK, [STRANGER], False),
        (STOCK, [GUEST, STRANGER], False),
        (bound("web-0", "u-1"), [GUEST], False),
        (None, [GUEST], False),
    ],
    ids=["handed out", "a stranger's", "a stranger's, too", "not stock", "without an allocation"],
)
def test_only_stock_that_webhooks_gave_to_all_its_carriers_can_wait(
    allocation: Allocation | None, carried_by: list[Carrier], *, can: bool
) -> None:
    known = AllocationView(lambda: 0.0, lambda _: None)
    carriers = CarrierView(lambda _: None)
    known.reset([stored(allocation)] if allocation else [])
    carriers.reset("Pod", carried_by)

    def is_managed(kind: str, namespace: str) -> bool:
        return (kind, namespace) == ("Pod", "shop")

    assert can_wait(MAC, known, carriers, is_managed) is can
