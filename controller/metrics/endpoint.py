"""Serves /metrics over HTTPS, to clients that may read them.

The certificate is made at the start, for this process alone, as controller-runtime does: a client
that scrapes pods by their addresses has no name to check. The bearer token is the access control.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from controller.metrics.families import CONTENT_TYPE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from kube.authorization import Refusal
    from kube.listen import Address


async def serve(
    address: Address,
    tls: ssl.SSLContext,
    text: Callable[[], bytes],
    check: Callable[[str], Awaitable[Refusal | None]],
) -> web.AppRunner:
    """Listen on `address`; `check` decides about the Authorization header."""

    async def metrics(request: web.Request) -> web.Response:
        refused = await check(request.headers.get("Authorization", ""))
        if refused is not None:
            is_unknown = refused.status == HTTPStatus.UNAUTHORIZED
            challenge = {"WWW-Authenticate": "Bearer"} if is_unknown else {}  # RFC 9110, 11.6.1
            return web.Response(status=refused.status, text=refused.why, headers=challenge)
        return web.Response(body=text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, *address, ssl_context=tls).start()
    return runner
