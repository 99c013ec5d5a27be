"""Which claims the stock serves, and which the fallback serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crds.pools import only
from webhook.claims import Grant
from webhook.stock.filling import ClaimFromStock
from webhook.stock.tests.stocks import WIDE, Stocking
from webhook.tests.replica import want
from webhook.tests.reviews import mac

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crds.pools import Pools
    from webhook.admission import Want


class Fallback:
    """Claims that remember what came to them."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[Want], Pools, str, float]] = []

    async def take(
        self, wants: Sequence[Want], pools: Pools, request: str, within_s: float = 9.0
    ) -> Grant:
        self.asked.append((wants, pools, request, within_s))
        return Grant((mac(0xFF),), ("from fallback",))


@pytest.mark.parametrize(
    "asks",
    [(None, None, None), (2,), (None, 2)],
    ids=["more than there is", "by name", "one of them by name"],
)
async def test_a_request_that_the_stock_cannot_serve_goes_to_the_fallback(
    asks: tuple[int | None],
) -> None:
    scene, fallback = Stocking(), Fallback()
    await scene.create(2)
    wants = [want(asks=asked) for asked in asks]

    grant = await ClaimFromStock(scene.stock, fallback).take(wants, only(WIDE), "r-1", 4.5)

    assert grant == Grant((mac(0xFF),), ("from fallback",))
    assert fallback.asked == [(wants, only(WIDE), "r-1", 4.5)]
    assert len(scene.entries) == 2


async def test_a_request_that_the_stock_serves_needs_no_call() -> None:
    scene, fallback = Stocking(), Fallback()
    await scene.create(2)
    calls = len(scene.cluster.calls)

    grant = await ClaimFromStock(scene.stock, fallback).take([want(), want()], only(WIDE), "r-1")

    assert grant == Grant((mac(1), mac(2)))
    assert not fallback.asked
    assert len(scene.cluster.calls) == calls
