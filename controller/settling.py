"""Settles addresses: gathers the world of one, asks `binding.decide`, reads or writes, until done.

Law: whatever was read is acted on soon (ACT_WITHIN_S, LIST_WITHIN_S) or read again, and a write
that finds the allocation changed is forgotten: the change itself brings the address back here.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, assert_never

from controller.binding import (
    Create,
    Delete,
    Get,
    List,
    Note,
    Nothing,
    Replace,
    Wait,
    World,
    decide,
)
from crds.allocation import MACHINE, QUIET_S, STOCK_KEPT_Q, State
from crds.joined import Joined
from crds.objects import UnknownKind, members
from crds.store import AlreadyAllocated, Changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.views import AllocationView, CarrierView, Entry
    from crds.allocation import Carrier, Root
    from crds.mac import MacAddress
    from crds.objects import Objects
    from crds.pool import Pool
    from crds.store import Allocations

_log = logging.getLogger(__name__)

# A decision must not outlive an etcd restore (nor a pause of this process in which one happens).
ACT_WITHIN_S = 10.0
# A list of a large cluster takes longer, and the API server answers none while it is restored.
LIST_WITHIN_S = 60.0
# How soon a decision that came too late is taken anew.
AGAIN_S = 1.0
# How many addresses are read and written at once. Who waits for a call gets older meanwhile: of
# thousands that had all read, at 200 calls a second, none would be young enough to be written.
_TURNS = 64


class Clock(Protocol):
    """Time, from outside."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back and go on during a suspend."""

    def now(self) -> str:
        """Return the time for people (RFC 3339)."""


@dataclass(slots=True)
class _Look:
    """What is known of one address, read since `began_s`, and in how many seconds it is quiet."""

    world: World
    began_s: float
    quiet_in_s: float


@dataclass(slots=True)
class Settler:
    """The only writer of what has been allocated before; `pool` returns what is in force."""

    allocations: Allocations
    objects: Objects
    known: AllocationView
    carriers: CarrierView
    pool: Callable[[], Pool | None]
    clock: Clock
    again: Callable[[MacAddress, float], None]  # settle it again, so many seconds from now
    quiet_s: float = QUIET_S
    _live: Joined[tuple[Root, MacAddress | None], tuple[Carrier, ...]] = field(init=False)
    _everyone: Joined[None, dict[MacAddress, tuple[Carrier, ...]]] = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._live = Joined(self._members)
        self._everyone = Joined(self._list)
        self._turns = asyncio.Semaphore(_TURNS)

    async def settle(self, mac: MacAddress) -> None:
        """Take `mac` as far as it can be taken now. Raises StoreUnavailable."""
        async with self._turns:
            look = self._look(mac)
            wants_list = await self._go_on(look)
        if wants_list:  # which takes long: nobody else's turn
            everyone = await self._everyone(None)
            look.world = replace(look.world, everyone=everyone.get(mac, ()))
            async with self._turns:
                await self._go_on(look)

    def _look(self, mac: MacAddress) -> _Look:
        began_s = self.clock.monotonic_s()
        entry = self.known.get(mac)
        pool = self.pool()
        quiet_s = self._quiet_s(entry)
        since_s = entry.since_s if entry else began_s
        world = World(
            mac=mac,
            stored=entry.stored if entry else None,
            seen=self.carriers.of(mac),
            quiet=entry is not None and began_s - since_s >= quiet_s,
            pool=pool.name if pool is not None and mac in pool else None,
            now=self.clock.now(),
        )
        left_s = since_s + quiet_s - began_s
        return _Look(world, began_s, left_s if left_s > 0 else quiet_s)

    async def _go_on(self, look: _Look) -> bool:
        """Read and write until it is settled, or until a list is needed: then return True."""
        mac = look.world.mac
        while True:
            action = decide(look.world)
            match action:
                case Nothing():
                    return False
                case Wait():
                    self.again(mac, look.quiet_in_s)
                    return False
                case Get(root):
                    try:
                        live = await self._live((root, mac if root[0] == MACHINE else None))
                    except UnknownKind:
                        return False  # nobody can prove that it is gone, so it stays
                    look.world = replace(look.world, live={**look.world.live, root: live})
                case List():
                    return True
                case Create() | Replace() | Delete() | Note():
                    within_s = ACT_WITHIN_S if look.world.everyone is None else LIST_WITHIN_S
                    if self.clock.monotonic_s() - look.began_s > within_s:
                        self.again(mac, AGAIN_S)
                    else:
                        await self._write(look.world, action)
                    return False
                case _:
                    assert_never(action)

    def _quiet_s(self, entry: Entry | None) -> float:
        is_stock = entry is not None and entry.stored.allocation.state is State.STOCK
        return self.quiet_s * (STOCK_KEPT_Q if is_stock else 1)

    async def _write(self, world: World, action: Create | Replace | Delete | Note) -> None:
        """Write; the views learn of it from the watch, as they learn of everybody's writes."""
        try:
            match action, world.stored:
                case Create(allocation), _:
                    await self.allocations.create(allocation)
                    _log.info("adopted %s for %s", world.mac, allocation.owner)
                case Replace(by), stored if stored:
                    await self.allocations.replace(stored, by)
                    _log.info("%s is %s: %s", world.mac, by.state, by.owner or "free")
                case Delete(), stored if stored:
                    await self.allocations.delete(stored)
                    _log.info("released %s of %s", world.mac, stored.allocation.owner or "nobody")
                case Note(conflicts), stored if stored:
                    await self.allocations.note(stored, conflicts)
                    if conflicts:
                        others = ", ".join(map(str, conflicts))
                        _log.warning("%s is carried by others, too: %s", world.mac, others)
                    else:
                        _log.info("%s is carried by its owner alone again", world.mac)
        except (AlreadyAllocated, Changed) as lost:
            _log.debug("somebody wrote first: %s", lost)

    async def _members(self, asked: tuple[Root, MacAddress | None]) -> tuple[Carrier, ...]:
        """Several addresses of one pod share a read; of a machine each has its own way down."""
        return await members(self.objects, *asked)

    async def _list(self, _: None) -> dict[MacAddress, tuple[Carrier, ...]]:
        """Return all carriers by address."""
        carriers: dict[MacAddress, list[Carrier]] = {}
        for one in await self.objects.list():
            for attachment in one.attachments:
                carriers.setdefault(attachment.mac, []).append(one)
        return {mac: tuple(those) for mac, those in carriers.items()}
