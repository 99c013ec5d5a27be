"""The metrics for Prometheus, computed when it asks.

Only the active replica has them all; a standby has `kmp_leader` 0 and the process metrics.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from crds.mac import MacAddress
    from crds.resources import PoolSnapshot

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# The most addresses that have a series of their own. Prometheus keeps each series for hours, and
# common limits of a scrape are tens of thousands. The count of all is a single number.
MOST_SERIES = 1000
_DAY_S = 86400.0


class Metrics:
    """A collector (prometheus_client.registry.Collector) and its registry."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._collisions: Callable[[], Mapping[MacAddress, int]] | None = None
        self._pool: Callable[[], PoolSnapshot | None] = lambda: None
        self._ends: Callable[[], Mapping[str, datetime]] = dict
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def lead(
        self,
        collisions: Callable[[], Mapping[MacAddress, int]],
        pool: Callable[[], PoolSnapshot | None],
        ends: Callable[[], Mapping[str, datetime]],
    ) -> None:
        """Serve the metrics of a leader, with these values.

        `ends` returns when each of our certificates expires.
        """
        self._collisions, self._pool, self._ends = collisions, pool, ends

    def text(self) -> bytes:
        """Return all metrics, in CONTENT_TYPE."""
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
        ends = self._ends()
        if ends:
            yield from _certificates(ends, self._now())


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


def _pool(seen: PoolSnapshot) -> Iterator[GaugeMetricFamily]:
    numbers = {
        "size": ("Addresses that the pool can give out", seen.status.size),
        "allocated": ("Addresses of the pool that are taken", seen.status.allocated),
        "free": ("Addresses of the pool that are left", seen.status.free),
    }
    for name, (meaning, value) in numbers.items():
        family = GaugeMetricFamily(f"kmp_pool_{name}", meaning, labels=("pool",))
        family.add_metric((seen.pool.name,), value)
        yield family


def _certificates(ends: Mapping[str, datetime], now: datetime) -> Iterator[GaugeMetricFamily]:
    expiry = GaugeMetricFamily(
        "kmp_certificate_expiry_timestamp_seconds",
        "When the certificate expires, in seconds since 1970",
        labels=("certificate",),
    )
    left = GaugeMetricFamily(
        "kmp_certificate_days_left",
        "Days until the certificate expires; renewal comes before",
        labels=("certificate",),
    )
    for name, end in sorted(ends.items()):
        expiry.add_metric((name,), end.timestamp())
        left.add_metric((name,), (end - now).total_seconds() / _DAY_S)
    yield expiry
    yield left
