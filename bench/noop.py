"""A webhook that does nothing, on our server stack: `python -m bench.noop HOST PORT CRT KEY`.

It has the parser, TLS and HTTP server of our webhook, but it allows every request without a change.
With a fifth argument, `constant`, it writes addresses that no object can own: the cost of a patch.
"""

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
from webhook.virtualmachines import plan as vm_plan

if TYPE_CHECKING:
    from webhook.handler import Handlers

# Group addresses: the controller ignores objects that carry one.
_FIRST = 0x07_00_00_00_00_00


class AllowAll:
    """Handlers that allow every request."""

    async def mutate(self, _: Review) -> Allowed | Denied:
        """Allow it without a change."""
        return Allowed()


class Constant:
    """Handlers that write the same addresses into every object, and claim none."""

    async def mutate(self, review: Review) -> Allowed | Denied:
        """Patch it, without a call to the API server."""
        of_kind = pods.plan(review) if isinstance(review, PodReview) else vm_plan(review)
        if isinstance(of_kind, Denied):
            return of_kind
        return of_kind.write_macs([MacAddress(_FIRST + n) for n in range(len(of_kind.wants))])


async def run(host: str, port: int, pair: Pair, handlers: AllowAll | Constant) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = Serving(TlsOptions())
    serving.put(pair)
    # The server calls only `mutate` of its handlers.
    app = application(cast("Handlers", handlers), list)
    runner = await serve(app, [(host, port)], serving.tls)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    certificate, key = (Path(file).read_bytes() for file in sys.argv[3:5])
    serves = Constant() if sys.argv[5:] == ["constant"] else AllowAll()
    uvloop.run(run(sys.argv[1], int(sys.argv[2]), Pair(certificate, key), serves))
