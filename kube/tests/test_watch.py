"""Each gap that a Follower must close. The contract tests a watch without gaps."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crds.resources import ALLOCATED, ALLOCATIONS, NameAndVersion
from crds.tests.world import Story
from kube import watch
from kube.tests.api_server import ApiServer, hangs_up, page, refuses, says, streams
from kube.tests.following import EXPIRED, A, B, allocation, event, following, told_by

if TYPE_CHECKING:
    from aiohttp import web

    from kube.client import Api
    from kube.tests.api_server import Answer

pytestmark = pytest.mark.usefixtures("no_waiting")

OPTIONAL = replace(ALLOCATIONS, crd="macallocations.kubemacpool.io")


class _Names:
    """A view that keeps the names of the first list."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.came = asyncio.Event()

    def reset(self, everything: list[NameAndVersion]) -> None:
        self.names = [str(item.mac) for item in everything]
        self.came.set()

    def put(self, item: NameAndVersion) -> None: ...

    def drop(self, item: NameAndVersion) -> None: ...


async def test_a_watch_that_ends_continues_at_its_version(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(version="5"),
        streams(event("ADDED", A, 6)),
        streams(event("ADDED", B, 7)),
    ]

    told = await told_by(scripted, 3)

    assert told == [("reset", ()), ("put", (f"{A} Declared",)), ("put", (f"{B} Declared",))]
    assert server.queries[1:3] == [{"resourceVersion": "5"}, {"resourceVersion": "6"}]


async def test_a_bookmark_updates_the_version(scripted: Api, server: ApiServer) -> None:
    bookmark = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"80"}}}\n'
    server.script += [page(version="5"), streams(bookmark), streams(event("ADDED", A, 81))]

    await told_by(scripted, 2)

    assert server.queries[2] == {"resourceVersion": "80"}


async def test_a_broken_connection_loses_no_event(scripted: Api, server: ApiServer) -> None:
    server.script += [
        page(version="5"),
        streams(event("ADDED", A, 6), event("MODIFIED", A, 7)[:30], cut=True),
        hangs_up,
        streams(event("MODIFIED", A, 7), event("DELETED", A, 8)),
    ]

    told = await told_by(scripted, 4)

    assert [verb for verb, _ in told] == ["reset", "put", "put", "drop"]
    assert {"resourceVersion": "6"} in server.queries


@pytest.mark.parametrize(
    "expired",
    [streams(EXPIRED), refuses(410, "Expired")],
    ids=["as an event", "as an answer"],
)
async def test_a_list_follows_an_expired_version(
    scripted: Api, server: ApiServer, expired: Answer
) -> None:
    server.script += [
        page(allocation(A, 4), version="5"),
        expired,
        page(allocation(B, 8), version="9"),
        streams(event("DELETED", B, 10)),
    ]

    told = await told_by(scripted, 3)

    assert told == [("reset", (f"{A} Declared",)), ("reset", (f"{B} Declared",)), ("drop", (B,))]
    assert server.queries[:4] == [{}, {"resourceVersion": "5"}, {}, {"resourceVersion": "9"}]


async def test_a_watch_that_opens_and_fails_is_retried_with_a_growing_delay(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_s: list[float] = []
    sleep = asyncio.sleep

    async def note(wait_s: float) -> None:
        waits_s.append(wait_s)
        await sleep(0)

    monkeypatch.setattr(watch, "_FIRST_WAIT_S", 1.0)
    monkeypatch.setattr(asyncio, "sleep", note)
    server.script += [page(version="5"), streams(EXPIRED)] * 3 + [page(version="5")]

    await told_by(scripted, 4)

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
async def test_a_list_follows_an_unreadable_event(
    scripted: Api, server: ApiServer, unreadable: bytes
) -> None:
    server.script += [page(version="5"), streams(unreadable), page(allocation(A, 6), version="7")]

    told = await told_by(scripted, 2)

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


async def test_a_refused_watch_is_retried_with_the_same_version(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [
        page(version="5"),
        refuses(500, "InternalError"),
        streams(event("ADDED", A, 6)),
    ]

    told = await told_by(scripted, 2)

    assert [verb for verb, _ in told] == ["reset", "put"]
    assert server.queries[1:3] == [{"resourceVersion": "5"}] * 2


async def test_a_follower_is_synced_after_the_first_list(scripted: Api, server: ApiServer) -> None:
    server.script += [refuses(503, "ServiceUnavailable"), hangs_up, page(version="5")]
    story = Story()

    async with following(scripted, story, ALLOCATIONS) as follower:
        assert not follower.synced.is_set()
        await story.until(1)
        assert follower.synced.is_set()


async def test_events_are_read_in_any_chunks(scripted: Api, server: ApiServer) -> None:
    whole = event("ADDED", A, 6) + event("ADDED", B, 7) + event("DELETED", A, 8)
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    server.script += [page(version="5"), streams(*pieces)]

    told = await told_by(scripted, 4)

    assert [verb for verb, _ in told] == ["reset", "put", "put", "drop"]


@pytest.mark.parametrize("asked", ["list", "watch"])
async def test_a_follower_is_not_synced_while_the_resource_is_not_served(
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


async def test_a_resource_that_is_not_installed_is_retried_with_one_reset(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_ABSENT_WAIT_S", 0.0)
    absent = [says(404, "404 page not found"), refuses(404, "NotFound")]  # of it, and of its CRD
    server.script += [*absent, *absent, page(allocation(A, 4), version="5")]

    told = await told_by(scripted, 2, OPTIONAL)

    assert told == [("reset", ()), ("reset", (f"{A} Declared",))]


@pytest.mark.parametrize("after", ["watch", "list"])
async def test_a_removed_resource_leaves_an_empty_and_complete_view(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(watch, "_ABSENT_WAIT_S", 0.0)
    expired = [refuses(410, "Expired")] if after == "list" else []
    gone = [says(404, "404 page not found"), refuses(404, "NotFound")]
    server.script += [page(allocation(A, 4), version="5"), *expired, *gone, *gone]

    told = await told_by(scripted, 2, OPTIONAL)

    assert told == [("reset", (f"{A} Declared",)), ("reset", ())]


async def test_a_resource_that_is_not_served_but_has_a_crd_is_not_synced(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FIRST_WAIT_S", 0.0)
    unserved = [says(404, "404 page not found"), says(200, {})]
    server.script += [*unserved, page(allocation(A, 4), version="5")]

    told = await told_by(scripted, 1, OPTIONAL)

    assert told == [("reset", (f"{A} Declared",))]
