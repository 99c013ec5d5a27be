"""One webhook replica in process, on a fake cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from crds.allocation import Owner, State
from crds.pool import CollisionPolicy
from crds.pools import only
from crds.tests.fake import name_and_version
from webhook import review as wire
from webhook.admission import Want
from webhook.replica import Surroundings, build
from webhook.requested import new_pending
from webhook.stock.entries import Instant
from webhook.tests.reviews import OWNER, body, mac, pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.allocation import Allocation
    from crds.mac import MacAddress
    from crds.pool import Pool
    from crds.resources import NameAndVersion
    from crds.tests.fake import FakeCluster
    from crds.tests.gates import Call


class Replica:
    """Its claims, real and dry; `start` is where each walk begins, `lag` holds its watch back."""

    def __init__(
        self, cluster: FakeCluster, name: str = "webhook-1", *, start: int = 0, lag: bool = False
    ) -> None:
        client = cluster.client(name)

        async def relist() -> list[NameAndVersion]:
            return [name_and_version(stored) for stored in await client.allocations.list()]

        self.now_s = 0.0
        self.policy = CollisionPolicy.REJECT
        built = build(
            Surroundings(
                allocations=client.allocations,
                objects=client.objects,
                names=relist,
                connection=lambda: self.watch.connection,
                pools=lambda: only(pool(256)),
                policy=lambda: self.policy,
                boottime_s=lambda: self.now_s,
                instant=lambda: Instant(self.now_s, self.now_s),
                draw=lambda size: start % size,
            ),
            most=0,
        )
        self.allocated, self.handlers = built.allocated, built.handlers
        self.claims, self.dry_claims = built.handlers.claims, built.handlers.dry_claims
        self.watch = cluster.follow_names(built.names, lag=lag)

    async def take(
        self, *wants: Want, of: Pool | None = None, request: str = "r-1"
    ) -> tuple[MacAddress, ...]:
        return (await self.claims.take(wants, only(of or pool()), request)).macs

    async def response(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The `response` of the AdmissionReview that answers `asked`."""
        review = wire.read(body(asked))
        answer = wire.write(review.uid, await self.handlers.mutate(review))
        response: dict[str, Any] = json.loads(answer)["response"]
        return response


def want(name: str | None = "web", asks: int | None = None, uid: str | None = None) -> Want:
    """Pod shop/`name` wants the address mac(`asks`), or any."""
    owner = replace(OWNER, name=name, interface="net1", network="shop/ovs-conf")
    return Want(owner, None if asks is None else mac(asks), uid)


def bound(last: int, name: str = "other", uid: str = "u-2") -> Allocation:
    """An allocation of mac(`last`) that belongs to pod shop/`name`."""
    return replace(pending(last, name), state=State.BOUND, owner=owner_of(name, uid))


def pending(last: int, name: str | None = "other") -> Allocation:
    """An allocation of mac(`last`) that pod shop/`name` is getting."""
    return new_pending(mac(last), want(name, last), pool(), "before")


def owner_of(name: str, uid: str | None) -> Owner:
    return replace(OWNER, name=name, uid=uid, interface="net1", network="shop/ovs-conf")


def calls_to(verb: str) -> Callable[[Call], bool]:
    """Pick the calls of that verb."""
    return lambda call: call.verb == verb
