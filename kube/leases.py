"""One controller is active: whoever holds the Lease.

The rules of the protocol hold with two controllers at once; the Lease saves their calls. It is the
`kubernetes` package's election, and what its 37.0.2 lacks is here: it cannot create the Lease,
hands nothing back when it stops, dies of a lost connection, waits up to five minutes for one call,
goes on renewing when the work has died, and measures its deadline on a clock that can be set.
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

# Those of Kubernetes' own controllers. A standby takes over a Lease that nobody has renewed for
# LEASE_S. The leader stops RENEW_S after the last renewal that it began and that succeeded, so its
# work has LEASE_S - RENEW_S = 5 s to end before anybody else begins. RETRY_S lets four renewals
# fail, and is how long a standby takes to see a Lease that was handed back.
LEASE_S = 15
RENEW_S = 10
RETRY_S = 2
# One call: short enough that a second try fits before RENEW_S.
_CALL_S = 4.0

_log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Somebody else leads, or may soon: the work has been ended."""


def identity(environ: Mapping[str, str]) -> str:
    """Return the pod's name, else one of the process's own."""
    return environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"


async def lead(
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    namespace: str,
    identity: str,
    kubeconfig: str | None = None,
) -> None:
    """Wait until this replica leads, then run `work` once, and never without the Lease.

    Returns or raises as `work` does, and raises LeaseLost, with `work` cancelled, when the Lease
    is. Cancel it to stop. However it ends, a Lease that is still held is handed back.
    """
    configuration = Configuration()
    if in_pod(kubeconfig):
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        where = {"config_file": kubeconfig} if kubeconfig else {}
        await config.load_config(client_configuration=configuration, **where)  # type: ignore[no-untyped-call]
    async with ApiClient(configuration) as client:
        lock = _Lock(LEASE, namespace, identity, client)
        stands_by = ""
        election = LeaderElection(Config(lock, LEASE_S, RENEW_S, RETRY_S, work, work))
        try:
            while not await election.try_acquire_or_renew():
                if not stands_by and (stands_by := lock.holder or ""):
                    _log.info("%s stands by: %s leads", identity, stands_by)
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
    """Renew; return when that has not succeeded for RENEW_S, or somebody else has the Lease."""
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
    """The package's lock, with every call bounded, and every failure a failed try.

    `renewed_at` (loop time) is when the last renewal that succeeded began, `holder` who held the
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
        """Create it; the package's own create fails its own check of arguments (`pretty=True`)."""
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
        """Say in the Lease that nobody holds it, where we do: the standby need not wait it out."""
        try:
            async with asyncio.timeout(_CALL_S):
                lease = await self.api_instance.read_namespaced_lease(self.name, self.namespace)
                if lease.spec is None or lease.spec.holder_identity != self.identity:
                    return
                lease.spec.holder_identity = None
                # Its resourceVersion goes along: somebody else's Lease is not touched.
                await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except (ApiException, aiohttp.ClientError, OSError) as error:
            _log.warning("the Lease %s is not handed back: %s", self.name, _said(error))
        else:
            _log.info("%s has handed the Lease back", self.identity)


def _said(error: Exception) -> str:
    """One line; an ApiException's own text holds headers and body."""
    said = error.reason if isinstance(error, ApiException) else str(error)
    return said or type(error).__name__
