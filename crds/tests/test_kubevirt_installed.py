"""A cluster may be without KubeVirt, get it later, or stop serving it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from crds.allocation import KUBEVIRT, VM_KIND, VMI_KIND, Owner
from crds.objects import ApiObjects, read_root
from crds.resources import VMIS, VMS
from crds.store import StoreUnavailable
from crds.tests.kubevirt import Nic, vm_manifest, vmi_manifest
from crds.tests.kubevirt_installed import install, serve, take_away
from crds.tests.world import MAC
from kube import watch
from kube.watch import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crds.carriers import Carrier
    from kube.client import Api
    from kube.resource import Resource

ROOT = (VM_KIND, "default", "db")
DB = Owner(api_version=KUBEVIRT, kind=VM_KIND, namespace="default", name="db")
ITS_VMI = Owner(api_version=KUBEVIRT, kind=VMI_KIND, namespace="default", name="db")


class Names:
    """A View of carriers that lets a test wait for what it shows."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.shown: list[set[str]] = []  # the names after each call
        self._news = asyncio.Event()

    def reset(self, everything: list[Carrier]) -> None:
        self._now({item.name for item in everything})

    def put(self, item: Carrier) -> None:
        self._now(self.names | {item.name})

    def drop(self, item: Carrier) -> None:
        self._now(self.names - {item.name})

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(30):
            while self.names != set(names):
                self._news.clear()
                await self._news.wait()

    def _now(self, names: set[str]) -> None:
        self.names = names
        self.shown.append(names)
        self._news.set()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_ABSENT_WAIT_S", 0.1)


@asynccontextmanager
async def following(
    api: Api, view: Names, resource: Resource[Carrier] = VMS
) -> AsyncIterator[Follower[Carrier]]:
    follower = Follower(api, resource, view)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
        await take_away(api)


async def create_both(api: Api) -> None:
    for resource, manifest in ((VMS, vm_manifest), (VMIS, vmi_manifest)):
        body = json.dumps(manifest("db", Nic("blue", MAC), namespace="default")).encode()
        await api.post(resource.namespaced("default"), body)


async def test_without_kubevirt_there_are_no_vms(api: Api) -> None:
    await take_away(api)
    objects = ApiObjects(api)

    assert await objects.get(DB) is None
    assert await objects.get(ITS_VMI) is None
    assert await read_root(objects, ROOT, None) == ()
    assert {found.kind for found in await objects.list()} <= {"Pod"}


async def test_vms_that_are_not_served_now_are_not_gone(api: Api) -> None:
    await install(api)
    await create_both(api)

    await serve(api, served=False)

    objects = ApiObjects(api)
    for owner in (DB, ITS_VMI):
        with pytest.raises(StoreUnavailable, match="404"):
            await objects.get(owner)
    with pytest.raises(StoreUnavailable, match="404"):
        await read_root(objects, ROOT, None)
    with pytest.raises(StoreUnavailable, match="404"):
        await objects.list()
    await serve(api, served=True)
    assert [found.kind for found in await read_root(objects, ROOT, None)] == [VM_KIND, VMI_KIND]
    await take_away(api)


async def test_without_kubevirt_a_view_is_complete_and_empty(api: Api) -> None:
    await take_away(api)
    seen = Names()

    async with following(api, seen) as follower:
        await asyncio.wait_for(follower.synced.wait(), 30)

        assert seen.names == set()


@pytest.mark.parametrize("resource", [VMS, VMIS], ids=[VM_KIND, VMI_KIND])
async def test_kubevirt_is_followed_from_its_installation_to_its_removal(
    api: Api, resource: Resource[Carrier]
) -> None:
    await take_away(api)
    seen = Names()

    async with following(api, seen, resource) as follower:
        await asyncio.wait_for(follower.synced.wait(), 30)
        for _ in range(2):
            await install(api)
            await create_both(api)
            await seen.until("db")
            await take_away(api)
            await seen.until()

        assert follower.synced.is_set()


async def test_a_view_keeps_objects_that_are_not_served_now(api: Api) -> None:
    await install(api)
    await create_both(api)
    seen = Names()

    async with following(api, seen):
        await seen.until("db")
        await serve(api, served=False)
        await serve(api, served=True)
        body = json.dumps(vm_manifest("web", namespace="default")).encode()
        await api.post(VMS.namespaced("default"), body)
        await seen.until("db", "web")

    assert all("db" in names for names in seen.shown[seen.shown.index({"db"}) :])


async def test_a_deeply_nested_vm_does_not_block_others(api: Api) -> None:
    await install(api)
    deep = json.dumps(vm_manifest("deep", Nic("blue", MAC), namespace="default"))
    nested = '"template": {"metadata": ' + '{"a":' * 9_000 + "1" + "}" * 9_000 + ", "
    await api.post(VMS.namespaced("default"), deep.replace('"template": {', nested).encode())
    await create_both(api)
    seen = Names()

    listed = await ApiObjects(api).list()
    async with following(api, seen):
        await seen.until("db", "deep")

    assert {found.name for found in listed if found.carries(MAC)} >= {"db", "deep"}
