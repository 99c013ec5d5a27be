"""Leader election: the replica that holds the Lease is active.

The protocol is safe with two active replicas; the Lease saves API calls. The election is that of
the `kubernetes` package. This module adds what version 37.0.2 does not do: it creates the Lease,
releases it at the end, survives a lost connection, bounds each call (the package waits up to five
minutes), stops renewing when the work has ended, and measures the deadline on a monotonic clock.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, ApiException, Configuration, V1Lease, V1ObjectMeta
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from kube.login import in_pod

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

# The values of Kubernetes' own controllers. A standby takes over a Lease that was not renewed for
# LEASE_S. The leader stops RENEW_S after the start of its last successful renewal. So its work has
# LEASE_S - RENEW_S = 5 s to end before another replica starts. RETRY_S allows four failed renewals,
# and is the time in which a standby sees a released Lease.
LEASE_S = 15
RENEW_S = 10
RETRY_S = 2
# The timeout of one call: a second try fits before RENEW_S.
_CALL_S = 4.0

_log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another replica leads, or may lead soon. The work has ended."""


def identity(environ: Mapping[str, str]) -> str:
    """Return the name of the pod; outside a pod, the host and the process ID."""
    return environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


async def lead(
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    lease: str,
    namespace: str,
    identity: str,
    kubeconfig: str | None = None,
) -> None:
    """Wait until this replica leads, then run `work` once, and never without the Lease.

    Returns or raises as `work` does. If the Lease is lost, it cancels `work` and raises LeaseLost.
    Cancel it to stop. In every case, a Lease that is still held is released.
    """
    configuration = Configuration()
    if in_pod(kubeconfig):
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        where = {"config_file": kubeconfig} if kubeconfig else {}
        await config.load_config(client_configuration=configuration, **where)  # type: ignore[no-untyped-call]
    async with ApiClient(configuration) as client:
        lock = _Lock(lease, namespace, identity, client)
        standby_of = ""
        election = LeaderElection(Config(lock, LEASE_S, RENEW_S, RETRY_S, work, work))
        try:
            while not await election.try_acquire_or_renew():
                if not standby_of and (standby_of := lock.holder or ""):
                    _log.info("%s is on standby: %s leads", identity, standby_of)
                await asyncio.sleep(RETRY_S)
            _log.info("%s leads", identity)
            await _while_kept(election, lock, work)
        finally:
            await lock.release()


async def _while_kept(
    election: LeaderElection, lock: _Lock, work: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    working = asyncio.create_task(work())
    keeping = asyncio.create_task(_keep(election, lock))
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
    finally:
        working.cancel()
        keeping.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)
    if not ended:
        keeping.result()  # an error of the election itself
        raise LeaseLost(f"{lock.identity} no longer holds the Lease {lock.name}")
    working.result()


async def _keep(election: LeaderElection, lock: _Lock) -> None:
    """Renew; return if no renewal succeeded for RENEW_S, or if another replica has the Lease."""
    try:
        while True:
            async with asyncio.timeout_at(lock.renewed_at + RENEW_S):
                await asyncio.sleep(RETRY_S)
                while not await election.try_acquire_or_renew():
                    if lock.holder not in {lock.identity, None}:
                        return
                    await asyncio.sleep(RETRY_S)
    except TimeoutError:
        return


class _Lock(LeaseLock):
    """The package's lock, with a timeout for each call; a failure is a failed try.

    `renewed_at` (loop time): the start of the last successful renewal. `holder`: the holder of the
    Lease when it was last read.
    """

    renewed_at = 0.0
    holder: str | None = None

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        self.holder = None
        try:
            async with asyncio.timeout(_CALL_S):
                answer = await super().get(name, namespace)
        except (aiohttp.ClientError, OSError) as error:
            return False, ApiException(status=0, reason=_text_of(error))
        if isinstance(answer[1], LeaderElectionRecord):
            self.holder = answer[1].holder_identity
        return answer

    async def create(
        self, name: str, namespace: str, election_record: LeaderElectionRecord
    ) -> bool:
        return await self._renew(self._create(name, namespace, election_record))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        return await self._renew(super().update(name, namespace, updated_record))

    async def _create(self, name: str, namespace: str, record: LeaderElectionRecord) -> bool:
        """Create the Lease: the create of the package fails its own argument check (`pretty`)."""
        lease = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(record))
        try:
            await self.api_instance.create_namespaced_lease(namespace, lease)
        except ApiException as error:
            _log.warning("the Lease %s: %s", name, _text_of(error))
            return False
        return True

    async def _renew(self, call: Awaitable[bool]) -> bool:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_CALL_S):
                done = await call
        except (aiohttp.ClientError, OSError) as error:
            _log.warning("the Lease %s: %s", self.name, _text_of(error))
            return False
        if done:
            self.renewed_at = began
        return done

    async def release(self) -> None:
        """Clear the holder, if it is this replica, so that a standby takes over without waiting."""
        try:
            async with asyncio.timeout(_CALL_S):
                lease = await self.api_instance.read_namespaced_lease(self.name, self.namespace)
                if lease.spec is None or lease.spec.holder_identity != self.identity:
                    return
                lease.spec.holder_identity = None
                # It has a resourceVersion, so a Lease that another replica took is not changed.
                await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except (ApiException, aiohttp.ClientError, OSError) as error:
            _log.warning("the Lease %s is not released: %s", self.name, _text_of(error))
        else:
            _log.info("%s has released the Lease", self.identity)


def _text_of(error: Exception) -> str:
    """Return one line: the text of an ApiException has headers and a body."""
    text = error.reason if isinstance(error, ApiException) else str(error)
    return text or type(error).__name__
