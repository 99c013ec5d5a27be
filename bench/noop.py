"""A webhook that does nothing, on our server stack: `python -m bench.noop HOST PORT CRT KEY`.

Same parser, answer writer, TLS and HTTP server as ours; it allows everything and changes nothing.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop

from crds.tls import TlsOptions
from webhook.admission import Allowed, Denied, Review
from webhook.certificate import Pair, Serving
from webhook.server import application, serve

if TYPE_CHECKING:
    from webhook.handlers import Handlers


class Indifferent:
    """Handlers that let everything pass."""

    async def mutate(self, _: Review) -> Allowed | Denied:
        """Allow it as it is."""
        return Allowed()


async def run(host: str, port: int, pair: Pair) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = Serving(TlsOptions())
    serving.put(pair)
    # The server calls nothing of its handlers but `mutate`.
    app = application(cast("Handlers", Indifferent()), list)
    runner = await serve(app, [(host, port)], serving.tls)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    certificate, key = (Path(file).read_bytes() for file in sys.argv[3:5])
    uvloop.run(run(sys.argv[1], int(sys.argv[2]), Pair(certificate, key)))
