"""From a review to a verdict: plan, claim, write in. Nobody here knows how an address is had."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crds.store import StoreUnavailable
from webhook import admission
from webhook.admission import Allowed, Denied, Review
from webhook.claims import DEADLINE_S, Claims, MacTaken, PoolExhausted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crds.pool import Pool

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handlers:
    """`pool` returns what is in force now, or None where nothing may be given out yet.

    `lacks` says what is missing before anything may be claimed; empty: nothing.
    """

    pool: Callable[[], Pool | None]
    claims: Claims
    dry_claims: Claims
    lacks: Callable[[], Sequence[str]] = field(default=tuple)

    async def mutate(self, review: Review) -> Allowed | Denied:
        """Claim what the object lacks, and say how to write it in."""
        plan = admission.plan(review)
        if isinstance(plan, Denied):
            return plan
        if not plan.wants:
            return admission.settled(plan, ())
        missing, pool = self.lacks(), self.pool()
        if missing or pool is None:
            why = f" ({'; '.join(missing)})" if missing else ""
            return Denied(
                f"{review.owner}: kubemacpool is not ready yet{why}: retry in a minute", 503
            )
        claims = self.dry_claims if review.dry_run else self.claims
        try:
            macs = await claims.take(plan.wants, pool, review.uid)
        except (PoolExhausted, MacTaken) as error:
            return Denied(f"{review.owner}: {error}")
        except (StoreUnavailable, TimeoutError) as error:
            said = str(error) or f"no answer within {DEADLINE_S:g} s"
            return Denied(f"{review.owner}: no address could be stored ({said}): retry", 503)
        if not review.dry_run:
            _log.info("%s: %s", review.owner, ", ".join(map(str, macs)))
        return admission.settled(plan, macs)
