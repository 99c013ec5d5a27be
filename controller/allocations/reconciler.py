"""Reconciles addresses: gathers the facts about one, decides, reads or writes, until it is done.

Law: a read is acted on soon (ACT_WITHIN_S, LIST_WITHIN_S) or made again. A write that finds the
allocation changed is forgotten: the change itself brings the address back here.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from controller.allocations.actions import (
    Create,
    Delete,
    Facts,
    Get,
    List,
    Note,
    Nothing,
    Replace,
    Wait,
    Write,
)
from controller.allocations.decisions import decide
from controller.allocations.ownership import claimants, existing
from crds.allocation import QUIET_S, STOCK_DELETED_AFTER_Q, State
from crds.kinds import is_vm
from crds.objects import UnknownKind, read_root
from crds.store import AlreadyAllocated, Changed
from kube.singleflight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.allocations.caches import AllocationView, CarrierView, Entry
    from crds.allocation import Root
    from crds.carriers import Carrier
    from crds.mac import MacAddress
    from crds.objects import Objects
    from crds.pool import Pool
    from crds.store import Allocations
    from kube.clock import Clock

_log = logging.getLogger(__name__)

# A decision must not be older than an etcd restore, even if this process was paused then.
ACT_WITHIN_S = 10.0
# A list of a large cluster takes longer, and the API server answers none while it is restored.
LIST_WITHIN_S = 60.0
# The delay before a decision that came too late is made again.
AGAIN_S = 1.0
# How many addresses are read and written at once. Reads age while they queue. If thousands of
# addresses were read at once, at 200 calls/s none would still be within ACT_WITHIN_S when its
# write's turn came.
_TURNS = 64


@dataclass(slots=True)
class _Attempt:
    """The facts about one address, read since `began_s`; it is quiet in `quiet_in_s` seconds."""

    facts: Facts
    began_s: float
    quiet_in_s: float


@dataclass(slots=True)
class Reconciler:
    """The only writer of existing allocations. `pool` returns the pool in force."""

    allocations: Allocations
    objects: Objects
    known: AllocationView
    carriers: CarrierView
    pool: Callable[[], Pool | None]
    clock: Clock
    again: Callable[[MacAddress, float], None]  # reconcile it again after these seconds
    quiet_s: float = QUIET_S
    _live: SingleFlight[tuple[Root, MacAddress | None], tuple[Carrier, ...]] = field(init=False)
    _everyone: SingleFlight[None, dict[MacAddress, tuple[Carrier, ...]]] = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._live = SingleFlight(self._members)
        self._everyone = SingleFlight(self._list)
        self._turns = asyncio.Semaphore(_TURNS)

    async def reconcile(self, mac: MacAddress) -> None:
        """Do everything that is possible for `mac` now. Raises StoreUnavailable."""
        async with self._turns:
            attempt = self._begin(mac)
            wants_list = await self._go_on(attempt)
        if wants_list:  # a list takes long, so other addresses get the turn until then
            everyone = claimants(mac, (await self._everyone(None)).get(mac, ()))
            attempt.facts = replace(attempt.facts, everyone=everyone)
            async with self._turns:
                await self._go_on(attempt)

    def _begin(self, mac: MacAddress) -> _Attempt:
        began_s = self.clock.monotonic_s()
        entry = self.known.get(mac)
        pool = self.pool()
        quiet_s = self._quiet_s(entry)
        since_s = entry.since_s if entry else began_s
        facts = Facts(
            mac=mac,
            stored=entry.stored if entry else None,
            claimants=claimants(mac, self.carriers.of(mac)),
            quiet=entry is not None and began_s - since_s >= quiet_s,
            pool=pool.name if pool is not None and mac in pool else None,
            now=self.clock.now(),
        )
        left_s = since_s + quiet_s - began_s
        return _Attempt(facts, began_s, left_s if left_s > 0 else quiet_s)

    async def _go_on(self, attempt: _Attempt) -> bool:
        """Read and write until nothing is left to do. Return True if a list is needed first."""
        mac = attempt.facts.mac
        while True:
            action = decide(attempt.facts)
            match action:
                case Nothing():
                    return False
                case Wait():
                    self.again(mac, attempt.quiet_in_s)
                    return False
                case Get(root):
                    try:
                        members = await self._live((root, mac if is_vm(root[0]) else None))
                    except UnknownKind:
                        return False  # no read can prove that it is gone, so it stays
                    live = {**attempt.facts.live, root: existing(mac, members)}
                    attempt.facts = replace(attempt.facts, live=live)
                case List():
                    return True
                case Create() | Replace() | Delete() | Note():
                    within_s = ACT_WITHIN_S if attempt.facts.everyone is None else LIST_WITHIN_S
                    if self.clock.monotonic_s() - attempt.began_s > within_s:
                        self.again(mac, AGAIN_S)
                    else:
                        await self._write(attempt.facts, action)
                    return False
                case _:
                    assert_never(action)

    def _quiet_s(self, entry: Entry | None) -> float:
        is_stock = entry is not None and entry.stored.allocation.state is State.STOCK
        return self.quiet_s * (STOCK_DELETED_AFTER_Q if is_stock else 1)

    async def _write(self, facts: Facts, action: Write) -> None:
        """Write. The watch then updates the views, as for all writes."""
        try:
            match action, facts.stored:
                case Create(allocation), _:
                    await self.allocations.create(allocation)
                    _log.info("adopted %s for %s", facts.mac, allocation.owner)
                case Replace(by), stored if stored:
                    await self.allocations.replace(stored, by)
                    _log.info("%s is %s: %s", facts.mac, by.state, by.owner or "free")
                case Delete(), stored if stored:
                    await self.allocations.delete(stored)
                    _log.info("released %s of %s", facts.mac, stored.allocation.owner or "no owner")
                case Note(conflicts), stored if stored:
                    await self.allocations.note(stored, conflicts)
                    if conflicts:
                        others = ", ".join(map(str, conflicts))
                        _log.warning("%s has other carriers: %s", facts.mac, others)
                    else:
                        _log.info("%s has no carrier but its owner again", facts.mac)
        except (AlreadyAllocated, Changed) as lost:
            _log.debug("another write came first: %s", lost)

    async def _members(self, asked: tuple[Root, MacAddress | None]) -> tuple[Carrier, ...]:
        """Read one root. The addresses of a pod share a read; each address of a VM has its own."""
        return await read_root(self.objects, *asked)

    async def _list(self, _: None) -> dict[MacAddress, tuple[Carrier, ...]]:
        """Return all carriers by address."""
        carriers: dict[MacAddress, list[Carrier]] = {}
        for carrier in await self.objects.list():
            for attachment in carrier.attachments:
                carriers.setdefault(attachment.mac, []).append(carrier)
        return {mac: tuple(found) for mac, found in carriers.items()}
