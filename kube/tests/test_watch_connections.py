"""The number of the open watch, which a view can read with each event."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from crds.resources import ALLOCATIONS
from crds.tests.world import Story
from kube.tests.api_server import ApiServer, hangs_up, page, refuses, streams
from kube.tests.following import EXPIRED, A, B, event, following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from crds.allocation import Stored
    from kube.client import Api
    from kube.tests.api_server import Answer
    from kube.watch import Follower

pytestmark = pytest.mark.usefixtures("no_waiting")


class _Connections(Story):
    """A Story that also records the connection of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: list[int] = []
        self.now: Callable[[], int] = lambda: -1

    def _tell(self, verb: str, *what: str) -> None:
        self.connections.append(self.now())
        super()._tell(verb, *what)


@asynccontextmanager
async def counting(api: Api) -> AsyncIterator[tuple[_Connections, Follower[Stored]]]:
    story = _Connections()
    async with following(api, story, ALLOCATIONS) as follower:
        story.now = lambda: follower.connection
        yield story, follower


async def test_every_open_watch_has_its_own_number(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(version="5"),
        streams(event("ADDED", A, 6), event("MODIFIED", A, 7)),
        streams(event("ADDED", B, 8)),
    ]

    async with counting(scripted) as (story, _):
        await story.until(4)

    assert story.connections == [0, 1, 1, 2]


@pytest.mark.parametrize(
    "ends",
    [
        streams(event("ADDED", A, 6)),
        streams(event("ADDED", A, 6), event("MODIFIED", A, 7)[:30], cut=True),
        streams(event("ADDED", A, 6), b"{\n"),
        streams(event("ADDED", A, 6), EXPIRED),
    ],
    ids=["ended", "cut", "unreadable", "expired"],
)
async def test_while_no_watch_is_open_there_is_no_connection(
    scripted: Api, server: ApiServer, ends: Answer
) -> None:
    connections: list[int] = []
    again = asyncio.Event()

    async def asked_again(request: web.Request) -> web.StreamResponse:
        connections.append(follower.connection)
        again.set()
        return await hangs_up(request)

    server.script += [page(version="5"), ends, asked_again]

    async with counting(scripted) as (story, follower):
        await story.until(2)
        await asyncio.wait_for(again.wait(), 20)

    assert story.connections[:2] == [0, 1]
    assert connections == [0]


@pytest.mark.parametrize("refusal", [refuses(500, "InternalError"), hangs_up])
async def test_a_watch_that_is_refused_is_no_connection(
    scripted: Api, server: ApiServer, refusal: Answer
) -> None:
    server.script += [page(version="5"), refusal, streams(event("ADDED", A, 6))]

    async with counting(scripted) as (story, _):
        await story.until(2)

    assert story.connections == [0, 1]


async def test_a_list_is_told_over_no_connection(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(version="5"),
        streams(event("ADDED", A, 6), EXPIRED),
        page(version="9"),
        streams(event("ADDED", B, 10)),
    ]

    async with counting(scripted) as (story, _):
        told = await story.until(4)

    assert [verb for verb, _ in told] == ["reset", "put", "reset", "put"]
    assert story.connections == [0, 1, 0, 2]
