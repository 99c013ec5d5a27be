"""The implementation fulfils the contract on a real API server, with lists in pages of two."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from crds.mac import MacAddress
from crds.networks import ANNOTATION
from crds.objects import ApiObjects
from crds.resources import ALLOCATIONS, KINDS, PODS, NameAndVersion
from crds.store import ApiAllocations
from crds.tests.contract import AllocationsContract
from crds.tests.contract_objects import ObjectsContract
from crds.tests.contract_vms import VmsContract
from crds.tests.kubevirt_installed import install
from crds.tests.world import PENDING
from kube.errors import ApiError
from kube.watch import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crds.allocation import Stored
    from crds.carriers import Carrier
    from crds.tests.kubevirt import Manifest
    from kube.client import Api
    from kube.watch import View

_AT_ONCE = b'{"gracePeriodSeconds":0}'


class ApiWorld:
    """The contract's world around an API server."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.allocations = ApiAllocations(api)
        self.objects = ApiObjects(api)
        self.following: list[asyncio.Task[None]] = []
        self.stored: list[str] = []

    async def create_pod(self, name: str, networks: str | None = None) -> Carrier:
        self.stored.append(PODS.named(name, "default"))
        annotations = {} if networks is None else {ANNOTATION: networks}
        pod = {
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        return PODS.read(await self.api.post("/api/v1/namespaces/default/pods", _json(pod)))

    async def set_phase(self, name: str, phase: str) -> None:
        path = f"{PODS.named(name, 'default')}/status"
        await self.api.merge(path, _json({"status": {"phase": phase}}))

    async def annotate(self, name: str, networks: str) -> None:
        change = {"metadata": {"annotations": {ANNOTATION: networks}}}
        await self.api.merge(PODS.named(name, "default"), _json(change))

    async def delete_pod(self, name: str) -> None:
        await self.api.delete(PODS.named(name, "default"), _AT_ONCE)

    async def store(self, manifest: Manifest) -> Carrier:
        resource, namespace = KINDS[manifest["kind"]], manifest["metadata"]["namespace"]
        self.stored.append(resource.named(manifest["metadata"]["name"], namespace))
        return resource.read(await self.api.post(resource.namespaced(namespace), _json(manifest)))

    async def install_kubevirt(self) -> None:
        await install(self.api)

    async def label(self, mac: MacAddress, key: str, value: str) -> None:
        change = {"metadata": {"labels": {key: value}}}
        await self.api.merge(ALLOCATIONS.named(mac.name), _json(change))

    async def labels(self, mac: MacAddress) -> dict[str, str]:
        raw = await self.api.get(ALLOCATIONS.named(mac.name))
        labels: dict[str, str] = json.loads(raw)["metadata"]["labels"]
        return labels

    async def follow(self, view: View[Stored]) -> None:
        follower = Follower(self.api, ALLOCATIONS, view)
        self.following.append(asyncio.create_task(follower.run()))

    async def clear(self) -> None:
        for task in self.following:
            task.cancel()
        if self.following:
            await asyncio.wait(self.following)
        await self.api.delete(ALLOCATIONS.collection, b"{}")
        for path in self.stored:
            try:
                await self.api.delete(path, _AT_ONCE)
            except ApiError as error:
                if not error.is_not_found:
                    raise


@pytest.mark.usefixtures("_small_pages")
class TestApiStore(AllocationsContract, ObjectsContract, VmsContract):
    @pytest.fixture
    def _small_pages(self, api: Api) -> None:
        api.most = 2

    @pytest.fixture
    async def world(self, api: Api) -> AsyncIterator[ApiWorld]:
        world = ApiWorld(api)
        yield world
        await world.clear()

    async def test_names_are_those_of_all_allocations(self, world: ApiWorld) -> None:
        assert await world.allocations.names() == []
        macs = [MacAddress(bits) for bits in (0x02_00_00_00_00_01, 0x02_FF_FF_FF_FF_FF)]
        made = [await world.allocations.create(replace(PENDING, mac=mac)) for mac in macs]

        assert await world.allocations.names() == [
            NameAndVersion(stored.mac, int(stored.version)) for stored in made
        ]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
