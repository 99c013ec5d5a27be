"""An API server with scripted answers, for answers that a real one rarely gives."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from kube.protobuf import ACCEPT
from kube.tests.protobuf import named, names_list

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """Answers each request with the next of `script`; waits if there is none."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.script: deque[Answer] = deque()
        self.over = asyncio.Event()

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query of each request, without parameters that are always the same."""
        constant = {"watch", "allowWatchBookmarks", "timeoutSeconds", "limit"}
        return [
            {key: value for key, value in asked.query.items() if key not in constant}
            for asked in self.asked
        ]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.script:
            return await self.script.popleft()(request)
        await self.over.wait()
        return web.Response(status=503)


def says(status: int, body: object, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return answer


def refuses(status: int, reason: str, message: str = "", **headers: str) -> Answer:
    status_object = {"kind": "Status", "code": status, "reason": reason, "message": message}
    return says(status, status_object, **headers)


def page(*items: object, version: str = "1", more: str = "") -> Answer:
    """Answer with one page of a list; as protobuf, if the request accepts that."""
    as_json = {"metadata": {"resourceVersion": version, "continue": more}, "items": items}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Accept"] == ACCEPT:
            return web.Response(body=names_list(version, map(_named, items)))
        return web.json_response(as_json)

    return answer


def _named(item: object) -> bytes:
    metadata = item.get("metadata", {}) if isinstance(item, dict) else {}
    return named(metadata.get("name", ""), metadata.get("resourceVersion", ""))


def streams(*chunks: bytes, cut: bool = False) -> Answer:
    """Answer a watch with these chunks, then end it; `cut`: break the connection instead."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        for chunk in chunks:
            await stream.write(chunk)
        if cut and request.transport is not None:
            request.transport.abort()
        return stream

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def serving(server: ApiServer, folder: Path) -> AsyncIterator[str]:
    """Serve on loopback; gives the path of a kubeconfig for it."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app, host="127.0.0.1") as listening:
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(kubeconfig_of({"server": str(listening.make_url("")).rstrip("/")}))
        )
        yield str(path)
        server.over.set()


def kubeconfig_of(cluster: dict[str, str]) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t-1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
