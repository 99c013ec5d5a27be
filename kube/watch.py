"""Following a resource: a list, then its watch, for ever, with every gap closed by a new list.

Law: a view is told of everything that exists after a list (`reset`), and then of each change in
order. Events missed between a cut and an expired version are closed by the next list.
"""

from __future__ import annotations

import asyncio
import logging
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from kube.errors import ApiError, Unreachable
from kube.nesting import decode_bounded
from kube.resource import CRDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.client import Api
    from kube.resource import Resource

T = TypeVar("T")

_log = logging.getLogger(__name__)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0
# How often an optional resource is asked for while there is none: KubeVirt may be installed later.
_ABSENT_WAIT_S = 2.0


class View(Protocol[T]):
    """What is kept of a followed resource. Called on the event loop, never awaited."""

    def reset(self, everything: list[T]) -> None:
        """Take what a list brought for all there is."""

    def put(self, item: T) -> None:
        """Take a new or changed one."""

    def drop(self, item: T) -> None:
        """Forget a deleted one."""


class Views(Generic[T]):
    """Several views of one resource; each is told of everything, in their order."""

    def __init__(self, *views: View[T]) -> None:
        self._views = views

    def reset(self, everything: list[T]) -> None:
        """See View.reset."""
        for view in self._views:
            view.reset(everything)

    def put(self, item: T) -> None:
        """See View.put."""
        for view in self._views:
            view.put(item)

    def drop(self, item: T) -> None:
        """See View.drop."""
        for view in self._views:
            view.drop(item)


class _Version(msgspec.Struct):
    version: str = msgspec.field(default="", name="resourceVersion")


class _Versioned(msgspec.Struct):
    metadata: _Version


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_event = msgspec.json.Decoder(_Event)
_versioned = msgspec.json.Decoder(_Versioned)


async def is_crd_absent(api: Api, crd: str | None) -> bool:
    """Whether the cluster has no CustomResourceDefinition of that name, for sure.

    Then it has no such objects. A resource that is not found may also be not served just now.
    """
    if crd is None:
        return False
    try:
        await api.get(f"{CRDS}/{crd}")
    except ApiError as error:
        return error.status == HTTPStatus.NOT_FOUND and error.reason == "NotFound"
    except Unreachable:
        return False
    return False


class Follower(Generic[T]):
    """Keeps `view` up to date with `resource`; `run` never returns."""

    def __init__(
        self,
        api: Api,
        resource: Resource[T],
        view: View[T],
        path: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Follow all of `resource`, or those at `path` that `query` (selectors) lets through."""
        self.api = api
        self.resource = resource
        self.view = view
        self.path = path or resource.collection
        self.query = query or {}
        # Cleared while the API server knows no such resource; without an optional one all is known.
        self.synced = asyncio.Event()
        # The number of the watch that is open just now, counted from 1; 0 while none is.
        self.connection = 0
        self._connections = 0
        self._is_absent = False

    async def run(self) -> None:
        """List and watch until cancelled; failures are logged and tried again, ever more slowly."""
        wait_s = _FIRST_WAIT_S
        version = ""
        while True:
            try:
                if not version:
                    everything, version = await self.api.list(self.resource, self.path, self.query)
                    self.view.reset(everything)
                    self.synced.set()
                    self._is_absent = False
                try:
                    async for line in self.api.watch(self.path, version, self.query, self._opened):
                        version = decode_bounded(self._take, line) or version
                        wait_s = _FIRST_WAIT_S
                finally:
                    self.connection = 0
                await asyncio.sleep(_FIRST_WAIT_S)  # should watches be closed at once
            except (ApiError, Unreachable, ValueError) as error:
                status = error.status if isinstance(error, ApiError) else None
                # Only a new list tells what an expired version or an unreadable event (ValueError)
                # left out, or a resource that was taken away and is back.
                if isinstance(error, ValueError) or status in {
                    HTTPStatus.NOT_FOUND,
                    HTTPStatus.GONE,
                }:
                    version = ""
                if status == HTTPStatus.NOT_FOUND and await is_crd_absent(
                    self.api, self.resource.crd
                ):
                    await self._miss()
                    continue
                if status == HTTPStatus.NOT_FOUND:
                    self.synced.clear()  # not served just now, or its CRD is deleted
                _log.warning("following %s: %s", self.resource.plural, error)
                await asyncio.sleep(wait_s * (1 + random.random()))  # noqa: S311 # jitter
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _opened(self) -> None:
        self._connections += 1
        self.connection = self._connections

    async def _miss(self) -> None:
        """The cluster lacks the resource, and so has none of it: said once, asked for again."""
        if not self._is_absent:
            _log.info("no %s: %s is not installed", self.resource.plural, self.resource.crd)
            self.view.reset([])
            self.synced.set()
            self._is_absent = True
        await asyncio.sleep(_ABSENT_WAIT_S)

    def _take(self, line: bytes) -> str:
        event = _event.decode(line)
        match event.type:
            case "ADDED" | "MODIFIED":
                self.view.put(self.resource.read(event.object))
            case "DELETED":
                self.view.drop(self.resource.read(event.object))
            case "ERROR":
                raise ApiError(
                    HTTPStatus.GONE, "Expired", bytes(event.object).decode(errors="replace")
                )
        return _versioned.decode(event.object).metadata.version
