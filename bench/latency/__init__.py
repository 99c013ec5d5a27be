"""Latency of requests for pods and VMs: our webhook, a no-op webhook, and no webhook, side by side.

First batches of requests in turns, then each variant under sustained load. `plan` says what varies;
`requests` and `sustained` say what is measured.
"""

from collections.abc import Iterator

import uvloop

from bench.latency.measure import prepare, requests
from bench.latency.plan import FULL, QUICK
from bench.latency.sustained import sustained
from bench.report import Part
from bench.testcluster import start_cluster


def measure(*, quick: bool, quiet_s: float, seed: int) -> Iterator[Part]:
    """Measure both parts in one cluster."""
    effort = QUICK if quick else FULL
    with start_cluster(quiet_s) as cluster:
        prepare(cluster)
        yield uvloop.run(requests(cluster, effort, seed))
        yield uvloop.run(sustained(cluster, effort, seed))
