"""The pool in force, as the MacPool `default` says (a View for its Follower)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crds.pool import CollisionPolicy

if TYPE_CHECKING:
    from crds.pool import Pool
    from crds.resources import SeenPool

DEFAULT = "default"


class Pools:
    """Keeps the MacPool `default`; other names are refused by the CRD."""

    def __init__(self) -> None:
        self._default: SeenPool | None = None

    def in_force(self) -> Pool | None:
        """Return the pool, or None while giving out an address would be premature."""
        return None if self._default is None or self.lacks() else self._default.pool

    def policy(self) -> CollisionPolicy:
        """Return what is in force for an address that somebody else has; Reject until it is known.

        `spec.collisionPolicy`: a change is seen with the watch's next event.
        """
        return CollisionPolicy.REJECT if self._default is None else self._default.policy

    def lacks(self) -> list[str]:
        """Say what is missing before an address may be given out."""
        if self._default is None:
            return ["there is no MacPool default yet: the controller writes it from the ConfigMap"]
        if not self._default.pool.ranges:
            return ["MacPool default has no range: see its condition Ready"]
        if not self._default.status.says("Adopted"):
            return ["addresses already in use are not adopted yet (MacPool default: Adopted)"]
        return []

    def reset(self, everything: list[SeenPool]) -> None:
        """See View.reset."""
        self._default = next((one for one in everything if one.pool.name == DEFAULT), None)

    def put(self, item: SeenPool) -> None:
        """See View.put."""
        if item.pool.name == DEFAULT:
            self._default = item

    def drop(self, item: SeenPool) -> None:
        """See View.drop."""
        if item.pool.name == DEFAULT:
            self._default = None
