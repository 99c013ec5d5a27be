"""Wires the controller: `python -m controller --help`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import uvloop

from controller import handlers, scraping
from controller.adoption import Adoption
from controller.announcing import Announcer
from controller.certify import Certifier
from controller.handlers import Subject
from controller.health import Health
from controller.intervals import BadInterval, Intervals
from controller.issuing import issue_for_metrics
from controller.leadership import LeaseLost, identity, lead
from controller.loops import Marks, Subjects
from controller.metrics import Metrics
from controller.namespaces import MUTATORS, NAMESPACES, ONLY_OURS, Namespaces
from controller.policing import Collisions
from controller.poolkeeper import PoolKeeper
from controller.readers import Readers
from controller.repair import REPAIR_EVERY_S, repair
from controller.settling import Reconciler
from controller.urgency import can_wait
from controller.views import AllocationView, CarrierView
from crds import tls
from crds.allocation import QUIET_S
from crds.client import Api
from crds.listen import address
from crds.objects import ApiObjects
from crds.resources import ALLOCATIONS, KINDS
from crds.store import ApiAllocations
from crds.watch import Follower

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from crds.listen import Address
    from crds.mac import MacAddress
    from crds.tls import TlsOptions

_log = logging.getLogger("controller")
# The certificates are looked at so often even if nothing is due: should the wall clock jump.
_CERTIFICATES_EVERY_S = 60.0
# How old the numbers in MacPool's status may be.
_STATUS_EVERY_S = 5.0
_OWN, _EXTERNAL = "own", "external"
_STATUS = "status"
_COLLISIONS = "collisions"
# Calls at once: binding does not crowd out the creates that pods wait for.
# Measured on two cores, 8 clients, 4 interfaces: with 64 a pod takes 1.5 to 1.8 times as long.
_CALLS = 6


class SystemClock:
    """The clocks of this machine."""

    def monotonic_s(self) -> float:
        """See settling.Clock."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> str:
        """See settling.Clock."""
        return _now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> datetime:
    return datetime.now(UTC)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, or until the Lease is lost."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        intervals = Intervals.read(os.environ)
    except BadInterval as bad:
        sys.exit(f"controller: {bad}")
    return uvloop.run(_run(_arguments(argv), intervals))


async def _run(arguments: argparse.Namespace, intervals: Intervals) -> int:
    health, metrics = Health(), Metrics(_now)
    async with contextlib.AsyncExitStack() as served:
        runner = await health.serve(*arguments.listen_addr)
        served.push_async_callback(runner.cleanup)
        if arguments.metrics_addr is not None:
            await _serve_metrics(arguments.metrics_addr, tls.options(arguments), metrics, served)
        leading = asyncio.ensure_future(
            lead(
                lambda: _work(arguments, intervals, health, metrics),
                namespace=arguments.namespace,
                identity=identity(os.environ),
            )
        )
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(
                signum, lambda: leading.cancelling() or leading.cancel()
            )
        try:
            await leading
        except LeaseLost as lost:
            _log.error("ending, to begin anew as a standby: %s", lost)  # no surprise
            return 1
        except asyncio.CancelledError:
            _log.info("stopped")
    return 0


async def _serve_metrics(
    where: Address, options: TlsOptions, metrics: Metrics, served: contextlib.AsyncExitStack
) -> None:
    """Let leader and standby alike be scraped; whoever asks is asked about one after the other."""
    api = await served.enter_async_context(Api("kubemacpool-controller", calls=1))
    readers = Readers(api, time.monotonic)
    pair, context = issue_for_metrics(_now()), options.context()
    tls.load(context, pair.certificate, pair.key)
    runner = await scraping.serve(where, context, metrics.text, readers.refusal)
    served.push_async_callback(runner.cleanup)


async def _work(
    arguments: argparse.Namespace, intervals: Intervals, health: Health, metrics: Metrics
) -> None:
    """All that the active replica does."""
    clock, marks, subjects = SystemClock(), Marks(), Subjects()
    health.lacks = "addresses already in use are not adopted yet"
    known = AllocationView(clock.monotonic_s, marks.mark)
    namespaces = Namespaces(lambda: subjects.mark(_COLLISIONS))

    def look_at(mac: MacAddress) -> None:
        if can_wait(mac, known, carriers, namespaces.is_managed):
            marks.mark_calmly(mac)
        else:
            marks.mark(mac)

    carriers = CarrierView(look_at)
    async with (
        Api("kubemacpool-controller", calls=_CALLS) as api,
        Api("kubemacpool-controller", calls=1) as aside,  # events keep nobody else waiting
        asyncio.TaskGroup() as tasks,
    ):
        allocations, objects = ApiAllocations(api), ApiObjects(api)
        adoption = Adoption(known, carriers, lambda: subjects.mark(_STATUS))
        keeper = PoolKeeper(api, arguments.namespace, known, clock, lambda: adoption.verdict)
        certifier = Certifier(api, arguments.namespace, intervals, _now, clock.monotonic_s)
        certifies = arguments.certificates == _OWN
        reconciler = Reconciler(
            allocations,
            objects,
            known,
            carriers,
            keeper.in_force,
            clock,
            marks.mark_later,
            arguments.quiet_s,
        )

        announcer = Announcer(lambda event: aside.post(event.path, event.body(clock.now())))
        collisions = Collisions(known, namespaces.is_managed, announcer.say)

        metrics.lead(lambda: collisions.counts, lambda: keeper.seen, lambda: certifier.ends)

        async def settle(mac: MacAddress) -> None:
            collisions.look(mac)  # first: it is so whether or not the rest succeeds
            await reconciler.reconcile(mac)
            adoption.looked_at(mac)

        async def mend() -> None:
            await repair(allocations, objects, known, carriers, marks.mark)

        async def keep_mending() -> None:
            await asyncio.sleep(REPAIR_EVERY_S)  # the lists of the start are a repair of their own
            await subjects.keep("repair", mend, REPAIR_EVERY_S)

        kept: list[tuple[str, Callable[[], Awaitable[float | None]], float]] = [
            (Subject.POOL, keeper.configure, REPAIR_EVERY_S),
            (_STATUS, keeper.report, _STATUS_EVERY_S),
            (_COLLISIONS, collisions.look_again, REPAIR_EVERY_S),
        ]
        if certifies:
            kept.append((Subject.CERTIFICATES, certifier.settle, _CERTIFICATES_EVERY_S))
        for subject, look, every_s in kept:
            tasks.create_task(subjects.keep(subject, look, every_s))
        followed = tuple(Subject) if certifies else (Subject.POOL,)
        tasks.create_task(
            handlers.follow(subjects.mark, namespace=arguments.namespace, subjects=followed)
        )
        tasks.create_task(announcer.run())
        tasks.create_task(Follower(api, NAMESPACES, namespaces).run())
        tasks.create_task(Follower(api, MUTATORS, namespaces.webhooks, query=ONLY_OURS).run())
        # Allocations before objects: what a list of objects lacks is then no news. And VMs before
        # VMIs before pods: whoever made an object is known then.
        followers: list[Follower[Any]] = [Follower(api, ALLOCATIONS, known)]
        followers += [Follower(api, KINDS[kind], carriers.of_kind(kind)) for kind in KINDS]
        for follower in followers:
            tasks.create_task(follower.run())
            await follower.synced.wait()
        adoption.begin()
        _log.info("adopting %d addresses found in use", adoption.missing)
        tasks.create_task(marks.run(settle))
        tasks.create_task(keep_mending())
        await marks.until(lambda: adoption.missing == 0)
        _log.info("every address in use has an allocation")
        health.lacks = ""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="controller", description=__doc__)
    parser.add_argument(
        "--listen-addr",
        type=_address,
        default=("0.0.0.0", 8080),
        metavar="HOST:PORT",
        help="where to serve /healthz and /readyz (default :8080)",
    )
    parser.add_argument(
        "--metrics-addr",
        type=lambda text: None if text == "0" else address(text),
        default=(None, 8443),
        metavar="HOST:PORT",
        help="where to serve /metrics: also [IPv6]:PORT, or :PORT for all addresses; 0: nowhere"
        " (default :8443)",
    )
    tls.add_flags(parser)
    parser.add_argument("--namespace", default="kubemacpool-system")
    parser.add_argument(
        "--certificates",
        choices=(_OWN, _EXTERNAL),
        default=_OWN,
        help="own: issue and renew those of the webhook, and write its caBundle; external: leave"
        " that to somebody else, such as cert-manager (default %(default)s)",
    )
    parser.add_argument(
        "--quiet-s",
        type=float,
        default=QUIET_S,
        help="Q of the protocol, in seconds; shorter only in tests (default %(default)g)",
    )
    return parser.parse_args(argv)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "0.0.0.0", int(port)


if __name__ == "__main__":
    sys.exit(main())
