"""The controller's /healthz and /readyz, for leader and standby alike."""

from __future__ import annotations

from aiohttp import web


class Health:
    """`lacks` says what is missing before this replica has done its first duty; empty: nothing.

    A standby lacks nothing: it is ready to take over.
    """

    def __init__(self) -> None:
        self.lacks = ""

    async def serve(self, host: str, port: int) -> web.AppRunner:
        """Listen, in plain HTTP: it tells nobody anything."""

        async def healthz(_: web.Request) -> web.Response:
            return web.Response(text="ok")

        async def readyz(_: web.Request) -> web.Response:
            return web.Response(status=503 if self.lacks else 200, text=self.lacks or "ok")

        app = web.Application()
        app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        return runner
