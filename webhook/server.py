"""The HTTPS server: limits bodies, reads reviews and writes verdicts. It decides nothing."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from webhook import review as wire
from webhook.review import BadReview

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from kube.listen import Address
    from webhook.handler import Handlers

_log = logging.getLogger(__name__)

# A review holds object and oldObject: the API server takes requests of up to 3 MiB (--max-request-
# body), so both with their escapes stay under 8 MiB.
MOST_BYTES = 8 << 20
# The API server waits at most 10 s for the answer to an admission request.
_SHUTDOWN_S = 10.0


def application(
    handlers: Handlers,
    not_ready_because: Callable[[], Sequence[str]],
    is_stopping: Callable[[], bool] = lambda: False,
) -> web.Application:
    """Build the server; /readyz answers with `not_ready_because`.

    While it `is_stopping`, it still serves, but it is not ready and closes each connection after an
    answer, so that the client's next request goes to another replica.
    """

    async def mutate(request: web.Request) -> web.Response:
        try:
            review = wire.read(await request.read())
        except BadReview as error:
            _log.warning("%s from %s: %s", request.path, request.remote, error)
            return web.Response(status=HTTPStatus.BAD_REQUEST, text=str(error))
        verdict = await handlers.mutate(review)
        answer = web.Response(body=wire.write(review.uid, verdict), content_type="application/json")
        if is_stopping():
            answer.force_close()
        return answer

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        missing = ["stopping"] if is_stopping() else not_ready_because()
        if missing:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="\n".join(missing))
        return web.Response(text="ok")

    app = web.Application(client_max_size=MOST_BYTES)
    app.add_routes(
        [
            web.post("/mutate-pods", mutate),
            web.post("/mutate-virtualmachines", mutate),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    return app


async def serve(
    app: web.Application, addresses: Sequence[Address], tls: ssl.SSLContext
) -> web.AppRunner:
    """Listen on all `addresses`; several processes may share one (SO_REUSEPORT)."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S, handle_signals=False)
    await runner.setup()
    for host, port in addresses:
        await web.TCPSite(runner, host, port, ssl_context=tls, reuse_port=True).start()
    return runner
