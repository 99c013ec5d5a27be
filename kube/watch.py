"""Follows a resource: lists it, then watches it, forever. A new list closes every gap.

Law: after a list, a view gets all objects (`reset`), and then each change in order. If the version
expires after a lost connection, the next list brings what the watch missed.
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
# The interval of lists of a resource that is not installed: KubeVirt may be installed later.
_ABSENT_WAIT_S = 2.0


class View(Protocol[T]):
    """The state of a followed resource. Its methods are called on the event loop, not awaited."""

    def reset(self, everything: list[T]) -> None:
        """Take the result of a list: all objects that exist."""

    def put(self, item: T) -> None:
        """Take a new or changed object."""

    def drop(self, item: T) -> None:
        """Forget a deleted object."""


class Views(Generic[T]):
    """Several views of one resource; each gets all calls, in the order of the views."""

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
    """Return True if the API server says that there is no such CustomResourceDefinition.

    Then there are no such objects. (A resource that is not found may only be not served now.)
    """
    if crd is None:
        return False
    try:
        await api.get(f"{CRDS}/{crd}")
    except ApiError as error:
        return error.is_not_found and error.reason == "NotFound"
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
        """Follow all of `resource`, or what is at `path`; `query` holds selectors."""
        self.api = api
        self.resource = resource
        self.view = view
        self.path = path or resource.collection
        self.query = query or {}
        # Set after a list. Cleared while the resource is not served, unless it is not installed.
        self.synced = asyncio.Event()
        # The number of the open watch, counted from 1; 0 while no watch is open.
        self.connection = 0
        self._connections = 0
        self._is_absent = False

    async def run(self) -> None:
        """List and watch until cancelled. Failures are logged and retried with a growing delay."""
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
                await asyncio.sleep(_FIRST_WAIT_S)  # in case the API server closes watches at once
            except (ApiError, Unreachable, ValueError) as error:
                is_not_found = isinstance(error, ApiError) and error.is_not_found
                is_expired = isinstance(error, ApiError) and error.is_expired
                # Only a new list brings what was missed: after an expired version or an unreadable
                # event (ValueError), or if the resource was removed and is back.
                if isinstance(error, ValueError) or is_not_found or is_expired:
                    version = ""
                if is_not_found and await is_crd_absent(self.api, self.resource.crd):
                    await self._wait_for_crd()
                    continue
                if is_not_found:
                    self.synced.clear()  # not served now, or its CRD is being deleted
                _log.warning("following %s: %s", self.resource.plural, error)
                await asyncio.sleep(wait_s * (1 + random.random()))  # noqa: S311 # jitter
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _opened(self) -> None:
        self._connections += 1
        self.connection = self._connections

    async def _wait_for_crd(self) -> None:
        """Empty the view: a resource that is not installed has no objects. Log it once."""
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
