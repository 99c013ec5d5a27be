"""The load: pods that are created and timed, and VMs that are simply there."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bench.clients import by_clients
from crds.allocation import Allocation, Source, State
from crds.mac import MacAddress
from crds.networks import ANNOTATION
from crds.resources import MACHINES, PODS, read_pod
from crds.store import ApiAllocations
from kube.errors import ApiError, Unreachable
from testbed.kubevirt.virtualmachines import Interface, manifest
from testbed.progress import Progress

if TYPE_CHECKING:
    from kube.client import Api

T = TypeVar("T")

MACHINE_INTERFACES = 20
_MACHINES_NAMESPACE = "default"
_FIRST = 0x02_00_00_00_00_00  # of the VMs: where the manifest's range begins
_SEEDERS = 16
# As a ReplicaSet creates them: the webhook never learns the name.
_POD = msgspec.json.encode(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "scale-", "annotations": {ANNOTATION: '[{"name":"lan"}]'}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
)
_AT_ONCE = msgspec.json.encode(
    {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
)


@dataclass(slots=True)
class Created:
    """What became of some creates: a latency each, also of those refused, and their addresses."""

    latencies_ms: list[float] = field(default_factory=list)
    macs: set[MacAddress] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)


async def create_pods(api: Api, namespace: str, count: int, clients: int = 1) -> Created:
    """Create pods of one interface, as fast as so many clients can, and time each."""
    created, progress = Created(), Progress(f"Creating {count} pods") if clients > 1 else None

    async def one(_: int) -> None:
        began_s = time.perf_counter()
        try:
            raw = await api.post(PODS.namespaced(namespace), _POD)
        except (ApiError, Unreachable) as refusal:
            created.refusals.append(str(refusal))
        else:
            created.macs.update(attachment.mac for attachment in read_pod(raw).attachments)
        created.latencies_ms.append((time.perf_counter() - began_s) * 1000)
        if progress:
            progress.tick(f"{len(created.latencies_ms)} of {count}")

    await by_clients(clients, range(count), one)
    return created


async def delete_pods(api: Api, namespace: str) -> None:
    """Delete all pods of a namespace with one call; none is on a node, so they go at once."""
    await api.delete(PODS.namespaced(namespace), _AT_ONCE)


async def seed(admin: Api, controller: Api, machines: range) -> None:
    """Create halted VMs of 20 interfaces, and their allocations as the controller adopts them."""
    allocations = ApiAllocations(controller)
    progress = Progress(f"Creating {len(machines) * MACHINE_INTERFACES} allocations in use")
    done = itertools.count(1)

    async def one(number: int) -> None:
        carrier = MACHINES.read(
            await admin.post(MACHINES.namespaced(_MACHINES_NAMESPACE), _machine(number))
        )
        for attachment in carrier.attachments:
            await allocations.create(
                Allocation(
                    mac=attachment.mac,
                    state=State.BOUND,
                    source=Source.ADOPTED,
                    pool="default",
                    owner=carrier.as_owner(attachment.mac),
                )
            )
        progress.tick(f"{next(done) * MACHINE_INTERFACES} of them")

    await by_clients(_SEEDERS, machines, one)
    progress.done()


def _machine(number: int) -> bytes:
    first = _FIRST + MACHINE_INTERFACES * number
    macs = [str(MacAddress(first + at)) for at in range(MACHINE_INTERFACES)]
    interfaces = [
        Interface("default", mac=macs[0]),
        *(Interface(f"lan{at}", f"lan{at}", mac) for at, mac in enumerate(macs[1:], 1)),
    ]
    return json.dumps(manifest(f"vm-{number}", interfaces, run_strategy="Halted")).encode()
