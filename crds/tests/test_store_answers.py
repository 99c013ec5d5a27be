"""The two ports, with answers of the API server that a real one rarely gives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from crds.objects import ApiObjects
from crds.resources import NameAndVersion
from crds.store import ApiAllocations, StoreUnavailable
from crds.tests.kubevirt import launcher
from crds.tests.world import MAC, PENDING, POD
from kube.tests.api_server import ApiServer, hangs_up, page, refuses, says, streams
from kube.tests.protobuf import named, names_list

if TYPE_CHECKING:
    from crds.allocation import Owner
    from kube.client import Api
    from kube.tests.api_server import Answer


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


@pytest.mark.parametrize("body", ["", "{}", "k8s\0", "k8s\0\x12\x7f"])
async def test_an_invalid_list_of_names_is_unavailable(
    scripted: Api, server: ApiServer, body: str
) -> None:
    server.script += [says(200, body)]

    with pytest.raises(StoreUnavailable):
        await ApiAllocations(scripted).names()


@pytest.mark.parametrize("cut", [False, True])
async def test_a_broken_list_of_names_is_unavailable_and_the_next_is_complete(
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


@pytest.mark.parametrize(
    "owner",
    [replace(POD, name=name) for name in ("x/log", "a/b", ".", "..", "a\nb", "x" * 300)]
    + [replace(POD, namespace=namespace) for namespace in ("a/b", "..", "", "a.b", "x" * 64)],
    ids=str,
)
async def test_an_object_with_an_impossible_name_is_none_without_a_call(
    scripted: Api, server: ApiServer, owner: Owner
) -> None:
    server.script += [says(200, '{"kind":"PodList","metadata":{"name":"a list"}}')]

    assert await ApiObjects(scripted).get(owner) is None

    assert server.asked == []


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


async def test_concurrent_reads_of_the_launchers_of_a_namespace_share_one_list(
    scripted: Api, server: ApiServer
) -> None:
    server.script += [page(*(launcher(f"launcher-{name}", name, "u") for name in ("web", "db")))]
    objects = ApiObjects(scripted)

    found = await asyncio.gather(*(objects.launchers("shop", name) for name in ("web", "db", "x")))

    assert [[pod.name for pod in pods] for pods in found] == [["launcher-web"], ["launcher-db"], []]
    assert [asked.path for asked in server.asked] == ["/api/v1/namespaces/shop/pods"]
