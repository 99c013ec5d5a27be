"""A webhook that does nothing, on our server stack: `python -m bench.noop HOST PORT CRT KEY`.

Same parser, answer writer, TLS and HTTP server as ours; it allows everything and changes nothing.
With a fifth argument, `constant`, it writes in addresses that nobody can own: what any patch costs.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop

from crds.mac import MacAddress
from kube.tls import TlsOptions
from webhook import pods
from webhook.admission import Allowed, Denied, PodReview, Review
from webhook.certificate import Pair, Serving
from webhook.server import application, serve
from webhook.virtualmachines import plan as machine_plan

if TYPE_CHECKING:
    from webhook.handler import Handlers


# Group addresses: the controller takes no notice of who carries one.
_FIRST = 0x07_00_00_00_00_00


class Indifferent:
    """Handlers that let everything pass."""

    async def mutate(self, _: Review) -> Allowed | Denied:
        """Allow it as it is."""
        return Allowed()


class Constant:
    """Handlers that write in what ours would, but for the claim: always the same addresses."""

    async def mutate(self, review: Review) -> Allowed | Denied:
        """Patch it, and ask nobody."""
        of_kind = pods.plan(review) if isinstance(review, PodReview) else machine_plan(review)
        if isinstance(of_kind, Denied):
            return of_kind
        return of_kind.write_macs([MacAddress(_FIRST + n) for n in range(len(of_kind.wants))])


async def run(host: str, port: int, pair: Pair, handlers: Indifferent | Constant) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = Serving(TlsOptions())
    serving.put(pair)
    # The server calls nothing of its handlers but `mutate`.
    app = application(cast("Handlers", handlers), list)
    runner = await serve(app, [(host, port)], serving.tls)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    certificate, key = (Path(file).read_bytes() for file in sys.argv[3:5])
    serves = Constant() if sys.argv[5:] == ["constant"] else Indifferent()
    uvloop.run(run(sys.argv[1], int(sys.argv[2]), Pair(certificate, key), serves))
