from __future__ import annotations

from typing import TYPE_CHECKING

from crds.resources import ALLOCATIONS
from crds.tests.world import Story
from kube.tests.api_server import ApiServer, page, streams
from kube.tests.following import A, B, allocation, event, following
from kube.watch import Views

if TYPE_CHECKING:
    from kube.client import Api


async def test_several_views_get_all_calls_in_their_order(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(allocation(A, 4), version="5"),
        streams(event("ADDED", B, 6), event("DELETED", B, 7)),
    ]
    order: list[str] = []

    class Told(Story):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def _tell(self, verb: str, *what: str) -> None:
            order.append(f"{self.name} {verb}")
            super()._tell(verb, *what)

    first, second = Told("first"), Told("second")

    async with following(scripted, Views(first, second), ALLOCATIONS):
        told = await second.until(3)

    assert [verb for verb, _ in told] == ["reset", "put", "drop"]
    assert told == first.told
    assert order == [f"{who} {verb}" for verb, _ in told for who in ("first", "second")]
