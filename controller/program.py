"""One run of the controller: its servers, its Lease, and the work while it leads.

kopf starts and stops it: see watched.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

from controller.certificates.issuing import issue_for_metrics
from controller.health import Health
from controller.leading import CALLS, Leading
from controller.metrics import endpoint
from controller.metrics.families import Metrics
from crds import names
from kube import tls
from kube.authorization import MetricsAuthorizer
from kube.client import Api
from kube.clock import SystemClock
from kube.leases import lead
from kube.login import Login, LoginFailed

if TYPE_CHECKING:
    from controller.options import Options
    from kube.listen import Address


class CannotStart(Exception):
    """The program cannot log in, or cannot listen on an address; the message says why."""


class Program:
    """One run: `serve`, `start`, wait for `ended`, `stop`.

    `failure` is why it ended; None: it was stopped. `signalled` is set by SIGTERM and SIGINT.
    `kubeconfig` None: the file in KUBECONFIG, ~/.kube/config, or the pod's service account.
    """

    def __init__(self, options: Options, identity: str, kubeconfig: str | None = None) -> None:
        self.options = options
        self.kubeconfig = kubeconfig
        self.ended = asyncio.Event()
        self.signalled = asyncio.Event()
        self.failure: BaseException | None = None
        self._identity = identity
        self._health = Health()
        self._metrics = Metrics(SystemClock().utc)
        self._servers = contextlib.AsyncExitStack()
        self._election: asyncio.Task[None] | None = None
        self._leads: asyncio.Future[Leading] = asyncio.get_running_loop().create_future()

    @property
    def leading(self) -> Leading:
        """The work of this replica as the leader; only after `start` has returned."""
        return self._leads.result()

    def catch_signals(self) -> None:
        """Let SIGTERM and SIGINT end this run. Replaces the handlers of kopf."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, self._end)

    async def serve(self) -> None:
        """Serve health and metrics. Raises CannotStart."""
        try:
            Login(self.kubeconfig)  # all clients log in later: this error is one line
            runner = await self._health.serve(self.options.listen_addr)
            self._servers.push_async_callback(runner.cleanup)
            if self.options.metrics_addr is not None:
                await self._serve_metrics(self.options.metrics_addr)
        except (LoginFailed, OSError) as error:
            raise CannotStart(str(error)) from error

    async def start(self) -> None:
        """Return when this replica leads.

        Raises what the election or the work raises; nothing is left running then.
        """
        self._election = asyncio.create_task(
            lead(
                self._lead,
                lease=names.LEASE,
                namespace=self.options.namespace,
                identity=self._identity,
                kubeconfig=self.kubeconfig,
            )
        )
        self._election.add_done_callback(lambda _: self.ended.set())
        either: set[asyncio.Future[Any]] = {self._election, self._leads}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.stop()
            raise
        if not self._leads.done():
            await self.stop()
            raise self.failure or AssertionError("the election ended without a leader")
        self.catch_signals()  # kopf ignores a signal while it ends early

    async def stop(self) -> None:
        """End the work, release the Lease, close the servers. A second call does nothing."""
        election, self._election = self._election, None
        if election is not None:
            election.cancel()
            (outcome,) = await asyncio.gather(election, return_exceptions=True)
            if not isinstance(outcome, asyncio.CancelledError):
                self.failure = outcome
        await self._servers.aclose()
        self.ended.set()  # kopf waits for it, or for 5 s

    def _new_api(self, calls: int) -> Api:
        return Api(
            names.CONTROLLER, self.kubeconfig, calls=calls, field_manager=names.FIELD_MANAGER
        )

    async def _lead(self) -> None:
        self._health.not_ready_because = "addresses already in use are not adopted yet"
        async with self._new_api(CALLS) as api, self._new_api(1) as events_api:
            leading = Leading(self.options, api, events_api)
            leading.show(self._metrics)
            self._leads.set_result(leading)
            await leading.run(self._health)

    def _end(self) -> None:
        self.signalled.set()
        self.ended.set()

    async def _serve_metrics(self, where: Address) -> None:
        """Leaders and standbys are scraped. `calls` is 1: one client is checked at a time."""
        api = await self._servers.enter_async_context(self._new_api(1))
        clock = SystemClock()
        authorizer = MetricsAuthorizer(api, clock.monotonic_s)
        pair, context = issue_for_metrics(clock.utc()), self.options.tls.context()
        tls.load(context, pair.certificate, pair.key)
        runner = await endpoint.serve(where, context, self._metrics.text, authorizer.check)
        self._servers.push_async_callback(runner.cleanup)
