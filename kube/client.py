"""A small client of the API server: typed errors, bounded waits, pages and watches.

A create costs the `kubernetes` client 680 us of CPU, and this one 115 to 174 us (aiohttp and
msgspec). The webhook spends this time inside a user's request. kube/login.py still reads the
configuration with the `kubernetes` package.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Self, TypeVar

import aiohttp

from kube.errors import ApiError, Unreachable, read_error, text_of
from kube.listing import parse_names, parse_page
from kube.login import Login, LoginFailed
from kube.protobuf import ACCEPT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from kube.resource import Resource

T = TypeVar("T")
R = TypeVar("R")

# kube-apiserver ends a create or patch after 34 s at the latest. No caller here waits that long.
CALL_TIMEOUT_S = 10.0
LIST_TIMEOUT_S = 60.0
# The API server sends a bookmark about once a minute. A watch that is silent for longer is dead.
WATCH_SILENCE_S = 150.0
_JSON = "application/json"
_LINE_LIMIT = 4 << 20  # an object is at most 1.5 MiB in etcd


@dataclass(slots=True)
class Api:
    """One API server and a pool of kept connections to it; use as `async with Api() as api`.

    `kubeconfig` None: the file in KUBECONFIG, ~/.kube/config, or the pod's service account.
    `calls`: maximum concurrent requests, watches not counted. Other requests wait in a queue, and
    the timeout of a request starts when it is sent. `most`: maximum objects in a page of a list.
    `field_manager`: the owner of the fields that are written (managedFields); `apply` needs it.
    """

    user_agent: str
    kubeconfig: str | None = None
    calls: int = 64
    most: int = 5000
    field_manager: str | None = None
    _login: Login = field(init=False, repr=False)
    _places: asyncio.Semaphore = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        with _logging_in():
            self._login = Login(self.kubeconfig)
        self._places = asyncio.Semaphore(self.calls)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            connector=connector,
            # Not compressed: inside a cluster, the network is cheaper than the API server's CPU.
            headers={
                "User-Agent": self.user_agent,
                "Accept": _JSON,
                "Accept-Encoding": "identity",
            },
            read_bufsize=1 << 18,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Read one object; raises ApiError 404 if it does not exist."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: bytes) -> bytes:
        """Create an object; raises ApiError 409 AlreadyExists if the name is taken."""
        return await self._call("POST", path, body, query=self._manager())

    async def merge(self, path: str, body: bytes) -> bytes:
        """Merge-patch (RFC 7386). With `metadata.resourceVersion` it is a compare-and-swap."""
        return await self._call(
            "PATCH", path, body, query=self._manager(), content_type="application/merge-patch+json"
        )

    async def apply(self, path: str, body: bytes) -> bytes:
        """Server-side apply (KEP-555) as `field_manager`; takes over fields that others own."""
        return await self._call(
            "PATCH",
            path,
            body,
            query={**self._manager(), "force": "true"},
            content_type="application/apply-patch+yaml",
        )

    async def delete(self, path: str, body: bytes) -> None:
        """Delete an object; `body` is a DeleteOptions, which can have `preconditions`."""
        await self._call("DELETE", path, body)

    async def list(
        self,
        resource: Resource[T],
        path: str | None = None,
        selection: Mapping[str, str] | None = None,
    ) -> tuple[list[T], str]:
        """Return all objects at one moment after the call, and the resourceVersion to watch from.

        Without `path` it lists all of `resource`; `selection` holds selectors. The request names no
        resourceVersion, so the answer is consistent (KEP-2340). A resource with `of_name` is read
        in one call, all others in pages. If a continuation expires, the list starts again.
        An object that cannot be read (ValueError) fails the list, or is logged and left out
        (`leave_out`). Memory holds the values that were read, and one page or chunk of raw data.
        """
        path = path or resource.collection
        of_name = resource.of_name
        if of_name is not None:
            return await self._ask(
                "GET",
                path,
                lambda answer: parse_names(
                    answer.content.iter_any(), of_name, leave_out=resource.leave_out
                ),
                query=selection,
                accept=ACCEPT,
                within_s=LIST_TIMEOUT_S,
            )
        first = {**(selection or {}), "limit": str(min(resource.page, self.most))}
        while True:
            found: list[T] = []
            query = first
            try:
                while True:
                    raw = await self._call("GET", path, query=query, within_s=LIST_TIMEOUT_S)
                    page = await parse_page(raw, resource, found)
                    del raw  # much larger than the values read from it
                    if not page.more:
                        return found, page.version
                    query = {**first, "continue": page.more}
            except ApiError as error:
                if not error.is_expired or "continue" not in query:
                    raise

    async def watch(
        self, path: str, version: str, query: Mapping[str, str], opened: Callable[[], None]
    ) -> AsyncIterator[bytes]:
        """Yield the events since `version`, each as JSON, until the API server ends the watch.

        It calls `opened` when the API server has accepted the watch.
        """
        query = {
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
        }
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CALL_TIMEOUT_S, sock_read=WATCH_SILENCE_S
        )
        rest = b""
        try:
            async with self._session.get(
                self._login.url(path),
                params=query,
                headers=self._headers(),
                timeout=timeout,
                ssl=self._login.tls,
            ) as answer:
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    self._renew()  # for the next try
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise read_error(answer.status, await answer.read())
                opened()
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    if len(rest) > _LINE_LIMIT:
                        raise Unreachable(f"GET {path}: an event of the watch is too long")
                    for line in lines:
                        yield line
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                self._renew()  # for the next try
            raise Unreachable(f"GET {path} (watch): {text_of(error)}") from error

    async def _call(  # noqa: PLR0913 # see _ask
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        within_s: float = CALL_TIMEOUT_S,
    ) -> bytes:
        """Send a request, and return the whole body of the answer."""
        return await self._ask(
            method,
            path,
            aiohttp.ClientResponse.read,
            body,
            query,
            content_type=content_type,
            within_s=within_s,
        )

    async def _ask(  # noqa: PLR0913 # all parts of a request in one place
        self,
        method: str,
        path: str,
        read: Callable[[aiohttp.ClientResponse], Awaitable[R]],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        *,
        content_type: str = _JSON,
        accept: str = _JSON,
        within_s: float = CALL_TIMEOUT_S,
    ) -> R:
        """Send a request; repeat it after 429, for then the API server has not started it.

        `read` reads the answer if it is not an error.
        """
        try:
            async with self._places, asyncio.timeout(within_s):
                for attempt in itertools.count():
                    try:
                        async with self._session.request(
                            method,
                            self._login.url(path),
                            data=body,
                            params=query,
                            headers={
                                **self._headers(content_type if body is not None else None),
                                "Accept": accept,
                            },
                            ssl=self._login.tls,
                        ) as answer:
                            if answer.status < HTTPStatus.BAD_REQUEST:
                                return await read(answer)
                            raw = await answer.read()
                    except aiohttp.ClientConnectorCertificateError:
                        if attempt:
                            raise
                        self._renew()  # the CA of the cluster may be a new one
                        continue
                    if answer.status == HTTPStatus.UNAUTHORIZED and not attempt:
                        self._renew()  # the bound token may have been replaced
                    elif answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                        await asyncio.sleep(_wait_s(answer.headers.get("Retry-After", "")))
                    else:
                        raise read_error(answer.status, raw)
                raise AssertionError  # the loop above has no other end
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"{method} {path}: {text_of(error)}") from error

    def _manager(self) -> dict[str, str]:
        return {"fieldManager": self.field_manager} if self.field_manager else {}

    def _headers(self, content_type: str | None = None) -> dict[str, str]:
        headers = {"Content-Type": content_type} if content_type else {}
        with _logging_in():
            authorization = self._login.authorization()
        return {**headers, "Authorization": authorization} if authorization else headers

    def _renew(self) -> None:
        with _logging_in():
            self._login.renew()


@contextmanager
def _logging_in() -> Iterator[None]:
    try:
        yield
    except LoginFailed as error:
        raise Unreachable(str(error)) from error


def _wait_s(retry_after: str) -> float:
    """Read Retry-After (RFC 9110, 10.2.3). A date counts as 1 s: two clocks may disagree."""
    return float(retry_after) if retry_after.isdecimal() else 1.0
