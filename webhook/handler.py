"""Turns a review into a verdict: plan, claim, write. It does not know how addresses are claimed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from crds.store import StoreUnavailable
from webhook import pods, virtualmachines
from webhook.admission import Allowed, Denied, Plan, PodReview, Review
from webhook.claims import DEADLINE_S, Claims, PoolExhausted
from webhook.launchers import resolve_root
from webhook.sharing import MacTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crds.objects import Objects
    from crds.pools import Pools

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handlers:
    """Answers reviews; `pools` returns the pools that are in force now.

    `not_ready_because` returns the reasons why no address can be claimed yet; empty if it is ready.
    """

    pools: Callable[[], Pools]
    objects: Objects
    claims: Claims
    dry_claims: Claims
    not_ready_because: Callable[[], Sequence[str]] = field(default=tuple)

    async def mutate(self, review: Review) -> Allowed | Denied:
        """Claim the addresses that the object lacks, and return how to write them into it."""
        clock_s = asyncio.get_running_loop().time
        until_s = clock_s() + DEADLINE_S
        try:
            async with asyncio.timeout_at(until_s):
                plan = await self._plan(review)
        except (StoreUnavailable, TimeoutError) as error:
            return _unavailable(review, f"its VMI could not be read ({_cause(error)}): retry")
        if isinstance(plan, Denied):
            return plan
        if not plan.wants:
            return plan.write_macs(())
        missing, pools = self.not_ready_because(), self.pools()
        if missing or pools.of(review.owner.namespace) is None:
            why = f" ({'; '.join(missing)})" if missing else ""
            return _unavailable(review, f"kubemacpool is not ready yet{why}: retry in a minute")
        claims = self.dry_claims if review.dry_run else self.claims
        try:
            grant = await claims.take(plan.wants, pools, review.uid, until_s - clock_s())
        except (PoolExhausted, MacTaken) as error:
            return Denied(f"{review.owner}: {error}")
        except (StoreUnavailable, TimeoutError) as error:
            return _unavailable(review, f"no address could be stored ({_cause(error)}): retry")
        if not review.dry_run:
            _log.info("%s: %s", plan.wants[0].owner, ", ".join(map(str, grant.macs)))
        allowed = plan.write_macs(grant.macs)
        return replace(allowed, warnings=(*allowed.warnings, *grant.warnings))

    async def _plan(self, review: Review) -> Plan | Denied:
        if isinstance(review, PodReview):
            return pods.plan(await resolve_root(review, self.objects))
        return virtualmachines.plan(review)


def _unavailable(review: Review, why: str) -> Denied:
    return Denied(f"{review.owner}: {why}", HTTPStatus.SERVICE_UNAVAILABLE)


def _cause(error: Exception) -> str:
    return str(error) or f"no answer within {DEADLINE_S:g} s"
