"""The first start of the controller on a cluster with VMs, whose addresses have no allocations.

The VMs are halted, with two addresses each. The audit log of the API server shows the controller's
calls until the pool is adopted. The time counts from the start of the process until a watch shows
the condition Adopted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import uvloop

from bench import host
from bench.ledger import NeverCame, Watched, by_resource, controller_calls
from bench.load import followed, send
from bench.objects import VMS_PATH, addresses, halted_vm
from bench.report import Part, Table
from bench.testcluster import TestCluster, start_cluster
from crds.allocation import VM_KIND, State, Stored
from crds.resources import ALLOCATIONS, POOLS, PoolSnapshot
from testbed.progress import Progress

_SIZES, _QUICK_SIZES = (500, 1000, 2000), (40,)
_CLIENTS = 8
_FIRST = 0x0A_00_00_00_00_00
_INTERFACES = 2
_PATH = VMS_PATH.format("default")
# A hundred times the usual duration.
_WITHIN_S = 600.0
_NOTE = """A first start: halted VMs with two addresses each, no allocations, one controller. Lists
come in pages, one call for each: 500 VMs, VMIs or pods, or 2,500 allocations."""


@dataclass(frozen=True, slots=True)
class Start:
    """One first start. `calls` are all calls of the controller, by "verb resource"."""

    vms: int
    seconds: float
    cpu_s: float
    peak_mb: float
    calls: dict[str, int]


@dataclass(frozen=True, slots=True)
class Adoption(Part):
    """A first start at each size."""

    starts: Sequence[Start]

    def tables(self) -> list[Table]:
        """Return a table with a column for each size."""
        calls = sorted({call for start in self.starts for call in start.calls}, key=by_resource)
        rows: list[tuple[str, list[object]]] = [
            ("addresses", [start.vms * _INTERFACES for start in self.starts]),
            ("seconds until Adopted", [f"{start.seconds:.2f}" for start in self.starts]),
            ("CPU seconds", [f"{start.cpu_s:.2f}" for start in self.starts]),
            ("peak memory, MB", [f"{start.peak_mb:.0f}" for start in self.starts]),
            ("API calls", [sum(start.calls.values()) for start in self.starts]),
        ]
        each = [(call, [start.calls.get(call, 0) for start in self.starts]) for call in calls]
        head = ["what", *(f"{start.vms:,} VMs" for start in self.starts)]
        groups = [[[name, *map(str, values)] for name, values in group] for group in (rows, each)]
        return [Table("Adoption", _NOTE, head, groups)]


class PoolAdopted(Watched):
    """Whether the pool has the condition Adopted."""

    adopted = False

    def reset(self, everything: list[PoolSnapshot]) -> None:
        """Read all pools: there is one."""
        for pool in everything:
            self.put(pool)

    def put(self, item: PoolSnapshot) -> None:
        """Read the condition."""
        self.adopted = item.status.says("Adopted")
        self._changed.set()

    def drop(self, item: PoolSnapshot) -> None:
        """Ignore it: the pool is not deleted here."""


def measure(*, quick: bool, quiet_s: float, seed: int) -> Iterator[Part]:
    """Measure each size in a new cluster."""
    del seed  # nothing is random
    starts = []
    for vms in _QUICK_SIZES if quick else _SIZES:
        with start_cluster(quiet_s, audited=True) as cluster:
            starts.append(uvloop.run(_first_start(cluster, vms)))
    yield Adoption(starts)


async def _first_start(cluster: TestCluster, vms: int) -> Start:
    pool = PoolAdopted()
    async with cluster.api() as api, followed(api, POOLS, pool):
        creates = [partial(api.post, _PATH, _vm(number)) for number in range(vms)]
        progress = Progress(f"Creating {vms} VMs")
        (await send(_CLIENTS, creates, progress)).none_refused()
        progress.done()
        cluster.start_controller()
        controller = cluster.running["controller"].process
        await pool.until(lambda: pool.adopted, f"{vms} VMs are adopted", _WITHIN_S)
        start = Start(
            vms=vms,
            seconds=host.age_s(controller),
            cpu_s=host.cpu_s(controller.pid),
            peak_mb=host.memory(controller.pid).peak_mb,
            calls=dict(controller_calls(cluster.control_plane)),
        )
        stored, _ = await api.list(ALLOCATIONS)
    if (adopted := sum(map(_is_adopted, stored))) != vms * _INTERFACES:
        raise NeverCame(f"{adopted} of {vms * _INTERFACES} addresses are allocated to their VMs")
    return start


def _vm(number: int) -> bytes:
    return halted_vm(f"vm-{number}", addresses(_FIRST + _INTERFACES * number, _INTERFACES))


def _is_adopted(stored: Stored) -> bool:
    """Return True if the address is Bound to the VM that has it."""
    allocation, owner = stored.allocation, stored.allocation.owner
    name = f"vm-{(stored.mac.bits - _FIRST) // _INTERFACES}"
    identity = owner and (owner.kind, owner.name)
    return allocation.state is State.BOUND and identity == (VM_KIND, name)
