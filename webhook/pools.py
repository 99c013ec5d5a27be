"""Keeps the pools in force, as read from the MacPools (a View for their Follower)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crds.names import POOL
from crds.pool import CollisionPolicy
from crds.pools import Pools, only

if TYPE_CHECKING:
    from crds.resources import PoolSnapshot


class WatchedPools:
    """Keeps the MacPool `default`; the CRD refuses other names."""

    def __init__(self) -> None:
        self._default: PoolSnapshot | None = None
        self._in_force = Pools()

    def in_force(self) -> Pools:
        """Return the pools that may give out addresses now."""
        return self._in_force

    def policy(self) -> CollisionPolicy:
        """Return the policy for an address that another object has; Reject until it is known.

        It is `spec.collisionPolicy`; a change arrives with the watch's next event.
        """
        return CollisionPolicy.REJECT if self._default is None else self._default.policy

    def not_ready_because(self) -> list[str]:
        """Return the reasons why no address may be given out yet."""
        if self._default is None:
            return ["there is no MacPool default yet: the controller writes it from the ConfigMap"]
        if not self._default.pool.ranges:
            return ["MacPool default has no range: see its condition Ready"]
        if not self._default.status.says("Adopted"):
            return ["addresses already in use are not adopted yet (MacPool default: Adopted)"]
        return []

    def reset(self, everything: list[PoolSnapshot]) -> None:
        """See View.reset."""
        self._keep(next((macpool for macpool in everything if macpool.pool.name == POOL), None))

    def put(self, item: PoolSnapshot) -> None:
        """See View.put."""
        if item.pool.name == POOL:
            self._keep(item)

    def drop(self, item: PoolSnapshot) -> None:
        """See View.drop."""
        if item.pool.name == POOL:
            self._keep(None)

    def _keep(self, default: PoolSnapshot | None) -> None:
        self._default = default
        self._in_force = only(None if default is None or self.not_ready_because() else default.pool)
