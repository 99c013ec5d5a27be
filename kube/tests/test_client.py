from __future__ import annotations

import asyncio
import json
import tracemalloc
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, TypeVar

import pytest
from msgspec.structs import replace

from crds.objects import ApiObjects
from crds.resources import ALLOCATED, ALLOCATIONS, PODS, NameAndVersion
from crds.store import ApiAllocations, StoreUnavailable
from crds.tests.world import MAC, PENDING, POD
from kube import listing
from kube.errors import ApiError, Unreachable
from kube.protobuf import ACCEPT
from kube.resource import Resource
from kube.tests.api_server import ApiServer, hangs_up, page, refuses, says, streams
from kube.tests.protobuf import named, names_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crds.allocation import Owner
    from kube.client import Api
    from kube.tests.api_server import Answer

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


async def test_a_list_that_is_refused_is_no_list(scripted: Api, server: ApiServer) -> None:
    server.script += [page(1, more="a"), refuses(500, "InternalError", "etcd is away")]

    with pytest.raises(ApiError, match="etcd is away"):
        await scripted.list(things(json_of))


@pytest.mark.parametrize("by_name", [False, True])
async def test_others_use_the_loop_while_a_list_is_read(
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


async def test_a_list_keeps_nothing_but_what_was_read(scripted: Api, server: ApiServer) -> None:
    server.script += [page("x" * 1_000_000, more="a") for _ in range(8)] + [page()]

    tracemalloc.start()
    items, _ = await scripted.list(things(lambda raw: len(bytes(raw))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert items == [1_000_002] * 8
    assert peak < 8_000_000  # the stub's own pages are in it


async def test_what_cannot_be_read_fails_a_list_or_is_left_out(
    scripted: Api, server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    named = {"metadata": {"name": "b"}}
    server.script += [page(1, named, 3)] * 2

    with pytest.raises(ValueError, match="no number"):
        await scripted.list(things(number_of))
    items, version = await scripted.list(things(number_of, leave_out=True))

    assert (items, version) == ([1, 3], "1")
    assert caplog.messages == ["b cannot be read and is left out: no number"]


@pytest.mark.parametrize(
    "odd", [{"metadata": {"name": "x"}, "spec": {}}, {"metadata": {"name": "x"}}, {}, 7]
)
async def test_an_allocation_that_cannot_be_read_is_left_out_of_lists(
    scripted: Api, server: ApiServer, odd: object
) -> None:
    good = {"metadata": {"name": MAC.name, "resourceVersion": "7"}, "spec": {"mac": str(MAC)}}
    server.script += [page(odd, good)] * 2

    assert [stored.mac for stored in await ApiAllocations(scripted).list()] == [MAC]
    assert await ApiAllocations(scripted).names() == [NameAndVersion(MAC, 7)]


async def test_of_what_is_known_by_name_metadata_is_listed_at_once(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page()] * 2

    await scripted.list(ALLOCATED)
    await scripted.list(ALLOCATIONS)

    headers = [asked.headers for asked in server.asked]
    assert [one["Accept"] for one in headers] == [ACCEPT, "application/json"]
    assert {one["Accept-Encoding"] for one in headers} == {"identity"}
    assert [asked.query.get("limit") for asked in server.asked] == [None, "2500"]


@pytest.mark.parametrize("body", ["", "{}", "k8s\0", "k8s\0\x12\x7f"])
async def test_names_that_do_not_come_whole_are_unavailable(
    scripted: Api, server: ApiServer, body: str
) -> None:
    server.script += [says(200, body)]

    with pytest.raises(StoreUnavailable):
        await ApiAllocations(scripted).names()


@pytest.mark.parametrize("cut", [False, True])
async def test_names_that_break_off_are_unavailable_and_then_listed_whole(
    scripted: Api, server: ApiServer, *, cut: bool
) -> None:
    whole = names_list("9", [named(MAC.name, "7")] * 2)
    server.script += [
        streams(whole[:-60], cut=cut),
        refuses(429, "TooManyRequests", Retry_After="0"),
        streams(whole),
    ]
    allocations = ApiAllocations(scripted)

    with pytest.raises(StoreUnavailable):
        await allocations.names()

    assert await allocations.names() == [NameAndVersion(MAC, 7)] * 2


async def test_a_list_asks_for_no_version_so_that_it_is_of_now(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page()]

    await scripted.list(things(json_of))

    assert set(server.asked[0].query) == {"limit"}


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
async def test_a_path_is_asked_for_as_it_is_written(
    scripted: Api, server: ApiServer, name: str, last: str
) -> None:
    server.script += [says(200, "{}")]

    await scripted.get(PODS.named(name, "shop"), {"a": "b c"})

    assert server.asked[0].raw_path == f"/api/v1/namespaces/shop/pods/{last}?a=b+c"


@pytest.mark.parametrize(
    "owner",
    [replace(POD, name=name) for name in ("x/log", "a/b", ".", "..", "a\nb", "x" * 300)]
    + [replace(POD, namespace=namespace) for namespace in ("a/b", "..", "", "a.b", "x" * 64)],
    ids=str,
)
async def test_an_object_that_cannot_be_is_none_and_nobody_is_asked(
    scripted: Api, server: ApiServer, owner: Owner
) -> None:
    server.script += [says(200, '{"kind":"PodList","metadata":{"name":"a list"}}')]

    assert await ApiObjects(scripted).get(owner) is None

    assert server.asked == []


async def test_a_call_is_made_again_while_the_api_server_says_not_now(
    scripted: Api, server: ApiServer
) -> None:
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


async def test_a_refusal_that_is_no_status_is_quoted(scripted: Api, server: ApiServer) -> None:
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

    assert len(server.asked) == 1  # it may have been carried out: it is not sent again


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


@pytest.mark.parametrize(
    "answer",
    [
        refuses(500, "InternalError", "etcd is away"),
        refuses(403, "Forbidden", "you may not"),
        refuses(409, "Conflict", "the namespace is being deleted"),
        hangs_up,
    ],
    ids=["500", "403", "409", "hangs up"],
)
async def test_a_create_without_a_clear_answer_is_unavailable(
    scripted: Api, server: ApiServer, answer: Answer
) -> None:
    server.script.append(answer)

    with pytest.raises(StoreUnavailable):
        await ApiAllocations(scripted).create(PENDING)


@pytest.mark.parametrize("body", ["", "{}", "<html>", '{"metadata":{"name":"x"},"spec":{}}'])
async def test_an_allocation_that_cannot_be_read_is_unavailable(
    scripted: Api, server: ApiServer, body: str
) -> None:
    server.script += [says(200, body)] * 2
    allocations = ApiAllocations(scripted)

    with pytest.raises(StoreUnavailable):
        await allocations.create(PENDING)
    with pytest.raises(StoreUnavailable):
        await allocations.get(MAC)


@pytest.mark.parametrize("body", ["", "{}", "<html>"])
async def test_an_object_that_cannot_be_read_is_unavailable(
    scripted: Api, server: ApiServer, body: str
) -> None:
    server.script += [says(200, body), page({"metadata": {}})]
    objects = ApiObjects(scripted)

    with pytest.raises(StoreUnavailable):
        await objects.get(POD)
    with pytest.raises(StoreUnavailable):
        await objects.list()


async def test_all_who_ask_for_the_launchers_of_a_namespace_share_one_list(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page(launcher("web"), launcher("db"))]
    objects = ApiObjects(scripted)

    found = await asyncio.gather(*(objects.launchers("shop", name) for name in ("web", "db", "x")))

    assert [[pod.name for pod in pods] for pods in found] == [["launcher-web"], ["launcher-db"], []]
    assert [asked.path for asked in server.asked] == ["/api/v1/namespaces/shop/pods"]


def launcher(instance: str) -> object:
    made_by = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "name": instance,
        "uid": "u",
        "controller": True,
    }
    metadata = {
        "name": f"launcher-{instance}",
        "namespace": "shop",
        "labels": {"kubevirt.io": "virt-launcher"},
        "ownerReferences": [made_by],
    }
    return {"metadata": metadata}


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
