from __future__ import annotations

import asyncio
import json
import tracemalloc
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, TypeVar

import pytest

from crds.resources import ALLOCATED, ALLOCATIONS, PODS
from kube import listing
from kube.errors import ApiError, Unreachable
from kube.protobuf import ACCEPT
from kube.resource import Resource
from kube.tests.api_server import ApiServer, hangs_up, page, refuses, says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kube.client import Api

T = TypeVar("T")


async def test_a_list_is_all_its_pages(scripted: Api, server: ApiServer) -> None:
    server.script += [page(1, 2, more="a"), page(3, more="b"), page(version="9")]

    items, version = await scripted.list(things(json_of), selection={"fieldSelector": "x=y"})

    assert items == [1, 2, 3]
    assert version == "9"
    selected = {"fieldSelector": "x=y"}
    assert server.queries == [
        selected,
        {**selected, "continue": "a"},
        {**selected, "continue": "b"},
    ]


async def test_a_list_whose_continuation_expired_starts_again(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page(1, 2, more="a"), refuses(410, "Expired"), page(2, 3, version="9")]

    items, version = await scripted.list(things(json_of))

    assert items == [2, 3]
    assert version == "9"
    assert server.queries == [{}, {"continue": "a"}, {}]


async def test_a_list_with_a_refused_page_fails(scripted: Api, server: ApiServer) -> None:
    server.script += [page(1, more="a"), refuses(500, "InternalError", "etcd is away")]

    with pytest.raises(ApiError, match="etcd is away"):
        await scripted.list(things(json_of))


@pytest.mark.parametrize("by_name", [False, True])
async def test_other_tasks_run_while_a_list_is_read(
    scripted: Api, server: ApiServer, monkeypatch: pytest.MonkeyPatch, *, by_name: bool
) -> None:
    monkeypatch.setattr(listing, "_STEP_S", 0.0)
    server.script += (
        [page(*range(100))] if by_name else [page(*range(50), more="a"), page(*range(50))]
    )
    turns, seen = 0, []

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def read(*_: object) -> None:
        seen.append(turns)

    task = asyncio.create_task(another())
    await scripted.list(replaced(things(read), of_name=read) if by_name else things(read))
    task.cancel()

    assert len(set(seen)) == 100


async def test_a_list_keeps_only_the_values_that_were_read(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page("x" * 1_000_000, more="a") for _ in range(8)] + [page()]

    tracemalloc.start()
    items, _ = await scripted.list(things(lambda raw: len(bytes(raw))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert items == [1_000_002] * 8
    assert peak < 8_000_000  # includes the pages in the test's own server


async def test_an_unreadable_object_fails_a_list_or_is_left_out(
    scripted: Api, server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    named = {"metadata": {"name": "b"}}
    server.script += [page(1, named, 3)] * 2

    with pytest.raises(ValueError, match="no number"):
        await scripted.list(things(number_of))
    items, version = await scripted.list(things(number_of, leave_out=True))

    assert (items, version) == ([1, 3], "1")
    assert caplog.messages == ["b cannot be read and is left out: no number"]


async def test_a_resource_that_is_known_by_name_is_listed_in_one_call(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page()] * 2

    await scripted.list(ALLOCATED)
    await scripted.list(ALLOCATIONS)

    headers = [asked.headers for asked in server.asked]
    assert [sent["Accept"] for sent in headers] == [ACCEPT, "application/json"]
    assert {sent["Accept-Encoding"] for sent in headers} == {"identity"}
    assert [asked.query.get("limit") for asked in server.asked] == [None, "2500"]


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("web", "web"),
        (".", "."),
        ("..", ".."),
        ("%2E%2E", "%252E%252E"),
        ("../../../configmaps", "..%2F..%2F..%2Fconfigmaps"),
        ("x/log", "x%2Flog"),
        ("a?limit=1", "a%3Flimit%3D1"),
        ("a#b", "a%23b"),
    ],
)
async def test_a_path_is_sent_without_a_change(
    scripted: Api, server: ApiServer, name: str, last: str
) -> None:
    server.script += [says(200, "{}")]

    await scripted.get(PODS.named(name, "shop"), {"a": "b c"})

    assert server.asked[0].raw_path == f"/api/v1/namespaces/shop/pods/{last}?a=b+c"


async def test_a_call_is_repeated_after_429(scripted: Api, server: ApiServer) -> None:
    server.script += [refuses(429, "TooManyRequests", Retry_After="0")] * 2 + [says(201, "{}")]

    assert await scripted.post("/things", b"{}") == b"{}"

    assert len(server.asked) == 3


async def test_a_replaced_token_is_read_again_once(
    scripted: Api, server: ApiServer, kubeconfig: Path
) -> None:
    server.script += [refuses(401, "Unauthorized"), says(200, "{}"), refuses(401, "Unauthorized")]
    renew_token(kubeconfig)

    await scripted.get("/things/one")

    tokens = [asked.headers["Authorization"] for asked in server.asked]
    assert tokens == ["Bearer t-1", "Bearer t-2"]


async def test_a_token_that_stays_refused_is_an_error(scripted: Api, server: ApiServer) -> None:
    server.script += [refuses(401, "Unauthorized", "who?")] * 2

    with pytest.raises(ApiError, match="401 Unauthorized: who"):
        await scripted.get("/things/one")


async def test_an_error_without_a_status_is_quoted(scripted: Api, server: ApiServer) -> None:
    server.script += [says(502, "<html>Bad Gateway</html>" + "x" * 1000)]

    with pytest.raises(ApiError) as refused:
        await scripted.get("/things/one")

    assert refused.value.status == 502
    assert refused.value.message.startswith("<html>Bad Gateway")
    assert len(refused.value.message) == 200


async def test_an_answer_that_never_came_is_unreachable(scripted: Api, server: ApiServer) -> None:
    server.script += [hangs_up]

    with pytest.raises(Unreachable, match="POST /things: "):
        await scripted.post("/things", b"{}")

    assert len(server.asked) == 1  # it may have been executed, so it is not sent again


async def test_writes_name_their_manager(scripted: Api, server: ApiServer) -> None:
    server.script += [says(200, "{}")] * 3

    await scripted.post("/things", b"{}")
    await scripted.merge("/things/one", b"{}")
    await scripted.apply("/things/one", b"{}")

    assert [asked.query["fieldManager"] for asked in server.asked] == ["kubemacpool"] * 3
    assert [asked.headers["Content-Type"] for asked in server.asked] == [
        "application/json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
    ]


def renew_token(kubeconfig: Path) -> None:
    kubeconfig.write_text(kubeconfig.read_text().replace("t-1", "t-2"))


def things(read: Callable[[bytes], T], *, leave_out: bool = False) -> Resource[T]:
    return Resource("", "things", read, leave_out)


def json_of(raw: bytes) -> object:
    return json.loads(bytes(raw))


def number_of(raw: bytes) -> int:
    value = json_of(raw)
    if not isinstance(value, int):
        raise ValueError("no number")  # noqa: TRY004 # as readers do
    return value
