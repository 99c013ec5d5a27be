"""Who may wait for a lull, and who not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.allocations.caches import AllocationView, CarrierView
from controller.allocations.urgency import can_wait
from controller.tests.worlds import MAC, bound, pod, stored
from crds.allocation import Allocation, Source, State

if TYPE_CHECKING:
    from crds.carriers import Carrier

STOCK = Allocation(mac=MAC, state=State.STOCK, source=Source.POOL, pool="default")
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
def test_what_was_handed_out_can_wait_and_all_else_cannot(
    allocation: Allocation | None, carried_by: list[Carrier], *, can: bool
) -> None:
    known = AllocationView(lambda: 0.0, lambda _: None)
    carriers = CarrierView(lambda _: None)
    known.reset([stored(allocation)] if allocation else [])
    carriers.reset("Pod", carried_by)

    def is_managed(kind: str, namespace: str) -> bool:
        return (kind, namespace) == ("Pod", "shop")

    assert can_wait(MAC, known, carriers, is_managed) is can
