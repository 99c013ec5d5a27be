"""Claiming addresses: the `Claims` interface, and the one that creates allocations in the request.

Law: each address that `take` returns is named by a MacAllocation that exists already (the create is
the lock). A claim that fails deletes the allocations that it created, and no others (rule 3).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from crds import names
from crds.allocation import Allocation, Stored
from crds.kubevirt import IN_POD_BRIDGE, POD_NETWORK
from crds.store import AlreadyAllocated, Changed, StoreUnavailable
from webhook.allocated import STEP
from webhook.requested import HeldByAnother, claim_allocated, new_pending
from webhook.sharing import MacTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crds.mac import MacAddress
    from crds.pool import Pool
    from crds.pools import Pools
    from webhook.admission import Want
    from webhook.allocated import AllocatedView
    from webhook.sharing import Holders

_log = logging.getLogger(__name__)

# A lost race means that another client wrote in between. After this many, the request is refused.
_RACES = 5
# The API server waits 10 s (timeoutSeconds). A refusal must be sent before that, and the claim must
# be undone before it (rule 3): first the creates in progress get time to end, then the deletes.
DEADLINE_S, _ENDING_S, _UNDOING_S = 9.0, 0.3, 0.5


class PoolExhausted(Exception):
    """The pool has no free address, according to a list made after the request arrived."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(
            f"pool {pool} is exhausted: of its {pool.size} addresses too few are free for this"
            f" request; widen RANGE_START and RANGE_END in ConfigMap {names.CONFIG_MAP},"
            f" or delete what is no longer needed (kubectl get macallocations shows the owners)"
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """The addresses, one for each want, and the warnings for the client."""

    macs: tuple[MacAddress, ...]
    warnings: tuple[str, ...] = ()


class Claims(Protocol):
    """Where addresses come from."""

    async def take(
        self, wants: Sequence[Want], pools: Pools, request: str, within_s: float = DEADLINE_S
    ) -> Grant:
        """Claim all of `wants`, or none, for the admission request of UID `request`.

        Raises PoolExhausted, MacTaken, StoreUnavailable, or TimeoutError after `within_s`.
        """


class AllocationWriter(Protocol):
    """The part of crds.store.Allocations that a claim needs."""

    async def create(self, allocation: Allocation) -> Stored:
        """Take the address, or raise AlreadyAllocated."""

    async def get(self, mac: MacAddress) -> Stored | None:
        """Read it now."""

    async def replace(self, stored: Stored, by: Allocation) -> Stored:
        """Write `by` if the allocation is still `stored`, or raise Changed."""

    async def delete(self, stored: Stored) -> None:
        """Delete it if it is still `stored`, or raise Changed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed address; `created` is the allocation that this claim created, if it created one."""

    mac: MacAddress
    created: Stored | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class ClaimByCreate:
    """Creates each allocation inside the request; those of one request concurrently."""

    allocations: AllocationWriter
    allocated: AllocatedView
    holders: Holders
    draw: Callable[[int], int]  # returns a random number 0 <= n < its argument
    # Takes an allocation out of the stock of this process; returns True if it was in it.
    take_out: Callable[[Stored], bool] = lambda _: False

    async def take(
        self, wants: Sequence[Want], pools: Pools, request: str, within_s: float = DEADLINE_S
    ) -> Grant:
        """See Claims.take."""
        # Two interfaces of one request must not get the same address. Both name the same object, so
        # the second would take the allocation of the first for its own.
        picked = {want.requested for want in wants if want.requested is not None}
        if any(want.owner.network == POD_NETWORK for want in wants):
            picked.add(IN_POD_BRIDGE)
        claiming = [
            asyncio.create_task(self._claim(want, pools, request, picked)) for want in wants
        ]
        try:
            async with asyncio.timeout(within_s):
                results = await asyncio.shield(asyncio.gather(*claiming, return_exceptions=True))
        except TimeoutError:
            await self._give_up(claiming)
            raise
        except asyncio.CancelledError:  # no client waits for the answer: the process ends
            for task in claiming:
                task.cancel()
            raise
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self._undo_all(claiming)
            raise failures[0]
        claims = [result for result in results if isinstance(result, Claim)]
        return Grant(
            tuple(claim.mac for claim in claims),
            tuple(claim.warning for claim in claims if claim.warning),
        )

    async def _give_up(self, claiming: Sequence[asyncio.Task[Claim]]) -> None:
        """End the calls in progress and undo the claims, within the time that is left.

        The API server may have carried out a create that was cancelled here: the controller
        releases that allocation.
        """
        await asyncio.wait(claiming, timeout=_ENDING_S)
        for task in claiming:
            task.cancel()
        await self._undo_all(claiming)

    async def _undo_all(self, claiming: Sequence[asyncio.Task[Claim]]) -> None:
        results = await asyncio.gather(*claiming, return_exceptions=True)
        claims = [result for result in results if isinstance(result, Claim)]
        try:
            async with asyncio.timeout(_UNDOING_S):
                await asyncio.gather(*(self._undo(claim) for claim in claims))
        except TimeoutError:
            _log.info("no time left to undo the whole claim: the controller releases the rest")

    async def _claim(
        self, want: Want, pools: Pools, request: str, picked: set[MacAddress]
    ) -> Claim:
        if want.requested is not None:
            return await self._requested(
                want.requested, want, pools.holding(want.requested), request
            )
        pool = pools.of(want.owner.namespace)
        if pool is None:
            raise StoreUnavailable(f"no pool serves namespace {want.owner.namespace}")
        return await self._any(want, pool, request, picked)

    async def _any(self, want: Want, pool: Pool, request: str, picked: set[MacAddress]) -> Claim:
        """Walk the pool from a random start. Only a new list can show that it is exhausted."""
        if not pool.size:
            raise PoolExhausted(pool)
        start = self.draw(pool.size)
        for known in (self.allocated.known, None):
            names = known if known is not None else await self.allocated.list_again()
            if await names.fill(pool):
                continue  # walking a full pool of a million addresses takes a second
            for step, mac in enumerate(pool.walk(start), 1):
                if step % STEP == 0:
                    await asyncio.sleep(0)
                if mac in names or mac in picked:
                    continue
                picked.add(mac)
                try:
                    created = await self.allocations.create(new_pending(mac, want, pool, request))
                except AlreadyAllocated:
                    picked.discard(mac)
                    continue  # another replica or another request was first: try the next address
                return Claim(mac, created)
        raise PoolExhausted(pool)

    async def _requested(
        self, mac: MacAddress, want: Want, pool: Pool | None, request: str
    ) -> Claim:
        """Claim `mac`; `pool` is the one that contains it, if any."""
        for _ in range(_RACES):
            try:
                return Claim(
                    mac, await self.allocations.create(new_pending(mac, want, pool, request))
                )
            except AlreadyAllocated:
                found = await self.allocations.get(mac)
            if found is None:
                continue
            verdict = claim_allocated(found.allocation, want, request, is_ours=self.take_out(found))
            warning = ""
            if isinstance(verdict, HeldByAnother):
                verdict, warning = await self.holders.share_or_refuse(found, want, request)
            try:
                await self.allocations.replace(found, verdict)
            except Changed:
                continue
            return Claim(mac, warning=warning)
        raise MacTaken(f"{mac} is being claimed and released by other requests: retry")

    async def _undo(self, claim: Claim) -> None:
        if claim.created is None:
            return
        try:
            await self.allocations.delete(claim.created)
        except (Changed, StoreUnavailable) as error:
            _log.info("left for the controller to release: %s: %s", claim.mac, error)


@dataclass(frozen=True, slots=True)
class DryAllocations:
    """The store of a dry run (AdmissionRequest.dryRun): reads the real one, writes nothing."""

    real: AllocationWriter

    async def create(self, allocation: Allocation) -> Stored:
        """Return or raise what a create would return or raise."""
        if await self.real.get(allocation.mac) is not None:
            raise AlreadyAllocated(str(allocation.mac))
        return Stored(allocation, "", "")

    async def get(self, mac: MacAddress) -> Stored | None:
        """Read it now."""
        return await self.real.get(mac)

    async def replace(self, stored: Stored, by: Allocation) -> Stored:
        """Write nothing."""
        return Stored(by, stored.uid, stored.version)

    async def delete(self, stored: Stored) -> None:
        """Write nothing."""
