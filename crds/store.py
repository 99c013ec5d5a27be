"""The port Allocations, and its implementation with calls to the API server.

Law: every update is a compare-and-swap on uid and resourceVersion, every delete has both as
preconditions, and a create is the lock. This module translates all errors of the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from crds.allocation import (
    API_VERSION,
    Allocation,
    Conflict,
    Owner,
    Stored,
    encode_hook,
)
from crds.resources import ALLOCATED, ALLOCATIONS, NameAndVersion
from kube.errors import ApiError, CallFailed, Unreachable
from kube.nesting import decode_bounded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from crds.mac import MacAddress
    from kube.client import Api
    from kube.resource import Resource

T = TypeVar("T")


class AlreadyAllocated(Exception):
    """Another create of the same address came first (409 AlreadyExists)."""


class Changed(Exception):
    """The allocation has changed since it was read. Nothing was written."""


class StoreUnavailable(CallFailed):
    """The API server refused the call, or did not say whether it executed it."""


class Allocations(Protocol):
    """The MacAllocations of the cluster. Every method may raise StoreUnavailable."""

    async def create(self, allocation: Allocation) -> Stored:
        """Create the allocation, which locks the address; or raise AlreadyAllocated."""

    async def get(self, mac: MacAddress) -> Stored | None:
        """Read the allocation now."""

    async def replace(self, stored: Stored, by: Allocation) -> Stored:
        """Write `by` if the allocation is still `stored`, or raise Changed."""

    async def delete(self, stored: Stored) -> None:
        """Delete the allocation if it is still `stored`, or raise Changed."""

    async def note(self, stored: Stored, conflicts: tuple[Conflict, ...]) -> Stored:
        """Write `status.conflicts` if the allocation is still `stored`, or raise Changed."""

    async def list(self) -> list[Stored]:
        """List all allocations at one moment after the call."""


@dataclass(frozen=True, slots=True)
class ApiAllocations:
    """Reads and writes MacAllocations with calls to the API server."""

    api: Api

    async def create(self, allocation: Allocation) -> Stored:
        """See Allocations.create."""
        body = {
            "apiVersion": API_VERSION,
            "kind": "MacAllocation",
            "metadata": {"name": allocation.mac.name},
            "spec": allocation,
        }
        try:
            return await read_one(self.api.post(ALLOCATIONS.collection, _json(body)), ALLOCATIONS)
        except ApiError as error:
            if error.is_conflict and error.reason == "AlreadyExists":
                raise AlreadyAllocated(str(allocation.mac)) from error
            raise unavailable(error) from error

    async def get(self, mac: MacAddress) -> Stored | None:
        """See Allocations.get."""
        try:
            return await read_one(self.api.get(ALLOCATIONS.named(mac.name)), ALLOCATIONS)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise unavailable(error) from error

    async def replace(self, stored: Stored, by: Allocation) -> Stored:
        """See Allocations.replace."""
        return await self._swap(
            stored, ALLOCATIONS.named(stored.mac.name), {"spec": _spec_with_nulls(by)}
        )

    async def note(self, stored: Stored, conflicts: tuple[Conflict, ...]) -> Stored:
        """See Allocations.note."""
        path = f"{ALLOCATIONS.named(stored.mac.name)}/status"
        return await self._swap(stored, path, {"status": {"conflicts": conflicts}})

    async def delete(self, stored: Stored) -> None:
        """See Allocations.delete."""
        preconditions = {"uid": stored.uid, "resourceVersion": stored.version}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        try:
            await self.api.delete(ALLOCATIONS.named(stored.mac.name), _json(body))
        except ApiError as error:
            raise _refused(stored, error) from error
        except Unreachable as error:
            raise StoreUnavailable(str(error)) from error

    async def names(self) -> list[NameAndVersion]:
        """List only names and versions, at one moment after the call."""
        return await read_all(self.api, ALLOCATED)

    async def list(self) -> list[Stored]:
        """See Allocations.list."""
        return await read_all(self.api, ALLOCATIONS)

    async def _swap(self, stored: Stored, path: str, change: dict[str, Any]) -> Stored:
        # A merge patch keeps labels and fields that others wrote. With a resourceVersion, the API
        # server refuses it if the object has changed.
        change["metadata"] = {"uid": stored.uid, "resourceVersion": stored.version}
        try:
            return await read_one(self.api.merge(path, _json(change)), ALLOCATIONS)
        except ApiError as error:
            raise _refused(stored, error) from error


async def read_one(call: Awaitable[bytes], resource: Resource[T]) -> T:
    """Read the answer of one call. The caller handles ApiError."""
    try:
        return decode_bounded(resource.read, await call)
    except (Unreachable, ValueError) as error:  # ValueError: the answer cannot be read
        raise StoreUnavailable(str(error)) from error


async def read_all(
    api: Api,
    resource: Resource[T],
    path: str | None = None,
    selection: Mapping[str, str] | None = None,
) -> list[T]:
    """Read all of `resource`, or those at `path`. Raises StoreUnavailable."""
    try:
        found, _ = await api.list(resource, path, selection)
    except (ApiError, Unreachable, ValueError) as error:
        raise StoreUnavailable(str(error)) from error
    return found


def _refused(stored: Stored, error: ApiError) -> Exception:
    # 422 on metadata.uid: another object with the same resourceVersion, as after an etcd restore.
    is_another = error.is_invalid and "metadata.uid" in error.message
    if error.is_not_found or error.is_conflict or is_another:
        return Changed(f"{stored.mac}: {error.message}")
    return unavailable(error)


def unavailable(error: ApiError) -> StoreUnavailable:
    """Translate an error of the API server."""
    return StoreUnavailable(f"the API server answered {error}")


def _spec_with_nulls(allocation: Allocation) -> dict[str, Any]:
    """Return the spec with null for each absent field: a merge patch then removes the field."""
    spec: dict[str, Any] = _nulls(Allocation) | msgspec.to_builtins(
        allocation, enc_hook=encode_hook
    )
    if allocation.owner is not None:
        spec["owner"] = _nulls(Owner) | spec["owner"]
    return spec


def _nulls(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return dict.fromkeys(kind.__struct_encode_fields__)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=encode_hook)
