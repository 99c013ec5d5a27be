"""How an address is had: one port, and its synchronous implementation, the reference.

Law: an address that this returns is named by a MacAllocation that exists already (create is the
lock), and a claim that fails deletes what it created itself, and nothing else (rule 3).
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
    from webhook.admission import Want
    from webhook.allocated import TakenView
    from webhook.sharing import Holders

_log = logging.getLogger(__name__)

# Every lost race means that somebody wrote in between; more than a few in one request is a quarrel.
_RACES = 5
# The API server waits 10 s (timeoutSeconds); a refusal that says why must leave before that, and
# until then undo what was done (rule 3): creates under way have time to end, then deletes.
DEADLINE_S, _ENDING_S, _UNDOING_S = 9.0, 0.3, 0.5


class PoolExhausted(Exception):
    """The pool has no free address, by a list made after the request came."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(
            f"pool {pool} is exhausted: of its {pool.size} addresses too few are free for this"
            f" request; widen RANGE_START and RANGE_END in ConfigMap {names.CONFIG_MAP},"
            f" or delete what is no longer needed (kubectl get macallocations shows the owners)"
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """The addresses, one for each want, and what whoever asked should know."""

    macs: tuple[MacAddress, ...]
    warnings: tuple[str, ...] = ()


class Claims(Protocol):
    """Where addresses come from."""

    async def take(
        self, wants: Sequence[Want], pool: Pool, request: str, within_s: float = DEADLINE_S
    ) -> Grant:
        """Claim all of `wants`, or none, for the admission request of UID `request`.

        Raises PoolExhausted, MacTaken, StoreUnavailable, or TimeoutError after `within_s`.
        """


class Locks(Protocol):
    """As much of the MacAllocations (crds.store.Allocations) as a claim needs."""

    async def create(self, allocation: Allocation) -> Stored:
        """Take the address, or raise AlreadyAllocated."""

    async def get(self, mac: MacAddress) -> Stored | None:
        """Read it now."""

    async def replace(self, stored: Stored, by: Allocation) -> Stored:
        """Write `by` where the allocation is still `stored`, or raise Changed."""

    async def delete(self, stored: Stored) -> None:
        """Delete it where it is still `stored`, or raise Changed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed address; `created` is the allocation that this claim made, where it made one."""

    mac: MacAddress
    created: Stored | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class ClaimByCreate:
    """Creates each allocation inside the request; several of one request at the same time."""

    allocations: Locks
    taken: TakenView
    holders: Holders
    draw: Callable[[int], int]  # a number 0 <= n < its argument, by chance
    # Takes what was read out of our own stock; whether it was in it.
    withdraw: Callable[[Stored], bool] = lambda _: False

    async def take(
        self, wants: Sequence[Want], pool: Pool, request: str, within_s: float = DEADLINE_S
    ) -> Grant:
        """See Claims.take."""
        # What one interface asks for or has picked is not for another of the same request: to the
        # second, an allocation of its own pod's name would look like its own.
        picked = {want.requested for want in wants if want.requested is not None}
        if any(want.owner.network == POD_NETWORK for want in wants):
            picked.add(IN_POD_BRIDGE)
        claiming = [asyncio.create_task(self._one(want, pool, request, picked)) for want in wants]
        try:
            async with asyncio.timeout(within_s):
                results = await asyncio.shield(asyncio.gather(*claiming, return_exceptions=True))
        except TimeoutError:
            await self._give_up(claiming)
            raise
        except asyncio.CancelledError:  # nobody waits for the answer: the process ends
            for one in claiming:
                one.cancel()
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
        """End what is under way and undo what was done, both within the time that is left.

        A create that is cut off may have been carried out: that one is left to the controller.
        """
        await asyncio.wait(claiming, timeout=_ENDING_S)
        for one in claiming:
            one.cancel()
        await self._undo_all(claiming)

    async def _undo_all(self, claiming: Sequence[asyncio.Task[Claim]]) -> None:
        results = await asyncio.gather(*claiming, return_exceptions=True)
        claims = [result for result in results if isinstance(result, Claim)]
        try:
            async with asyncio.timeout(_UNDOING_S):
                await asyncio.gather(*(self._undo(claim) for claim in claims))
        except TimeoutError:
            _log.info("no time was left to undo all: the controller collects the rest")

    async def _one(self, want: Want, pool: Pool, request: str, picked: set[MacAddress]) -> Claim:
        if want.requested is not None:
            return await self._requested(want.requested, want, pool, request)
        return await self._any(want, pool, request, picked)

    async def _any(self, want: Want, pool: Pool, request: str, picked: set[MacAddress]) -> Claim:
        """Walk the pool from a chance start; only a fresh list can say that it is exhausted."""
        if not pool.size:
            raise PoolExhausted(pool)
        start = self.draw(pool.size)
        for known in (self.taken.known, None):
            names = known if known is not None else await self.taken.fresh()
            if await names.fill(pool):
                continue  # to walk a full pool of a million addresses takes a second
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
                    continue  # another replica, or another request, was first: the next one
                return Claim(mac, created)
        raise PoolExhausted(pool)

    async def _requested(self, mac: MacAddress, want: Want, pool: Pool, request: str) -> Claim:
        for _ in range(_RACES):
            try:
                return Claim(
                    mac, await self.allocations.create(new_pending(mac, want, pool, request))
                )
            except AlreadyAllocated:
                found = await self.allocations.get(mac)
            if found is None:
                continue
            verdict = claim_allocated(found.allocation, want, request, is_ours=self.withdraw(found))
            warning = ""
            if isinstance(verdict, HeldByAnother):
                verdict, warning = await self.holders.share_or_refuse(found, want, request)
            try:
                await self.allocations.replace(found, verdict)
            except Changed:
                continue
            return Claim(mac, warning=warning)
        raise MacTaken(f"{mac} is being claimed and released by others right now: retry")

    async def _undo(self, claim: Claim) -> None:
        if claim.created is None:
            return
        try:
            await self.allocations.delete(claim.created)
        except (Changed, StoreUnavailable) as error:
            _log.info("left for the controller to collect: %s: %s", claim.mac, error)


@dataclass(frozen=True, slots=True)
class DryAllocations:
    """The store of a dry run: it reads for real and writes nothing (AdmissionRequest.dryRun)."""

    real: Locks

    async def create(self, allocation: Allocation) -> Stored:
        """Say what a create would have said."""
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
