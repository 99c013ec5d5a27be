"""Writes MacPool `default`: range and policy from the ConfigMap, status from the allocations."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from controller.pools import configuration
from crds.allocation import API_VERSION, Owner, encode_hook
from crds.names import CONFIG_MAP, POOL, REPORTER
from crds.resources import POOLS
from kube.errors import ApiError
from kube.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.allocations.caches import AllocationView
    from controller.pools.configuration import Problem, Wanted
    from crds.pool import Pool
    from crds.resources import PoolSnapshot
    from kube.client import Api
    from kube.clock import Clock

_log = logging.getLogger(__name__)


class _Metadata(msgspec.Struct):
    uid: str = ""


class _ConfigMap(msgspec.Struct):
    metadata: _Metadata
    data: dict[str, str] = {}


@dataclass(slots=True)
class PoolWriter:
    """`adopted` returns True if every address in use has an allocation, None: as before."""

    api: Api
    namespace: str
    known: AllocationView
    clock: Clock
    adopted: Callable[[], bool | None]
    seen: PoolSnapshot | None = None
    _problems: tuple[Problem, ...] = field(default=(), init=False)
    _announced: set[Problem] = field(default_factory=set, init=False)

    def in_force(self) -> Pool | None:
        """Return the pool as it was last read."""
        return self.seen.pool if self.seen else None

    async def configure(self) -> None:
        """Bring the ConfigMap into force, and report its faults.

        Raises ApiError, Unreachable.
        """
        config = await self._config()
        wanted = configuration.wanted(config.data if config else None, await self._read())
        before, self.seen = self.seen, await self._apply(wanted)
        if before is None or before.pool.ranges != self.seen.pool.ranges:
            _log.info("pool in force: %s", self.seen.pool)
        self._problems = wanted.problems
        await self.report()
        self._announced.intersection_update(wanted.problems)
        for problem in wanted.problems:
            if problem not in self._announced:
                _log.error("%s", problem.message)
                await self._event(problem, config.metadata.uid if config else "")
                self._announced.add(problem)

    async def report(self) -> None:
        """Write the status if it has changed. Raises ApiError, Unreachable."""
        if self.seen is None:
            return
        status = configuration.status_of(
            self.seen.pool,
            self.known.allocated_in(self.seen.pool),
            configuration.conditions(
                self.seen.status, self._problems, adopted=self.adopted(), now=self.clock.now()
            ),
        )
        if status == self.seen.status:
            return
        raw = await self.api.merge(f"{POOLS.named(POOL)}/status", _json({"status": status}))
        self.seen = POOLS.read(raw)

    async def _config(self) -> _ConfigMap | None:
        try:
            raw = await self.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/{CONFIG_MAP}")
        except ApiError as error:
            if error.is_not_found:
                return None
            raise
        return msgspec.json.decode(raw, type=_ConfigMap)

    async def _read(self) -> PoolSnapshot | None:
        try:
            return POOLS.read(await self.api.get(POOLS.named(POOL)))
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def _apply(self, wanted: Wanted) -> PoolSnapshot:
        """Write these fields only: `spec.reserved` belongs to the user."""
        ranges = [{"start": block.start, "end": block.end} for block in wanted.ranges]
        body = {
            "apiVersion": API_VERSION,
            "kind": "MacPool",
            "metadata": {"name": POOL},
            "spec": {"ranges": ranges, "collisionPolicy": wanted.policy},
        }
        return POOLS.read(await self.api.apply(POOLS.named(POOL), _json(body)))

    async def _event(self, problem: Problem, uid: str) -> None:
        """Warn on the ConfigMap, where `kubectl describe` shows it."""
        config = Owner(
            api_version="v1",
            kind="ConfigMap",
            namespace=self.namespace,
            name=CONFIG_MAP,
            uid=uid,
        )
        event = Event(config, problem.reason, "Configure", problem.message)
        await self.api.post(event.path, event.body(self.clock.now(), REPORTER))


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=encode_hook)
