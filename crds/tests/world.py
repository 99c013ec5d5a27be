"""The world that the contract needs: the ports, and other clients of the same API server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from crds.allocation import Allocation, Conflict, Owner, Source, State, Stored
from crds.mac import MacAddress

if TYPE_CHECKING:
    from crds.carriers import Carrier
    from crds.objects import Objects
    from crds.store import Allocations
    from crds.tests.kubevirt import Manifest
    from kube.watch import View

MAC = MacAddress.parse("02:00:00:00:00:2a")
POD = Owner(api_version="v1", kind="Pod", namespace="default", name="samplepod", interface="net1")
PENDING = Allocation(
    mac=MAC, state=State.PENDING, source=Source.POOL, pool="default", owner=POD, request="r-1"
)
BOUND = replace(PENDING, state=State.BOUND, owner=replace(POD, uid="u-1"))
NETWORKS = '[{"name":"ovs-conf","namespace":"shop","mac":"02:00:00:00:00:2A"},{"name":"plain"}]'
CONFLICT = Conflict(
    api_version="v1",
    kind="Pod",
    namespace="shop",
    name="other",
    uid="u-2",
    interface="net2",
    since="2026-11-24T12:00:00Z",
)


class World(Protocol):
    """The two ports, and the actions of other clients of the same API server."""

    allocations: Allocations
    objects: Objects

    async def create_pod(self, name: str, networks: str | None = None) -> Carrier:
        """Create a pod in namespace default."""

    async def set_phase(self, name: str, phase: str) -> None:
        """Set its `status.phase`."""

    async def annotate(self, name: str, networks: str) -> None:
        """Change its annotation."""

    async def delete_pod(self, name: str) -> None:
        """Delete it, at once."""

    async def store(self, manifest: Manifest) -> Carrier:
        """Create the object. KubeVirt's kinds need `install_kubevirt` first."""

    async def install_kubevirt(self) -> None:
        """Install KubeVirt's kinds, unless they are installed."""

    async def label(self, mac: MacAddress, key: str, value: str) -> None:
        """Label an allocation."""

    async def labels(self, mac: MacAddress) -> dict[str, str]:
        """Read the labels of an allocation."""

    async def follow(self, view: View[Stored]) -> None:
        """Keep `view` up to date with the allocations until the test ends."""


class Story:
    """A View that records its calls, and lets a test wait for them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[str, ...]]] = []
        self._news = asyncio.Event()

    def reset(self, everything: list[Stored]) -> None:
        self._tell(
            "reset", *sorted(f"{stored.mac} {stored.allocation.state}" for stored in everything)
        )

    def put(self, item: Stored) -> None:
        self._tell("put", f"{item.mac} {item.allocation.state}")

    def drop(self, item: Stored) -> None:
        self._tell("drop", str(item.mac))

    async def until(self, length: int) -> list[tuple[str, tuple[str, ...]]]:
        """Wait for `length` calls."""
        async with asyncio.timeout(20):
            while len(self.told) < length:
                self._news.clear()
                await self._news.wait()
        return self.told

    def _tell(self, verb: str, *what: str) -> None:
        self.told.append((verb, what))
        self._news.set()
