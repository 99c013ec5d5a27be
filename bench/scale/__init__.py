"""The costs that grow with the cluster, a pool that gets full, and pods that come or go at once."""

from collections.abc import Iterator

from bench.report import Part
from bench.scale import bursts, filling, growth
from bench.testcluster import start_cluster

_PARTS = (bursts, filling, growth)


def measure(*, quick: bool, quiet_s: float, seed: int) -> Iterator[Part]:
    """Measure each part in a cluster of its own; a smoke run uses one cluster for all."""
    if quick:
        with start_cluster(quiet_s, audited=True) as cluster:
            for part in _PARTS:
                yield part.measure(cluster, part.QUICK, seed)
                cluster.stop_programs()
        return
    for part in reversed(_PARTS):
        with start_cluster(quiet_s, audited=part is bursts) as cluster:
            yield part.measure(cluster, part.FULL, seed)
