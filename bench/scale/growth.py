"""One cluster that grows: starts, memory, latency and writes, by the number of allocations in use.

At each size both programs start again. Then one client creates pods in three variants, in turns
with a random order. At the end the pods are deleted, and their allocations with them.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import uvloop

from bench import host
from bench.figures import ByTurn, added_ms, merged, ratios
from bench.host import Memory
from bench.ledger import Ledger, Writes
from bench.load import by_clients, create_pods, followed
from bench.objects import AT_ONCE, PODS_PATH, VMS_PATH, addresses, halted_vm
from bench.report import LATENCY, Part, Table, Target, at_most, latency_cells, none_refused
from bench.testcluster import Start, TestCluster
from bench.variants import Variant
from crds.allocation import Allocation, Source, State
from crds.resources import ALLOCATIONS, PODS, VMS
from crds.store import ApiAllocations
from testbed.progress import Progress

if TYPE_CHECKING:
    from crds.mac import MacAddress

VARIANTS = (Variant.NOT_OPTED_IN, Variant.NO_OP, Variant.STOCK)
_OURS = Variant.STOCK
_VM_INTERFACES = 20
_FIRST = 0x02_00_00_00_00_00  # the first address of the range in the manifest
_SEEDERS = 16
_RELEASED_S = 120.0  # a multiple of what the controller needs after Q
# Targets for the largest size. _GROWN: how many times the latency with no allocation.
_READY_S, _WEBHOOK_MB, _GROWN = 5.0, 150.0, 1.2
_STARTS = """Seconds from the start of a process until it is ready (webhook), or has read everything
that is in use (controller); its memory at that time, and after {requests} creates of pods in each
variant. "each" is the memory for one allocation."""
_LATENCIES = """The create of a pod with one interface by one client, in ms. "added" is relative to
"not opted in", "times" relative to the no-op webhook: medians over the turns."""
_WRITES = """Writes to the allocation of a pod with one interface, from its create to its release.
"spare" are the creates of addresses that no pod got, for each pod."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The sizes, and `turns` times `requests` creates in each variant after a warm-up turn."""

    sizes: Sequence[int]
    turns: int
    requests: int


# 20 x 20 = 400 creates in each variant give a p99.
FULL = Effort(sizes=(0, 10_000, 100_000), turns=20, requests=20)
# A smoke run: its figures mean nothing.
QUICK = Effort(sizes=(0, 100), turns=1, requests=2)


@dataclass(frozen=True, slots=True)
class Size:
    """A cluster with this many allocations in use, of VMs. `starts` and `afterwards` by program."""

    allocations: int
    starts: dict[str, Start]
    afterwards: dict[str, Memory]
    turns: dict[Variant, ByTurn]
    writes: Writes
    refusals: list[str]

    @property
    def median_ms(self) -> float:
        """The median latency of our webhook."""
        return median(merged(self.turns[_OURS]))

    @property
    def times_noop(self) -> float:
        """The latency of our webhook relative to the no-op webhook."""
        return median(ratios(self.turns[_OURS], self.turns[Variant.NO_OP]))


@dataclass(frozen=True, slots=True)
class Growth(Part):
    """All sizes, the smallest first."""

    sizes: Sequence[Size]

    def targets(self) -> list[Target]:
        """Compare the largest size with the smallest."""
        none, most = self.sizes[0], self.sizes[-1]
        size = f"with {most.allocations:,} in use"
        ready_s, peak_mb = most.starts["webhook"].seconds, most.afterwards["webhook"].peak_mb
        grown, grown_times = most.median_ms / none.median_ms, most.times_noop / none.times_noop
        return [
            at_most(f"webhook ready {size}", ready_s, _READY_S, "s"),
            at_most(f"peak memory of the webhook {size}", peak_mb, _WEBHOOK_MB, "MB"),
            at_most(f"median latency {size}, relative to none", grown, _GROWN, "x"),
            at_most("the same, each relative to the no-op webhook", grown_times, _GROWN, "x"),
            none_refused("pods refused", [said for size in self.sizes for said in size.refusals]),
        ]

    def tables(self) -> list[Table]:
        """Return starts and memory, latencies, and writes."""
        requests = len(merged(self.sizes[0].turns[_OURS]))
        starts = ["program", "in use", "ready, s", "MB", "peak", "MB after", "peak", "each, bytes"]
        writes = ["in use", "pods", "create", "update", "delete", "spare"]
        return [
            Table(
                "Starts and memory",
                _STARTS.format(requests=requests),
                starts,
                [[self._start(name, size) for size in self.sizes] for name in self.sizes[0].starts],
            ),
            Table(
                "Latency by allocations in use",
                _LATENCIES,
                ["variant", "in use", *LATENCY, "added", "times"],
                [[_latency(variant, size) for size in self.sizes] for variant in VARIANTS],
            ),
            Table("Writes per pod", _WRITES, writes, [[_writes(size) for size in self.sizes]]),
        ]

    def _start(self, name: str, size: Size) -> list[str]:
        start, after, first = size.starts[name], size.afterwards[name], self.sizes[0]
        more = size.allocations - first.allocations
        grown_mb = start.memory.now_mb - first.starts[name].memory.now_mb
        memory = (start.memory.now_mb, start.memory.peak_mb, after.now_mb, after.peak_mb)
        each = f"{grown_mb * 1e6 / more:.0f}" if more else ""
        figures = (f"{mb:.0f}" for mb in memory)
        return [name, f"{size.allocations:,}", f"{start.seconds:.2f}", *figures, each]


def measure(cluster: TestCluster, effort: Effort, seed: int) -> Growth:
    """Measure at each size, from the smallest to the largest."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    found: list[Size] = []
    for allocations in effort.sizes:
        before = found[-1].allocations if found else 0
        vms = range(before // _VM_INTERFACES, allocations // _VM_INTERFACES)
        if vms:
            uvloop.run(_seed(cluster, vms))
        cluster.start_controller()
        starts = {"controller": cluster.wait_repaired()}
        cluster.start_webhook()
        starts["webhook"] = cluster.wait_webhook()
        if not found:
            cluster.wait_in_force()
            cluster.create_namespaces("pods", VARIANTS)
            cluster.start_other_webhooks([Variant.NO_OP])
        found.append(uvloop.run(_size(cluster, effort, allocations, starts, chance)))
        cluster.stop_programs()  # they need not follow the creates of the next size
    return Growth(found)


async def _size(
    cluster: TestCluster,
    effort: Effort,
    allocations: int,
    starts: dict[str, Start],
    chance: random.Random,
) -> Size:
    turns: dict[Variant, dict[int, Sequence[float]]] = {variant: {} for variant in VARIANTS}
    given: set[MacAddress] = set()
    refusals: list[str] = []
    ledger = Ledger()
    progress = Progress(f"Measuring creates with {allocations} allocations")
    async with cluster.api() as api, followed(api, ALLOCATIONS, ledger):
        for number in range(effort.turns + 1):
            for variant in chance.sample(VARIANTS, len(VARIANTS)):
                created = await create_pods(api, variant.namespace("pods"), effort.requests)
                macs = created.macs(PODS)
                await ledger.all_bound(macs)
                given |= macs
                refusals += created.refusals
                if number:
                    turns[variant][number] = created.latencies_ms
            progress.tick(f"turn {number} of {effort.turns}")
        for variant in VARIANTS:
            await api.delete(PODS_PATH.format(variant.namespace("pods")), AT_ONCE)
        await ledger.all_gone(given, cluster.quiet_s + _RELEASED_S)
    progress.done()
    afterwards = {
        "controller": host.memory(cluster.pids()["controller"]),
        "webhook": host.memory(cluster.pids()[Variant.STOCK]),
    }
    return Size(allocations, starts, afterwards, {**turns}, ledger.writes(given), refusals)


async def _seed(cluster: TestCluster, vms: range) -> None:
    """Create halted VMs, and their allocations as the controller adopts them."""
    progress = Progress(f"Creating {len(vms) * _VM_INTERFACES} allocations in use")
    done = itertools.count(1)
    async with cluster.api() as admin, cluster.controller_api() as controller:
        allocations = ApiAllocations(controller)

        async def create(number: int) -> None:
            macs = addresses(_FIRST + _VM_INTERFACES * number, _VM_INTERFACES)
            raw = await admin.post(VMS_PATH.format("default"), halted_vm(f"vm-{number}", macs))
            carrier = VMS.read(raw)
            for mac in macs:
                owner = carrier.as_owner(mac)
                adopted = Allocation(
                    mac, state=State.BOUND, source=Source.ADOPTED, pool="default", owner=owner
                )
                await allocations.create(adopted)
            progress.tick(f"{next(done) * _VM_INTERFACES} of them")

        await by_clients(_SEEDERS, vms, create)
    progress.done()


def _latency(variant: Variant, size: Size) -> list[str]:
    turns = size.turns[variant]
    added = median(added_ms(turns, size.turns[Variant.NOT_OPTED_IN]))
    return [
        variant,
        f"{size.allocations:,}",
        *latency_cells(merged(turns)),
        "" if variant is Variant.NOT_OPTED_IN else f"{added:+.2f}",
        f"{size.times_noop:.2f}" if variant is _OURS else "",
    ]


def _writes(size: Size) -> list[str]:
    writes = size.writes
    counts = (writes.created, writes.updated, writes.deleted, writes.spare)
    each = (f"{count / max(writes.pods, 1):.2f}" for count in counts)
    return [f"{size.allocations:,}", str(writes.pods), *each]
