"""Batches of requests, in turns.

A batch sends some requests of one cell as fast as its clients can. While it runs, the controller
binds addresses and the webhook refills its stock. The next batch begins when both have finished;
that time is not measured. Nothing is deleted: `bench.latency.sustained` measures deletes.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bench import objects
from bench.latency.plan import Cell, Effort, Work, turn
from bench.latency.requests import Batch, Requests
from bench.ledger import Ledger
from bench.load import Answers, followed, send
from bench.testcluster import TestCluster
from bench.variants import OURS, Variant
from crds.resources import ALLOCATIONS, PODS, VMS
from kube.client import Api
from testbed.progress import say


def prepare(cluster: TestCluster) -> None:
    """Start all webhooks and the controller, and create all namespaces."""
    cluster.start_both()
    # VMs have other namespaces than pods: the webhook lists the pods for some of them.
    for content in ("pods", "vms"):
        cluster.create_namespaces(content, list(Variant))
    cluster.start_other_webhooks([Variant.NO_OP, Variant.CONSTANT, Variant.SYNCHRONOUS])


async def requests(cluster: TestCluster, effort: Effort, seed: int) -> Requests:
    """Measure all turns."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    ledger = Ledger()
    batches: list[Batch] = []
    began_s = time.monotonic()
    async with cluster.api() as api, followed(api, ALLOCATIONS, ledger):
        measuring = _Measuring(api, ledger, effort)
        for number in range(1 - effort.warm_ups, effort.turns + 1):
            for cell in turn(chance):
                batch = await measuring.batch(number, cell)
                batches += [batch] if number > 0 else []
            say(f"Turn {number} of {effort.turns}: {time.monotonic() - began_s:.0f} s")
    return Requests(batches, seed, effort.draws)


@dataclass(frozen=True, slots=True)
class _Measuring:
    api: Api
    ledger: Ledger
    effort: Effort

    async def batch(self, number: int, cell: Cell) -> Batch:
        """Measure one batch; return when the controller and the stock have finished."""
        requests = await self._requests(cell)
        began_s = time.perf_counter()
        answers = await send(cell.shape.clients, requests)
        seconds = time.perf_counter() - began_s
        await self._finish(cell, answers)
        return Batch(number, cell.shape, cell.variant, answers.latencies_ms, seconds)

    async def _requests(self, cell: Cell) -> list[Callable[[], Awaitable[bytes]]]:
        """Prepare the requests, and the VMs that they change."""
        shape, variant = cell.shape, cell.variant
        count = self.effort.requests[shape.clients]
        if shape.work is Work.POD:
            pod = objects.pod(shape.interfaces, annotated=variant is not Variant.NO_ANNOTATION)
            path = objects.PODS_PATH.format(variant.namespace("pods"))
            return [partial(self.api.post, path, pod)] * count
        path = objects.VMS_PATH.format(variant.namespace("vms"))
        creates = [partial(self.api.post, path, objects.vm(shape.interfaces))] * count
        if shape.work is Work.VM:
            return [*creates]
        created = await send(1, creates)
        await self._finish(cell, created)
        change = objects.interfaces_of_vm(shape.interfaces + 1)
        return [partial(self.api.merge, f"{path}/{vm.name}", change) for vm in created.read(VMS)]

    async def _finish(self, cell: Cell, answers: Answers) -> None:
        """Wait until our addresses are Bound, and the stock is full again."""
        answers.none_refused()
        if cell.variant in OURS:
            kind = PODS if cell.shape.work is Work.POD else VMS
            await self.ledger.all_bound(answers.macs(kind))
        uses_stock = cell.variant is Variant.STOCK
        await self.ledger.unchanged(self.effort.refill_s if uses_stock else self.effort.rest_s)
