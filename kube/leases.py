"""One controller is active: the one that holds the Lease.

Two active controllers would break no rule of the protocol; they would only double the calls. The
election is that of the `kubernetes` package. Version 37.0.2 has defects, which are corrected here:
it cannot create the Lease, does not hand it back when it stops, ends on a lost connection, waits up
to five minutes for one call, goes on renewing when the work has failed, and measures its deadline
on a clock that can be set.
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

LEASE = "kubemacpool-controller"

# The values of Kubernetes' own controllers. A standby takes over a Lease that was not renewed for
# LEASE_S. The leader stops RENEW_S after the start of the last successful renewal, so its work has
# LEASE_S - RENEW_S = 5 s to end before another replica begins. With RETRY_S, four renewals can
# fail, and a standby sees within 2 s that the Lease was handed back.
LEASE_S = 15
RENEW_S = 10
RETRY_S = 2
# The longest call. It is short, so a second try fits before RENEW_S.
_CALL_S = 4.0

_log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another replica leads, or may lead soon. The work has ended."""


def identity(environ: Mapping[str, str]) -> str:
    """Return the name of the pod; outside a pod, a name that is unique to the process."""
    return environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


async def lead(
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    namespace: str,
    identity: str,
    kubeconfig: str | None = None,
) -> None:
    """Wait until this replica leads, then run `work` once, and only while it holds the Lease.

    Returns or raises as `work` does. When the Lease is lost, it cancels `work` and raises
    LeaseLost. Cancel it to stop. In each case, a Lease that is still held is handed back.
    """
    configuration = Configuration()
    if in_pod(kubeconfig):
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        where = {"config_file": kubeconfig} if kubeconfig else {}
        await config.load_config(client_configuration=configuration, **where)  # type: ignore[no-untyped-call]
    async with ApiClient(configuration) as client:
        lock = _Lock(LEASE, namespace, identity, client)
        leader = ""
        election = LeaderElection(Config(lock, LEASE_S, RENEW_S, RETRY_S, work, work))
        try:
            while not await election.try_acquire_or_renew():
                if not leader and (leader := lock.holder or ""):
                    _log.info("%s waits: %s leads", identity, leader)
                await asyncio.sleep(RETRY_S)
            _log.info("%s leads", identity)
            await _while_kept(election, lock, work)
        finally:
            await lock.hand_back()


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
    """Renew. Return if no renewal succeeds for RENEW_S, or if another replica has the Lease."""
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
    """The package's lock. Each call has a time limit, and each error is a failed try.

    `renewed_at` (loop time) is the start of the last renewal that succeeded, `holder` the identity
    in the Lease when it was last read.
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
            return False, ApiException(status=0, reason=_said(error))
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
        """Create it. The package's own method passes an argument that the package refuses."""
        lease = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(record))
        try:
            await self.api_instance.create_namespaced_lease(namespace, lease)
        except ApiException as error:
            _log.warning("the Lease %s: %s", name, _said(error))
            return False
        return True

    async def _renew(self, call: Awaitable[bool]) -> bool:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_CALL_S):
                done = await call
        except (aiohttp.ClientError, OSError) as error:
            _log.warning("the Lease %s: %s", self.name, _said(error))
            return False
        if done:
            self.renewed_at = began
        return done

    async def hand_back(self) -> None:
        """Clear the holder of the Lease, if it is this replica: a standby then leads at once."""
        try:
            async with asyncio.timeout(_CALL_S):
                lease = await self.api_instance.read_namespaced_lease(self.name, self.namespace)
                if lease.spec is None or lease.spec.holder_identity != self.identity:
                    return
                lease.spec.holder_identity = None
                # With its resourceVersion: the Lease of another replica is not changed.
                await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except (ApiException, aiohttp.ClientError, OSError) as error:
            _log.warning("the Lease %s is not handed back: %s", self.name, _said(error))
        else:
            _log.info("%s has handed the Lease back", self.identity)


def _said(error: Exception) -> str:
    """Return one line. The text of an ApiException holds headers and body, too."""
    said = error.reason if isinstance(error, ApiException) else str(error)
    return said or type(error).__name__
