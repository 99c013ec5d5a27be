"""The two ports of one program on the fake cluster: a call passes the gates and acts at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from crds.objects import UnknownKind
from crds.resources import KINDS
from crds.tests.gates import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.allocation import Allocation, Conflict, Owner, Stored
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.tests.fake import FakeCluster

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FakeClient:
    """One program's ports."""

    allocations: FakeAllocations
    objects: FakeObjects


@dataclass(frozen=True, slots=True)
class FakeAllocations:
    """The port Allocations."""

    cluster: FakeCluster
    client: str

    async def create(self, allocation: Allocation) -> Stored:
        call = Call(self.client, "create", "allocation", str(allocation.mac))
        return await _through(self.cluster, call, lambda: self.cluster._create(allocation))

    async def get(self, mac: MacAddress) -> Stored | None:
        call = Call(self.client, "get", "allocation", str(mac))
        return await _through(self.cluster, call, lambda: self.cluster.allocated.get(mac))

    async def replace(self, stored: Stored, by: Allocation) -> Stored:
        call = Call(self.client, "replace", "allocation", str(stored.mac))
        return await _through(self.cluster, call, lambda: self.cluster._replace(stored, by))

    async def delete(self, stored: Stored) -> None:
        call = Call(self.client, "delete", "allocation", str(stored.mac))
        await _through(self.cluster, call, lambda: self.cluster._delete(stored))

    async def note(self, stored: Stored, conflicts: tuple[Conflict, ...]) -> Stored:
        call = Call(self.client, "note", "allocation", str(stored.mac))
        return await _through(self.cluster, call, lambda: self.cluster._note(stored, conflicts))

    async def list(self) -> list[Stored]:
        call = Call(self.client, "list", "allocation")
        return await _through(self.cluster, call, lambda: list(self.cluster.allocated.values()))


@dataclass(frozen=True, slots=True)
class FakeObjects:
    """The port Objects."""

    cluster: FakeCluster
    client: str

    async def get(self, owner: Owner) -> Carrier | None:
        if owner.kind not in KINDS or owner.name is None:
            raise UnknownKind(owner.kind)
        key = owner.namespace, owner.name
        call = Call(self.client, "get", "object", f"{owner.kind} {key[0]}/{key[1]}")
        return await _through(
            self.cluster, call, lambda: self.cluster.carriers[owner.kind].get(key)
        )

    async def launchers(self, namespace: str, instance: str) -> list[Carrier]:
        call = Call(self.client, "list", "launcher", f"{namespace}/{instance}")
        return await _through(
            self.cluster,
            call,
            lambda: [
                pod
                for pod in self.cluster.pods.values()
                if pod.namespace == namespace
                and pod.controller is not None
                and pod.controller.name == instance
            ],
        )

    async def list(self) -> list[Carrier]:
        found: list[Carrier] = []
        for kind in KINDS:
            call = Call(self.client, "list", "object", kind)
            found += await _through(
                self.cluster,
                call,
                partial(lambda kind: [*self.cluster.carriers[kind].values()], kind),
            )
        return found


async def _through(cluster: FakeCluster, call: Call, effect: Callable[[], T]) -> T:
    cluster.calls.append(call)
    await cluster.gate(call)
    try:
        return effect()
    finally:
        await cluster.answer(call)
