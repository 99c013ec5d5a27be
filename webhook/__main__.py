"""Wires the webhook: `python -m webhook --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import signal
import time
from typing import TYPE_CHECKING

import uvloop

from crds import names
from crds.allocation import QUIET_S
from crds.objects import ApiObjects
from crds.resources import ALLOCATED, POOLS
from crds.store import ApiAllocations
from kube import tls
from kube.client import Api
from kube.clock import SystemClock
from kube.listen import address, start_log
from kube.watch import Follower
from webhook.certificate import SECRETS, Serving
from webhook.pools import WatchedPools
from webhook.replica import Surroundings, build
from webhook.server import application, serve
from webhook.stock.entries import Instant
from webhook.stock.filling import MOST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_log = logging.getLogger("webhook")
# A pod that is being deleted gets SIGTERM and leaves the Service's endpoints at the same time. Each
# kube-proxy follows within a few seconds; until then requests arrive. Then requests in progress get
# 10 s. Both fit into the Deployment's terminationGracePeriodSeconds of 40.
DRAIN_S = 10.0
_NOT_LISTED = "the allocations are not listed yet, or their CRD is not installed"


def main() -> None:
    """Run until SIGTERM."""
    start_log()
    uvloop.run(_until_signalled(read_arguments()))


async def _until_signalled(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await run(arguments, Api(names.WEBHOOK, field_manager=names.FIELD_MANAGER), stop)


async def run(
    arguments: argparse.Namespace,
    server: Api,
    stop: asyncio.Event,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Serve until `stop` is set, and then for `drain_s` longer."""
    async with server as api, asyncio.TaskGroup() as tasks:
        allocations, pools = ApiAllocations(api), WatchedPools()
        boottime_s = SystemClock().monotonic_s

        def not_ready_because() -> list[str]:
            missing = [] if followed.synced.is_set() else [_NOT_LISTED]
            missing += [] if serving.is_ready else ["there is no serving certificate yet"]
            return missing + pools.not_ready_because()

        around = Surroundings(
            allocations=allocations,
            objects=ApiObjects(api),
            names=allocations.names,
            connection=lambda: followed.connection,
            pools=pools.in_force,
            policy=pools.policy,
            boottime_s=boottime_s,
            instant=lambda: Instant(boottime_s(), time.time()),
            draw=random.SystemRandom().randrange,
            not_ready_because=not_ready_because,
        )
        replica = build(around, quiet_s=arguments.quiet_s, most=arguments.stock)
        followed = Follower(api, ALLOCATED, replica.names)
        serving = Serving(tls.options(arguments))
        secret = Follower(
            api,
            SECRETS,
            serving,
            f"/api/v1/namespaces/{arguments.namespace}/secrets",
            {"fieldSelector": f"metadata.name={names.SERVING_SECRET}"},
        )
        followers = (followed, Follower(api, POOLS, pools), secret)
        running = [tasks.create_task(part.run()) for part in (*followers, replica.stock)]
        app = application(replica.handlers, not_ready_because, stop.is_set)
        runner = await serve(app, arguments.listen_addr, serving.tls)
        for host, port in arguments.listen_addr:
            _log.info("listening on %s:%d", host or "", port)
        await stop.wait()
        _log.info("stopping: serving for %g s more, until no client connects", arguments.drain_s)
        closing = tasks.create_task(replica.stock.close())
        await pause(arguments.drain_s)
        _log.info("stopping: finishing the requests under way")
        await runner.cleanup()
        await closing
        for task in running:
            task.cancel()


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"invalid number of addresses {text!r}: expected a number such as {MOST}, or 0"
        )
    return int(text)


def read_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the flags. An invalid flag ends the process."""
    parser = argparse.ArgumentParser(prog="webhook", description=__doc__)
    parser.add_argument(
        "--listen-addr",
        type=address,
        action="append",
        metavar="HOST:PORT",
        help="where to serve admission, /healthz and /readyz: also [IPv6]:PORT, or :PORT for all"
        " addresses; may be repeated (default :8000)",
    )
    parser.add_argument("--namespace", default=names.NAMESPACE, help="where the Secret is")
    tls.add_flags(parser)
    parser.add_argument(
        "--stock",
        type=_count,
        default=MOST,
        metavar="N",
        help="maximum number of addresses that this replica creates in advance, as demand requires;"
        " 0: none, each is created inside the request (default %(default)d)",
    )
    parser.add_argument(
        "--quiet-s",
        type=float,
        default=QUIET_S,
        help="Q of the protocol, in seconds; shorter only in tests (default %(default)g)",
    )
    parser.add_argument(
        "--drain-s",
        type=float,
        default=DRAIN_S,
        help="how long to serve on after SIGTERM; shorter only in tests (default %(default)g)",
    )
    arguments = parser.parse_args(argv)
    arguments.listen_addr = arguments.listen_addr or [(None, 8000)]
    return arguments


if __name__ == "__main__":
    main()
