"""The gaps that a Follower must close, forced one by one. Its plain course is in the contract."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from crds.resources import ALLOCATED, ALLOCATIONS, NameAndVersion
from crds.tests.world import Story
from kube import watch
from kube.tests.api_server import ApiServer, hangs_up, page, refuses, says, streams
from kube.watch import Follower, Views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from crds.allocation import Stored
    from kube.client import Api
    from kube.resource import Resource
    from kube.tests.api_server import Answer
    from kube.watch import View

T = TypeVar("T")

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
EXPIRED = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "message": "too old resource version"},
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_WAIT_S", 0.0)


def allocation(mac: str, version: int) -> dict[str, object]:
    metadata = {"name": mac.replace(":", "-"), "uid": mac, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"mac": mac}}


def event(kind: str, mac: str, version: int) -> bytes:
    return json.dumps({"type": kind, "object": allocation(mac, version)}).encode() + b"\n"


class _Names:
    """A view that keeps what the first list brought."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.came = asyncio.Event()

    def reset(self, everything: list[NameAndVersion]) -> None:
        self.names = [str(one.mac) for one in everything]
        self.came.set()

    def put(self, item: NameAndVersion) -> None: ...

    def drop(self, item: NameAndVersion) -> None: ...


@asynccontextmanager
async def following(api: Api, view: View[T], resource: Resource[T]) -> AsyncIterator[Follower[T]]:
    follower = Follower(api, resource, view)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_a_watch_that_ends_goes_on_where_it_was(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(version="5"),
        streams(event("ADDED", A, 6)),
        streams(event("ADDED", B, 7)),
    ]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        told = await story.until(3)

    assert told == [("reset", ()), ("put", (f"{A} Declared",)), ("put", (f"{B} Declared",))]
    assert server.queries[1:3] == [{"resourceVersion": "5"}, {"resourceVersion": "6"}]


async def test_a_bookmark_moves_the_place_to_go_on_from(scripted: Api, server: ApiServer) -> None:
    bookmark = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"80"}}}\n'
    server.script += [page(version="5"), streams(bookmark), streams(event("ADDED", A, 81))]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        await story.until(2)

    assert server.queries[2] == {"resourceVersion": "80"}


async def test_a_cut_connection_loses_nothing(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(version="5"),
        streams(event("ADDED", A, 6), event("MODIFIED", A, 7)[:30], cut=True),
        hangs_up,
        streams(event("MODIFIED", A, 7), event("DELETED", A, 8)),
    ]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        told = await story.until(4)

    assert [verb for verb, _ in told] == ["reset", "put", "put", "drop"]
    assert {"resourceVersion": "6"} in server.queries


@pytest.mark.parametrize(
    "expired",
    [streams(json.dumps(EXPIRED).encode() + b"\n"), refuses(410, "Expired")],
    ids=["as an event", "as an answer"],
)
async def test_an_expired_version_is_made_good_by_a_list(
    scripted: Api, server: ApiServer, expired: Answer
) -> None:
    server.script += [
        page(allocation(A, 4), version="5"),
        expired,
        page(allocation(B, 8), version="9"),
        streams(event("DELETED", B, 10)),
    ]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        told = await story.until(3)

    assert told == [("reset", (f"{A} Declared",)), ("reset", (f"{B} Declared",)), ("drop", (B,))]
    assert server.queries[:4] == [{}, {"resourceVersion": "5"}, {}, {"resourceVersion": "9"}]


async def test_a_watch_that_opens_and_fails_is_asked_for_ever_more_slowly(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_s: list[float] = []
    sleep = asyncio.sleep

    async def note(wait_s: float) -> None:
        waits_s.append(wait_s)
        await sleep(0)

    monkeypatch.setattr(watch, "_FIRST_WAIT_S", 1.0)
    monkeypatch.setattr(asyncio, "sleep", note)
    expired = streams(json.dumps(EXPIRED).encode() + b"\n")
    server.script += [page(version="5"), expired] * 3 + [page(version="5")]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        await story.until(4)

    assert [wait_s >= 2**times for times, wait_s in enumerate(w for w in waits_s if w)] == [
        True
    ] * 3


@pytest.mark.parametrize(
    "unreadable",
    [
        b"{\n",
        b"\n",
        b'{"type":"ADDED"}\n',
        b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"6"}}}\n',
        event("ADDED", "03:00", 6),
    ],
    ids=["half a text", "nothing", "no object", "no spec", "no address"],
)
async def test_an_event_that_cannot_be_read_is_made_good_by_a_list(
    scripted: Api, server: ApiServer, unreadable: bytes
) -> None:
    server.script += [page(version="5"), streams(unreadable), page(allocation(A, 6), version="7")]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        told = await story.until(2)

    assert told == [("reset", ()), ("reset", (f"{A} Declared",))]


async def test_a_name_that_is_no_address_is_left_out_of_a_list(
    scripted: Api, server: ApiServer
) -> None:
    wrong = allocation(A, 6) | {"metadata": {"name": "nonsense", "resourceVersion": "6"}}
    server.script += [page(wrong, allocation(A, 7), version="7")]
    taken = _Names()

    async with following(scripted, taken, ALLOCATED):
        await asyncio.wait_for(taken.came.wait(), 20)

    assert taken.names == [A]


async def test_a_refused_watch_is_asked_for_again_from_the_same_place(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [
        page(version="5"),
        refuses(500, "InternalError"),
        streams(event("ADDED", A, 6)),
    ]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        told = await story.until(2)

    assert [verb for verb, _ in told] == ["reset", "put"]
    assert server.queries[1:3] == [{"resourceVersion": "5"}] * 2


async def test_it_is_synced_once_a_list_has_come(scripted: Api, server: ApiServer) -> None:
    server.script += [refuses(503, "ServiceUnavailable"), hangs_up, page(version="5")]
    story = Story()

    async with following(scripted, story, ALLOCATIONS) as follower:
        assert not follower.synced.is_set()
        await story.until(1)
        assert follower.synced.is_set()


async def test_events_are_told_however_the_stream_is_cut_into_pieces(
    scripted: Api, server: ApiServer
) -> None:
    whole = event("ADDED", A, 6) + event("ADDED", B, 7) + event("DELETED", A, 8)
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    server.script += [page(version="5"), streams(*pieces)]
    story = Story()

    async with following(scripted, story, ALLOCATIONS):
        told = await story.until(4)

    assert [verb for verb, _ in told] == ["reset", "put", "put", "drop"]


@pytest.mark.parametrize("asked", ["list", "watch"])
async def test_it_is_not_synced_while_the_api_server_knows_no_such_resource(
    scripted: Api, server: ApiServer, asked: str
) -> None:
    synced: list[bool] = []

    async def back(request: web.Request) -> web.StreamResponse:
        synced.append(follower.synced.is_set())
        return await page(allocation(B, 8), version="9")(request)

    story = Story()
    first = [refuses(410, "Expired")] if asked == "list" else []
    server.script += [page(version="5"), *first, refuses(404, "NotFound"), back]

    async with following(scripted, story, ALLOCATIONS) as follower:
        told = await story.until(2)
        assert follower.synced.is_set()

    assert synced == [False]
    assert told[-1] == ("reset", (f"{B} Declared",))


async def test_what_is_not_installed_is_asked_for_again_and_told_once(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_ABSENT_WAIT_S", 0.0)
    optional = replace(ALLOCATIONS, crd="macallocations.kubemacpool.io")
    absent = [says(404, "404 page not found"), refuses(404, "NotFound")]  # of it, and of its CRD
    server.script += [*absent, *absent, page(allocation(A, 4), version="5")]
    story = Story()

    async with following(scripted, story, optional) as follower:
        told = await story.until(2)
        assert follower.synced.is_set()

    assert told == [("reset", ()), ("reset", (f"{A} Declared",))]


@pytest.mark.parametrize("after", ["watch", "list"])
async def test_what_is_taken_away_leaves_an_empty_view_that_is_complete(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(watch, "_ABSENT_WAIT_S", 0.0)
    optional = replace(ALLOCATIONS, crd="macallocations.kubemacpool.io")
    expired = [refuses(410, "Expired")] if after == "list" else []
    gone = [says(404, "404 page not found"), refuses(404, "NotFound")]
    server.script += [page(allocation(A, 4), version="5"), *expired, *gone, *gone]
    story = Story()

    async with following(scripted, story, optional) as follower:
        told = await story.until(2)
        assert follower.synced.is_set()

    assert told == [("reset", (f"{A} Declared",)), ("reset", ())]


async def test_what_is_not_served_though_its_crd_is_there_is_not_known(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FIRST_WAIT_S", 0.0)
    optional = replace(ALLOCATIONS, crd="macallocations.kubemacpool.io")
    unserved = [says(404, "404 page not found"), says(200, {})]
    server.script += [*unserved, page(allocation(A, 4), version="5")]
    story = Story()

    async with following(scripted, story, optional):
        told = await story.until(1)

    assert told == [("reset", (f"{A} Declared",))]


class _Connections(Story):
    """A story that writes down over which connection it was told each thing."""

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


async def test_every_watch_that_is_opened_has_a_number_of_its_own(
    scripted: Api, server: ApiServer
) -> None:
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
        streams(event("ADDED", A, 6), json.dumps(EXPIRED).encode() + b"\n"),
    ],
    ids=["ended", "cut", "unreadable", "expired"],
)
async def test_while_no_watch_is_open_there_is_no_connection(
    scripted: Api, server: ApiServer, ends: Answer
) -> None:
    meanwhile: list[int] = []
    again = asyncio.Event()

    async def asked_again(request: web.Request) -> web.StreamResponse:
        meanwhile.append(follower.connection)
        again.set()
        return await hangs_up(request)

    server.script += [page(version="5"), ends, asked_again]

    async with counting(scripted) as (story, follower):
        await story.until(2)
        await asyncio.wait_for(again.wait(), 20)

    assert story.connections[:2] == [0, 1]
    assert meanwhile == [0]


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
        streams(event("ADDED", A, 6), json.dumps(EXPIRED).encode() + b"\n"),
        page(version="9"),
        streams(event("ADDED", B, 10)),
    ]

    async with counting(scripted) as (story, _):
        told = await story.until(4)

    assert [verb for verb, _ in told] == ["reset", "put", "reset", "put"]
    assert story.connections == [0, 1, 0, 2]


async def test_several_views_are_told_everything_in_their_order(
    scripted: Api, server: ApiServer
) -> None:
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
