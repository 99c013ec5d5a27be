"""The costs that grow with the cluster, a pool that gets full, and pods that come or go at once.

Each part has a control plane of its own.
"""

from collections.abc import Iterator

from bench.report import Part
from bench.scale import bursts, filling, growth


def measure(*, quick: bool, quiet_s: float, seed: int) -> Iterator[Part]:
    """Measure one part after the other."""
    yield growth.measure(growth.QUICK if quick else growth.FULL, quiet_s, seed)
    yield filling.measure(filling.QUICK if quick else filling.FULL, quiet_s, seed)
    yield bursts.measure(bursts.QUICK if quick else bursts.FULL, quiet_s)
