"""What becomes of the allocations meanwhile: told by a watch, and waited for."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crds.allocation import State, Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from crds.mac import MacAddress

# The controller binds hundreds of pods per second: what takes longer never comes.
_BOUND_WITHIN_S = 60.0
# Q after it was bound, a short-lived pod's address is released: five times the product's Q.
_RELEASED_WITHIN_S = 300.0
# At rest is a cluster in which no allocation has changed for so long: the API server's own echo of
# a batch (watch events to its controllers) dies away within this.
REST_S = 0.1
# The stock is refilled when nobody has asked for a fifth of a second: only then is it at rest, too.
REFILLED_S = 0.5
# A stock that is never at rest is measured as it is.
_RESTS_WITHIN_S = 10.0


class NotBound(Exception):
    """Addresses were given out, and the controller did not bind them."""


class NotReleased(Exception):
    """Pods were deleted, and the controller did not release their addresses."""


@dataclass(slots=True)
class Allocations:
    """Every allocation there is, by its namespace (a View for the Follower), and waiting for them.

    `writes` counts creates, updates and deletes by namespace; what is kept ahead has none, "".
    `given_out` is how many addresses must be bound at rest; nobody but who asked for them knows.
    """

    given_out: int = 0
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)
    _held: Counter[str] = field(default_factory=Counter)
    _namespaces: dict[MacAddress, str] = field(default_factory=dict)
    _bound: set[MacAddress] = field(default_factory=set)
    _bound_ever: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self, everything: list[Stored]) -> None:
        """See View.reset."""
        known = dict(self._namespaces)
        for item in everything:
            self.put(item)
            known.pop(item.mac, None)
        for mac in known:
            self._forget(mac)

    def put(self, item: Stored) -> None:
        """See View.put."""
        namespace = item.allocation.owner.namespace if item.allocation.owner else ""
        known = item.mac in self._namespaces
        self._move(item.mac, namespace)
        self.writes[namespace, "updated" if known else "created"] += 1
        if item.allocation.state is State.BOUND and item.mac not in self._bound:
            self._bound.add(item.mac)
            self._bound_ever += 1
        self._changed.set()

    def drop(self, item: Stored) -> None:
        """See View.drop."""
        self._forget(item.mac)

    def held(self, namespace: str) -> int:
        """Return how many belong to objects of `namespace`; "": how many are kept ahead."""
        return self._held[namespace]

    def begin(self) -> None:
        """Wait from now on only for what is given out from now on."""
        self.given_out = self._bound_ever

    async def at_rest(self, rest_s: float = REST_S) -> None:
        """Return when all that was given out is bound, and nothing has changed for `rest_s`.

        Raises NotBound.
        """
        await self._until(
            lambda: self._bound_ever >= self.given_out,
            _BOUND_WITHIN_S,
            lambda: NotBound(
                f"{self.given_out - self._bound_ever} of {self.given_out} addresses not bound"
                f" within {_BOUND_WITHIN_S:.0f} s"
            ),
        )
        until_s = asyncio.get_running_loop().time() + _RESTS_WITHIN_S
        while asyncio.get_running_loop().time() < until_s:
            self._changed.clear()
            try:
                async with asyncio.timeout(rest_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def released(self, namespace: str, tell: Callable[[int], None]) -> None:
        """Return when no object of `namespace` holds an address, or raise NotReleased.

        `tell` is called with how many are left, whenever something changes.
        """

        def none_left() -> bool:
            left = self.held(namespace)
            tell(left)
            return not left

        await self._until(
            none_left,
            _RELEASED_WITHIN_S,
            lambda: NotReleased(
                f"{self.held(namespace)} addresses of deleted pods in {namespace} are still held"
                f" after {_RELEASED_WITHIN_S:.0f} s"
            ),
        )

    def _move(self, mac: MacAddress, namespace: str) -> None:
        if (before := self._namespaces.get(mac)) is not None:
            self._held[before] -= 1
        self._held[namespace] += 1
        self._namespaces[mac] = namespace

    def _forget(self, mac: MacAddress) -> None:
        namespace = self._namespaces.pop(mac, None)
        if namespace is None:
            return
        self._held[namespace] -= 1
        self._bound.discard(mac)
        self.writes[namespace, "deleted"] += 1
        self._changed.set()

    async def _until(
        self, condition: Callable[[], bool], within_s: float, failure: Callable[[], Exception]
    ) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise failure() from None
