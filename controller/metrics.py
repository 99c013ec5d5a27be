"""What Prometheus reads of the pool: numbers taken at the moment it asks.

Only the active replica has them; a standby says no more than that it is one.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from crds.mac import MacAddress
    from crds.resources import SeenPool

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# A series of its own for so many addresses: whoever watches keeps each for hours, and common
# limits on a scrape are tens of thousands. How many collide in all is one number.
MOST_SERIES = 1000


class Metrics:
    """A collector (prometheus_client.registry.Collector) and the registry that it is in."""

    def __init__(self) -> None:
        self._collisions: Callable[[], Mapping[MacAddress, int]] | None = None
        self._pool: Callable[[], SeenPool | None] = lambda: None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def lead(
        self,
        collisions: Callable[[], Mapping[MacAddress, int]],
        pool: Callable[[], SeenPool | None],
    ) -> None:
        """From now on this replica is the active one, and these know."""
        self._collisions, self._pool = collisions, pool

    def text(self) -> bytes:
        """Write them all, in CONTENT_TYPE."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client's Collector."""
        yield GaugeMetricFamily(
            "kmp_leader",
            "1 for the active controller, 0 for a standby",
            value=int(self._collisions is not None),
        )
        if self._collisions is not None:
            yield from _collisions(self._collisions())
        seen = self._pool()
        if seen is not None:
            yield from _pool(seen)


def _collisions(counts: Mapping[MacAddress, int]) -> Iterator[GaugeMetricFamily]:
    colliding = GaugeMetricFamily(
        "kmp_mac_collisions",
        "Objects of managed namespaces that collide on this address (at least 2);"
        f" the first {MOST_SERIES} addresses",
        labels=("mac",),
    )
    for mac, count in nsmallest(MOST_SERIES, counts.items()):
        colliding.add_metric((str(mac),), count)
    yield colliding
    yield GaugeMetricFamily(
        "kubevirt_kmp_duplicate_macs",
        "Addresses on which objects collide now (kmp_mac_collisions says which)",
        value=len(counts),
    )


def _pool(seen: SeenPool) -> Iterator[GaugeMetricFamily]:
    numbers = {
        "size": ("Addresses that the pool can give out", seen.status.size),
        "allocated": ("Addresses of the pool that are taken", seen.status.allocated),
        "free": ("Addresses of the pool that are left", seen.status.free),
    }
    for name, (meaning, value) in numbers.items():
        family = GaugeMetricFamily(f"kmp_pool_{name}", meaning, labels=("pool",))
        family.add_metric((seen.pool.name,), value)
        yield family
