"""The pools of a cluster: the pool of a namespace, and the pool that contains an address.

Today a cluster has one pool, names.POOL, for all namespaces. Programs ask this value instead of a
single pool, so that several pools change nothing but this module. (Model: MetalLB's Pools.ByName.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crds.names import POOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crds.mac import MacAddress
    from crds.pool import Pool


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools that may give out addresses now, by name. No pool: nothing may be given out yet."""

    by_name: Mapping[str, Pool] = field(default_factory=dict)

    @property
    def default(self) -> Pool | None:
        """Return the pool of each namespace that no other pool serves."""
        return self.by_name.get(POOL)

    def of(self, namespace: str) -> Pool | None:
        """Return the pool that gives an object of `namespace` its addresses."""
        del namespace  # one pool serves them all
        return self.default

    def holding(self, mac: MacAddress) -> Pool | None:
        """Return the pool that can give out `mac`; pools do not overlap."""
        return next((pool for pool in self.by_name.values() if mac in pool), None)


def only(pool: Pool | None) -> Pools:
    """Return the set of that one pool as the default, or of none."""
    return Pools({} if pool is None else {POOL: pool})
