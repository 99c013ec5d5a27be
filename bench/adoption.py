"""Measures the first start on a cluster full of VMs: `python -m bench adoption --help`.

The VMs are halted (KubeVirt is its CRDs here), with two addresses each, and nobody has allocations.
Then the controller starts. Counted are its calls until the pool is adopted, by the API server's
audit log; the time runs from the birth of its process until a watch shows the condition Adopted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench.clients import by_clients
from bench.machine import describe
from bench.process import age_s, resident, used_s
from crds.allocation import MACHINE, State, Stored
from crds.resources import ALLOCATIONS, MACHINES, POOLS, PoolSnapshot
from e2e.audit import CONTROLLER, POLICY, Audit
from kube.client import Api
from kube.watch import Follower
from testbed import external
from testbed.controlplane import ControlPlane, ephemeral
from testbed.kubevirt import apply_crds
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.programs import start_controller
from testbed.progress import Progress, say
from testbed.release import apply_release

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence


_RESULTS = Path(__file__).parents[1] / ".bench"
_SIZES, _QUICK_SIZES = (500, 1000, 2000), (10, 40)
_NAMESPACE = "default"
_CLIENTS = 8
_FIRST = 0x0A_00_00_00_00_00
_INTERFACES = 2
# A hundred times what it takes: what is not adopted by then never is.
_WITHIN_S = 600.0
# What a start costs whatever is in the cluster; the rest is told by verb and resource.
_OF_ADDRESSES = frozenset(
    {"macallocations", "macallocations/status", "virtualmachines", "virtualmachineinstances"}
)


@dataclass(frozen=True, slots=True)
class Run:
    """One first start."""

    machines: int
    seconds: float
    cpu_s: float
    peak_mib: float
    calls: dict[str, int]  # "verb resource", all of the controller's

    @property
    def addresses(self) -> int:
        """How many there were to adopt."""
        return self.machines * _INTERFACES


class NotAdopted(Exception):
    """What was in use was not adopted, or not as it should be."""


class _Adopted:
    """Waits for the condition of the pool (a View for the Follower)."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def reset(self, everything: list[PoolSnapshot]) -> None:
        """See View.reset."""
        for one in everything:
            self.put(one)

    def put(self, item: PoolSnapshot) -> None:
        """See View.put."""
        if item.status.says("Adopted"):
            self.event.set()

    def drop(self, item: PoolSnapshot) -> None:
        """See View.drop."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the report, and keep it in a folder."""
    arguments = _arguments(argv)
    if external.chosen():
        say("This measures on control planes of its own: unset KUBEVIRT_PROVIDER.")
        return 1
    machine = describe()
    runs = []
    try:
        for size in arguments.machines or (_QUICK_SIZES if arguments.quick else _SIZES):
            with ephemeral(audit_policy=POLICY) as cluster:
                apply_crds(cluster.kubectl)
                runs.append(uvloop.run(_first_start(cluster, size)))
    except NotAdopted as failed:
        say(f"The run failed: {failed}")
        return 1
    folder = arguments.output or _RESULTS / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    text = report(runs, machine)
    (folder / "adoption.txt").write_text(text)
    results = {"machine": machine, "runs": [asdict(run) for run in runs]}
    (folder / "adoption.json").write_text(json.dumps(results, indent=1))
    sys.stdout.write(text)
    say(f"This is in {folder}, too.")
    return 0


def report(runs: Sequence[Run], machine: dict[str, str]) -> str:
    """Return a table with a column for each size."""
    named = sorted({name for run in runs for name in run.calls}, key=_by_resource)
    rows: list[tuple[str, Sequence[object]]] = [
        ("VMs", [run.machines for run in runs]),
        ("addresses", [run.addresses for run in runs]),
        ("seconds until Adopted", [f"{run.seconds:.2f}" for run in runs]),
        ("CPU seconds", [f"{run.cpu_s:.2f}" for run in runs]),
        ("peak memory, MiB", [f"{run.peak_mib:.0f}" for run in runs]),
        ("", []),
        ("API calls", [sum(run.calls.values()) for run in runs]),
        *((f"  {name}", [run.calls.get(name, 0) for run in runs]) for name in named),
    ]
    left = max(len(name) for name, _ in rows)
    lines = [
        "A first start: halted VMs with two addresses each, no allocation, one controller.",
        "Lists come in pages, one call each: 500 VMs, VMIs or pods, 2,500 allocations.",
        "",
        *(f"{name.ljust(left)}{''.join(f'{one:>10}' for one in values)}" for name, values in rows),
        "",
        *(f"{name}: {value}" for name, value in machine.items()),
        "",
    ]
    return "\n".join(line.rstrip() for line in lines)


async def _first_start(cluster: ControlPlane, machines: int) -> Run:
    apply_release(cluster.kubectl)
    async with Api("kubemacpool-bench", str(cluster.kubeconfig)) as api:
        await _create(api, machines)
        adopted = _Adopted()
        follower = Follower(api, POOLS, adopted)
        following = asyncio.create_task(follower.run())
        await follower.synced.wait()
        controller = start_controller(cluster).process
        try:
            async with asyncio.timeout(_WITHIN_S):
                await adopted.event.wait()
        except TimeoutError:
            raise NotAdopted(f"{machines} VMs not adopted within {_WITHIN_S:.0f} s") from None
        run = Run(
            machines=machines,
            seconds=age_s(controller),
            cpu_s=used_s(controller.pid),
            peak_mib=resident(controller.pid).peak / 2**20,
            calls=_named(Audit(cluster).calls(CONTROLLER)),
        )
        following.cancel()
        stored, _ = await api.list(ALLOCATIONS)
    _check(stored, run)
    return run


async def _create(api: Api, machines: int) -> None:
    progress = Progress(f"Creating {machines} VMs")

    async def one(number: int) -> None:
        await api.post(MACHINES.namespaced(_NAMESPACE), _machine(number))

    await by_clients(_CLIENTS, range(machines), one)
    progress.done()


def _machine(number: int) -> bytes:
    first = _FIRST + _INTERFACES * number
    interfaces = [
        Interface("default", mac=first.to_bytes(6).hex(":")),
        Interface("lan", "lan", (first + 1).to_bytes(6).hex(":")),
    ]
    return json.dumps(manifest(f"vm-{number}", interfaces, run_strategy="Halted")).encode()


def _check(stored: list[Stored], run: Run) -> None:
    """Every address has its allocation, and it is the VM's."""
    owned = {
        one.mac.bits
        for one in stored
        if one.allocation.state is State.BOUND
        and one.allocation.owner is not None
        and (one.allocation.owner.kind, one.allocation.owner.name)
        == (MACHINE, f"vm-{(one.mac.bits - _FIRST) // _INTERFACES}")
    }
    wanted = set(range(_FIRST, _FIRST + run.addresses))
    if owned != wanted:
        raise NotAdopted(f"{len(wanted - owned)} of {len(wanted)} addresses are not their VM's")


def _named(calls: Counter[tuple[str, str]]) -> dict[str, int]:
    return {f"{verb} {resource}": count for (verb, resource), count in calls.items()}


def _by_resource(name: str) -> tuple[bool, str, str]:
    """Those of addresses first."""
    verb, _, resource = name.partition(" ")
    return resource not in _OF_ADDRESSES, resource, verb


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench adoption", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run, with few VMs")
    parser.add_argument(
        "--machines",
        type=int,
        nargs="+",
        help="how many VMs, a cluster each (default 500 1000 2000)",
    )
    parser.add_argument("--output", type=Path, help="a folder (default .bench/TIME)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
