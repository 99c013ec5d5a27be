"""The controller's /healthz and /readyz, for leader and standby alike."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from kube.listen import Address


class Health:
    """`not_ready_because` is the reason that /readyz gives; empty: this replica is ready.

    A standby is ready: it can take over.
    """

    def __init__(self) -> None:
        self.not_ready_because = ""

    async def serve(self, address: Address) -> web.AppRunner:
        """Listen, in plain HTTP: the answers hold no secret."""

        async def healthz(_: web.Request) -> web.Response:
            return web.Response(text="ok")

        async def readyz(_: web.Request) -> web.Response:
            reason = self.not_ready_because
            status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
            return web.Response(status=status, text=reason or "ok")

        app = web.Application()
        app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        await web.TCPSite(runner, *address).start()
        return runner
